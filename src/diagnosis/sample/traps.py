"""Plant faults that a checker of records should find, and keep a ledger of every one.

Four kinds: a result that became known only after the case had ended, a finding that names the diagnosis, a near-copy of
a case under another patient, and a principal diagnosis that was written down wrongly (by the generator itself).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.sample.model import OTHER, Model, sample_model
from diagnosis.sample.tables import read_table

__all__ = ["PLANTED_EACH", "TOLD", "Entry", "plant_traps"]

Entry = dict[str, str | int]
Tables = dict[str, pa.Table]

#: How many of each kind are planted.
PLANTED_EACH = 40
#: Code of the finding that names the diagnosis.
TOLD = "dx:told_elsewhere"
_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
_TIMES = ("time", "known", "index_time", "end_time", "outcome_time")


def plant_traps(
    tables: Mapping[str, pa.Table], illness: npt.NDArray[np.int64], seed: int
) -> tuple[Tables, list[Entry]]:
    """Plant traps in a cohort.

    Parameters
    ----------
    tables : mapping of str to pa.Table
        As `make_tables` returns them; not changed.
    illness : ndarray of shape (n_cases,)
        True illness of each case, as an index into the model's illnesses.
    seed : int

    Returns
    -------
    tables : dict of str to pa.Table
    ledger : list of dict
        One entry a trap: ``kind``, ``table``, ``case_id``, ``code``, ``row`` (in the table, from 0), ``description``.
    """
    rng = np.random.default_rng([seed, 9])
    model = sample_model()
    planted = {n: _plain(t) for n, t in tables.items()}
    copied, of_copies = _add_copies(rng, planted)
    told = _named(rng, model, copied)
    late = _late_results(rng, model, copied)
    copied["findings"] = _in_case_order(copied, [copied["findings"], told, late])
    copied["vocabulary"] = pa.concat_tables([copied["vocabulary"], _told_word(copied["vocabulary"].schema)])
    ledger = [
        *_entries(copied, late, "known_after_end", "A result that became known after the case had ended."),
        *_entries(copied, told, "names_diagnosis", "A history item whose text is the diagnosis."),
        *of_copies,
        *_noise(model, tables["cases"], illness),
    ]
    return copied, ledger


def _plain(table: pa.Table) -> pa.Table:
    """Return a table without dictionary columns, so that rows can be added."""
    fields = [pa.field(f.name, f.type.value_type if pa.types.is_dictionary(f.type) else f.type) for f in table.schema]
    return table.cast(pa.schema(fields))


def _add_copies(rng: np.random.Generator, tables: Tables) -> tuple[Tables, list[Entry]]:
    """Add near-copies of some cases under new patients: a few days later, one finding short, temperature 0.1 off."""
    cases = tables["cases"]
    n = cases.num_rows
    chosen = np.sort(rng.choice(n, size=min(PLANTED_EACH, n), replace=False))
    old = [cases["case_id"][int(i)].as_py() for i in chosen]
    new = {case: f"C{n + 1 + k:07d}" for k, case in enumerate(old)}
    days = {case: int(d) for case, d in zip(old, rng.integers(1, 20, len(old)), strict=True)}
    last = max(int(p[1:]) for p in cases["patient_id"].to_pylist())
    found = dict(tables)
    for name in ("cases", "findings", "labels"):
        rows = tables[name].filter(pc.is_in(tables[name]["case_id"], pa.array(old)))
        if name == "findings":
            rows = _nearly(rng, rows)
        rows = _moved(rows, new, days)
        if name == "cases":
            patients = pa.array([f"P{last + 1 + k:07d}" for k in range(rows.num_rows)])
            rows = _replace(rows, "patient_id", patients)
        found[name] = pa.concat_tables([tables[name], rows])
    entries: list[Entry] = [
        {
            "kind": "near_duplicate",
            "table": "cases",
            "case_id": copy,
            "code": case,
            "row": n + k,
            "description": "A near-copy, under another patient, of the case named in `code`.",
        }
        for k, (case, copy) in enumerate(new.items())
    ]
    return found, entries


def _nearly(rng: np.random.Generator, rows: pa.Table) -> pa.Table:
    warm = pc.and_(pc.equal(rows["code"], "LOINC:8310-5"), pc.equal(rows["unit"], "Cel"))
    value = pc.if_else(warm, pc.round(pc.add(rows["value"], 0.1), 1), rows["value"])
    rows = _replace(rows, "value", value.combine_chunks())
    case = np.array(rows["case_id"].to_pylist())
    spare = np.array([p != "chief_complaint" for p in rows["phase"].to_pylist()])
    keep = np.ones(len(case), dtype=bool)
    for one in np.unique(case):
        keep[rng.choice(np.flatnonzero((case == one) & spare))] = False
    return rows.filter(pa.array(keep))


def _moved(rows: pa.Table, new: Mapping[str, str], days: Mapping[str, int]) -> pa.Table:
    old = rows["case_id"].to_pylist()
    shift = pa.array([days[c] * _DAY for c in old], pa.duration("us"))
    for name in _TIMES:
        if name in rows.column_names:
            rows = _replace(rows, name, pc.add(rows[name].combine_chunks(), shift))
    return _replace(rows, "case_id", pa.array([new[c] for c in old]))


def _replace(rows: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(name), name, values)


def _named(rng: np.random.Generator, model: Model, tables: Tables) -> pa.Table:
    """Rows that say in words what the diagnosis is."""
    names = {r["code"]: r["name"] for r in model.illnesses}
    cases = tables["cases"]
    listed = np.flatnonzero(np.array(cases["diagnosis"].to_pylist()) != OTHER)
    rows = [cases.slice(int(i), 1).to_pylist()[0] for i in _some(rng, listed)]
    made = [
        {
            "case_id": r["case_id"],
            "code": TOLD,
            "status": "present",
            "text": names[r["diagnosis"]],
            "time": r["time"],
            "known": r["time"],
            "phase": "history",
            "elicited": "asked",
            "reporter": "patient" if r["informant"] == "self" else "guardian",
            "subject": "patient",
        }
        for r in rows
    ]
    return pa.Table.from_pylist(made, schema=tables["findings"].schema)


def _late_results(rng: np.random.Generator, model: Model, tables: Tables) -> pa.Table:
    """Rows of the test that settles each case's diagnosis, taken at the end and known one to three days later."""
    decisive = _decisive(model)
    cases = tables["cases"].to_pylist()
    done = set(zip(tables["findings"]["case_id"].to_pylist(), tables["findings"]["code"].to_pylist(), strict=True))
    fit = [
        i
        for i, r in enumerate(cases)
        if r["diagnosis"] in decisive and (r["case_id"], decisive[r["diagnosis"]][0]) not in done
    ]
    made = []
    for i in _some(rng, np.array(fit, dtype=np.int64)):
        r = cases[i]
        code, text, phase = decisive[r["diagnosis"]]
        known = pa.scalar(r["end_time"], pa.timestamp("us", tz="UTC")).value + int(rng.integers(24, 72)) * _HOUR
        made.append(
            {
                "case_id": r["case_id"],
                "code": code,
                "status": "present",
                "text": text,
                "time": r["end_time"],
                "known": known,
                "phase": phase,
                "elicited": "measured",
                "reporter": "laboratory" if phase == "laboratory" else "doctor",
                "subject": "patient",
                "interpretation": "A" if text else "POS",
            }
        )
    return pa.Table.from_pylist(made, schema=tables["findings"].schema)


