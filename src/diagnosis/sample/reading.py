"""Read recorded cases back into the generator's own indices, for its posterior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.sample.findings import ONSETS
from diagnosis.sample.model import Model, sample_model
from diagnosis.sample.prior import PREGNANT, Context
from diagnosis.sample.tables import SEVERITIES, age_band

__all__ = ["Recorded", "read_recorded"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.str_]

_YEAR = 365.25
_ZONE = np.timedelta64(8, "h")
_STATES = ("present", "absent", "uncertain")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What some cases record, as indices; arrays of one entry a case, then one a finding of each kind."""

    n: int
    context: Context
    follow_up: Bools
    age_days: Floats
    complaint: Ints
    onset: Ints
    how_bad: Ints
    yes_no_case: Ints
    yes_no: Ints
    yes_no_status: Ints
    yes_no_told: Bools
    picture_case: Ints
    picture_of: Ints
    picture: Ints
    value_case: Ints
    value_of: Ints
    value: Floats
    bound: Ints
    site: Ints
    time: Ints

    def take(self, first: int, last: int) -> Recorded:
        """Return the cases from `first` up to `last`."""
        cases = slice(first, last)
        context = Context(*(getattr(self.context, f.name)[cases] for f in fields(Context)))
        found = {"n": last - first, "context": context}
        for name in ("follow_up", "age_days", "complaint", "onset", "how_bad", "site"):
            found[name] = getattr(self, name)[cases]
        for kind in ("yes_no", "picture", "value"):
            case = getattr(self, f"{kind}_case")
            rows = slice(*np.searchsorted(case, [first, last]))
            found[f"{kind}_case"] = case[rows] - first
            for name in _OF_KIND[kind]:
                found[name] = getattr(self, name)[rows]
        return Recorded(**found)  # type: ignore[arg-type]


_OF_KIND = {
    "yes_no": ("yes_no", "yes_no_status", "yes_no_told"),
    "picture": ("picture_of", "picture"),
    "value": ("value_of", "value", "bound", "time"),
}


def read_recorded(cases: pa.Table, findings: pa.Table) -> Recorded:
    """Return what the tables record; rows of unknown codes, derived rows and results without a value are left out."""
    model = sample_model()
    n = cases.num_rows
    site = _index(cases, "site", [s["site"] for s in model.sites])
    case = _case_of(cases, findings)
    order = np.argsort(case, kind="stable")
    findings, case = findings.take(pa.array(order)), case[order]
    known = _index(findings, "code", [f["code"] for f in model.findings])
    key = np.array([*(f["key"] for f in model.findings), ""])[known]
    status = _index(findings, "status", list(_STATES))
    own = (_strings(findings, "phase") == "chief_complaint") & (status == 0)
    complaint, onset, how_bad = (np.full(n, -1) for _ in range(3))
    complaint[case[own]] = _lookup(key[own], model.complaints)
    onset[case[own]] = _onset_bin(_numbers(findings, "onset_days")[own])
    how_bad[case[own]] = _index(findings, "severity", list(SEVERITIES))[own]
    age = _age(cases)
    yes_no, told = _lookup(key, model.yes_no), _strings(findings, "elicited") == "volunteered"
    rows = np.flatnonzero(yes_no >= 0)
    pictures = _pictures(model, key, status, _strings(findings, "text"))
    shown = np.flatnonzero(pictures[1] >= 0)
    quantity = _lookup(key, [q.key for q in model.quantities])
    measured = np.flatnonzero((quantity >= 0) & ~np.isnan(_numbers(findings, "value")))
    return Recorded(
        n=n,
        context=_context(cases, site, age),
        follow_up=_strings(cases, "visit") == "follow_up",
        age_days=age,
        complaint=complaint,
        onset=onset,
        how_bad=how_bad,
        yes_no_case=case[rows],
        yes_no=yes_no[rows],
        yes_no_status=np.where(_tests(model)[yes_no[rows]] & (status[rows] == 2), 3, status[rows]),
        yes_no_told=told[rows],
        picture_case=case[shown],
        picture_of=pictures[0][shown],
        picture=pictures[1][shown],
        value_case=case[measured],
        value_of=quantity[measured],
        value=_canonical(model, findings, quantity, measured),
        bound=_index(findings, "comparator", ["<", "", ">"])[measured] - 1,
        site=site,
        time=_times(findings)[measured],
    )