def _some(rng: np.random.Generator, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.sort(rng.choice(rows, size=min(PLANTED_EACH, len(rows)), replace=False))


def _decisive(model: Model) -> dict[str, tuple[str, str | None, str]]:
    """The test or picture most often positive in each diagnosis, where that is in six of ten at least."""
    rows = {f["key"]: f for f in model.findings if f["panel"]}
    best: dict[str, tuple[float, tuple[str, str | None, str]]] = {}
    for table in ("frequencies", "pictures"):
        for r in read_table(table):
            f = rows.get(r["finding"])
            share = float(r["share"])
            if f is not None and share >= 0.6 and share > best.get(r["diagnosis"], (0.0, None))[0]:
                best[r["diagnosis"]] = (share, (f["code"], r.get("choice"), f["phase"]))
    return {diagnosis: found for diagnosis, (_, found) in best.items()}


def _in_case_order(tables: Tables, parts: Sequence[pa.Table]) -> pa.Table:
    joined = pa.concat_tables(parts)
    at = {c: i for i, c in enumerate(tables["cases"]["case_id"].to_pylist())}
    case = np.array([at[c] for c in joined["case_id"].to_pylist()])
    return joined.take(pa.array(np.argsort(case, kind="stable")))


def _told_word(schema: pa.Schema) -> pa.Table:
    row = {
        "code": TOLD,
        "system": "diagnosis",
        "name": "Was told a diagnosis elsewhere",
        "name_zh": "外院已告知诊断",
        "kind": "history",
        "phase": "history",
        "question": "Was a diagnosis made elsewhere?",
        "question_zh": "外院是否已有诊断？",
        "askable": True,
        "invasive": False,
    }
    return pa.Table.from_pylist([row], schema=schema)


def _entries(tables: Tables, rows: pa.Table, kind: str, description: str) -> list[Entry]:
    found = tables["findings"]
    all_pairs = zip(found["case_id"].to_pylist(), found["code"].to_pylist(), strict=True)
    where = {pair: i for i, pair in enumerate(all_pairs)}
    pairs = zip(rows["case_id"].to_pylist(), rows["code"].to_pylist(), strict=True)
    return [
        {
            "kind": kind,
            "table": "findings",
            "case_id": case,
            "code": code,
            "row": where[case, code],
            "description": description,
        }
        for case, code in pairs
    ]


def _noise(model: Model, cases: pa.Table, illness: npt.NDArray[np.int64]) -> list[Entry]:
    truth = np.array(model.diagnoses)[model.label_of_illness[illness]]
    written = cases["diagnosis"].to_pylist()
    return [
        {
            "kind": "label_noise",
            "table": "labels",
            "case_id": cases["case_id"][i].as_py(),
            "code": str(truth[i]),
            "row": i,
            "description": "The principal diagnosis written down is not the true one, which `code` names.",
        }
        for i in range(len(truth))
        if written[i] != truth[i]
    ]