def _case_of(cases: pa.Table, findings: pa.Table) -> Ints:
    """Position of each finding's case."""
    ids = cases["case_id"].cast(pa.string()).combine_chunks()
    found: Ints = pc.index_in(findings["case_id"].cast(pa.string()), ids).to_numpy().astype(np.int64)
    return found


def _tests(model: Model) -> Bools:
    """Which yes-or-no findings are tests: one without a result says nothing."""
    rows = {f["key"]: f for f in model.findings}
    return np.array([rows[k]["panel"] != "" for k in model.yes_no])


def _age(cases: pa.Table) -> Floats:
    days, years = _numbers(cases, "age_days"), _numbers(cases, "age_years")
    return np.where(np.isnan(days), years * _YEAR, days)


def _context(cases: pa.Table, site: Ints, age: Floats) -> Context:
    local = cases["time"].to_numpy().astype("datetime64[us]") + _ZONE
    month = local.astype("datetime64[M]").astype(np.int64) % 12
    preterm = (np.nan_to_num(_numbers(cases, "gestational_age_weeks"), nan=40.0) < 37) & (age < _YEAR)
    pregnant = _index(cases, "pregnant", list(PREGNANT))
    return Context(
        site=site,
        month=month,
        band=age_band(age),
        sex=_index(cases, "sex", ["female", "male"]),
        pregnant=np.where(pregnant < 0, PREGNANT.index("no"), pregnant),
        preterm=preterm.astype(np.int64),
    )


def _canonical(model: Model, findings: pa.Table, quantity: Ints, rows: Ints) -> Floats:
    """Values in each finding's own unit."""
    value, unit = _numbers(findings, "value")[rows], _strings(findings, "unit")[rows]
    found = value.copy()
    for i, q in enumerate(model.quantities):
        other = (quantity[rows] == i) & (unit == q.alt_unit) if q.alt_unit else np.zeros(len(rows), dtype=bool)
        found[other] = (value[other] - q.alt_offset) / q.alt_factor
    return found


def _pictures(model: Model, key: Texts, status: Ints, text: Texts) -> tuple[Ints, Ints]:
    """Which finding shows a picture, and which picture; -1 where there is none."""
    which = _lookup(key, model.choices)
    picture = np.full(len(key), -1)
    for i, names in enumerate(model.picture_names):
        rows = which == i
        picture[rows] = np.where(status[rows] == 1, 0, _lookup(text[rows], names))
        picture[rows & (status == 2)] = -1
    return which, picture


def _onset_bin(days: Floats) -> Ints:
    near = np.abs(days[:, None] - ONSETS).argmin(axis=1)
    return np.where(np.isnan(days), -1, near)


def _times(findings: pa.Table) -> Ints:
    return findings["time"].to_numpy().astype("datetime64[us]").astype(np.int64)


def _index(table: pa.Table, column: str, names: Sequence[str]) -> Ints:
    """Position of each entry among `names`, -1 where it is not among them; a missing entry counts as ""."""
    return _lookup(_strings(table, column), names)


def _lookup(values: Texts, names: Sequence[str]) -> Ints:
    at = {name: i for i, name in enumerate(names)}
    unique, inverse = np.unique(values, return_inverse=True)
    found: Ints = np.array([at.get(str(v), -1) for v in unique], dtype=np.int64)[inverse.reshape(-1)]
    return found


def _strings(table: pa.Table, column: str) -> Texts:
    """One column as text, "" where it is missing."""
    if column not in table.column_names:
        return np.full(table.num_rows, "")
    values = table[column].cast(pa.string()).combine_chunks().dictionary_encode()
    names = np.array([*values.dictionary.to_pylist(), ""], dtype=np.str_)
    return names[values.indices.fill_null(len(names) - 1).to_numpy(zero_copy_only=False)]


def _numbers(table: pa.Table, column: str) -> Floats:
    if column not in table.column_names:
        return np.full(table.num_rows, np.nan)
    found: Floats = table[column].to_numpy().astype(np.float64)
    return found
