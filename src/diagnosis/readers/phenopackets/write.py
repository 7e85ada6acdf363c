"""`write_phenopackets`: Records, with the differentials of their cases where there are, as phenopackets."""

from __future__ import annotations

import gzip
import io
import json
import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from diagnosis.errors import DiagnosisWarning, InputError, WorkError
from diagnosis.readers.phenopackets.out import packet_of
from diagnosis.readers.phenopackets.times import BadPartError, moment
from diagnosis.readers.whole_folder import whole_folder
from diagnosis.readers.writing import refuse_repeats
from diagnosis.records import Records

__all__ = ["write_phenopackets"]

_LINES = (".ndjson", ".jsonl", ".ndjson.gz", ".jsonl.gz")
_ANY = ("case_id", "code", "status", "subject", "x_description")
_FEATURE = {*_ANY, "onset_age_years", "x_onset", "x_resolution", "severity", "laterality", "modifiers"}
_MEASUREMENT = {*_ANY, "value", "unit", "text", "time", "x_observed", "ref_low", "ref_high", "interpretation"}
_CASE = {
    *("case_id", "patient_id", "age_years", "age_days", "sex", "time", "end_time", "group", "diagnosis", "outcome"),
    *("outcome_time", "x_age", "x_death", "x_disease_onset", "x_disease_onset_age_years"),
}
_LABEL = {"case_id", "diagnosis", "status", "role", "rank", "probability"}


class _Differential(Protocol):
    @property
    def case_id(self) -> str: ...

    def to_json(self) -> dict[str, Any]: ...


def write_phenopackets(
    records: Records,
    path: str | Path,
    differentials: Iterable[_Differential] | None = None,
    *,
    created: str | None = None,
    created_by: str = "diagnosis",
) -> Path:
    """Write cases as GA4GH phenopackets, version 2.

    *Present* and *absent* findings become phenotypic features and measurements. What a packet has no place for is left
    out, and a `DiagnosisWarning` says how much: *uncertain* findings, findings about others than the patient, columns
    such as `comparator` and `known`. The principal diagnosis is a solved interpretation and a disease; a ruled-out one
    an excluded disease; others that are not settled are interpretations with a JSON summary of rank and probability.

    Parameters
    ----------
    records : Records
    path : path
        A file that ends in ``.ndjson`` or ``.jsonl`` (also with ``.gz``): one packet a line. One that ends in
        ``.json``: the one case there is. Else a folder, one file a case. Readable by the owner only.
    differentials : iterable of Differential, optional
        Of some or all of the cases; each suggestion becomes an interpretation in progress.
    created : str, optional
        ISO 8601 time that the packets say they were made at; now when not given.
    created_by : str
        Who made them.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        Several cases for one file, a case twice, a differential of another case, a folder that is not empty.
    WorkError
        The files cannot be written.
    """
    target = Path(path)
    suggested = _by_case(records, differentials)
    _check(records, target)
    try:
        made_at = moment(created) if created is not None else datetime.now(UTC)
    except BadPartError:
        raise InputError(
            "created as an ISO 8601 time", "found none", 'use for instance "2024-05-01T12:00:00Z"'
        ) from None
    meta = _meta(records, made_at, created_by)
    left: Counter[str] = Counter()
    packets = _packets(records, suggested, meta, left)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.name.lower().endswith(_LINES):
            _write_file(target, (_line(one) for one in packets))
        elif target.suffix.lower() == ".json":
            _write_file(target, (json.dumps(one, ensure_ascii=False, indent=1) + "\n" for one in packets))
        else:
            with whole_folder(target) as made:
                for i, one in enumerate(packets, 1):  # ids may be hostile file names, so they name none
                    _write_file(made / f"packet-{i:06d}.json", [json.dumps(one, ensure_ascii=False, indent=1) + "\n"])
    except OSError as error:
        raise WorkError(f"The phenopackets cannot be written to {target} ({type(error).__name__}).") from None
    listed = ", ".join(f"{n:,} {what}" for what, n in sorted(left.items()) if n)
    if listed:
        warnings.warn(f"Phenopackets have no place for these, which are left out: {listed}.", DiagnosisWarning, 2)
    return target


def _by_case(records: Records, differentials: Iterable[_Differential] | None) -> dict[str, dict[str, Any]]:
    suggested = {one.case_id: one.to_json() for one in differentials or ()}
    if not suggested.keys() <= set(records.case_ids):
        raise InputError(
            "differentials of these cases",
            "some are of other cases",
            "give those that `suggest` made for these records",
        )
    return suggested


def _check(records: Records, target: Path) -> None:
    refuse_repeats(records)
    if target.suffix.lower() == ".json" and len(records) != 1:
        raise InputError(
            "one case for a .json file", f"found {len(records):,}", "write .ndjson, or name a folder, for several"
        )
    if target.is_dir() and any(target.iterdir()):
        raise InputError(f"an empty folder or none at {target}", "there is something in it", "name another")


def _meta(records: Records, created: datetime, created_by: str) -> dict[str, Any]:
    systems = records.info.get("systems") or {}
    resources = [
        {"id": name.lower(), "name": name, "url": "", "version": str(version), "namespacePrefix": name, "iriPrefix": ""}
        for name, version in sorted(systems.items())
    ]
    made = {"created": created.isoformat().replace("+00:00", "Z"), "createdBy": created_by, "resources": resources}
    return made | {"phenopacketSchemaVersion": "2.0"}


def _packets(
    records: Records, suggested: Mapping[str, dict[str, Any]], meta: Mapping[str, Any], left: Counter[str]
) -> Iterator[dict[str, Any]]:
    words = records.vocabulary
    names = (words.name, words.diagnosis_name)
    findings = _by_case_id(records.arrow("findings"))
    labels = _by_case_id(records.arrow("labels")) if "labels" in records.names else {}
    principal = records.y
    _count_tables(records, left)
    for i, case in enumerate(records.arrow("cases").to_pylist()):
        identity = case["case_id"]
        case = {name: value for name, value in case.items() if value is not None}
        _count_left(case, _CASE, "cases", left)
        left["times of cases with an age"] += "time" in case and bool(case.keys() & {"age_years", "age_days"})
        if principal[i] is not None:
            case["diagnosis"] = principal[i]
        rows = [row for row in findings.get(identity, ()) if _has_place(row, left)]
        judged = [
            row
            for row in labels.get(identity, ())
            if "status" in row and (row["status"], row["diagnosis"]) != ("confirmed", principal[i])
        ]
        for row in judged:
            _count_left(row, _LABEL, "labels", left)
        yield packet_of(case, rows, judged, suggested.get(identity), meta, names)


def _by_case_id(table: pa.Table) -> dict[str, list[dict[str, Any]]]:
    """Rows by case, without their empty values."""
    made: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        made.setdefault(row["case_id"], []).append({name: v for name, v in row.items() if v is not None})
    return made


def _has_place(row: dict[str, Any], left: Counter[str]) -> bool:
    """Whether a packet can hold a finding; what it cannot hold of one is counted and taken out."""
    if row["status"] == "uncertain":
        left["uncertain findings"] += 1
        return False
    if row.get("subject", "patient") != "patient":
        left["findings about others than the patient"] += 1
        return False
    if row["status"] == "absent" and "text" in row:
        left["texts of absent findings"] += 1
        del row["text"]
    if "interpretation" in row:
        yes_no = {"present": "POS", "absent": "NEG"}[row["status"]]
        if row["interpretation"] != yes_no or "value" in row or "text" in row:
            left["interpretations other than a lone yes or no"] += 1
            del row["interpretation"]
    measured = any(name in row for name in ("value", "text", "interpretation"))
    derived = {"duration_days"} if "x_resolution" in row else set()
    _count_left(row, _MEASUREMENT if measured else _FEATURE | derived, "findings", left)
    return True


def _count_left(row: Mapping[str, Any], held: set[str], table: str, left: Counter[str]) -> None:
    for name in row.keys() - held:
        left[f"values of {table}.{name[:40]}"] += 1


def _count_tables(records: Records, left: Counter[str]) -> None:
    for name in records.names:
        if name not in ("cases", "findings", "labels", "vocabulary", "diagnoses") and len(records.arrow(name)):
            left[f"rows of {name}"] += len(records.arrow(name))


def _line(packet: Mapping[str, Any]) -> str:
    return json.dumps(packet, ensure_ascii=False, separators=(",", ":")) + "\n"


def _write_file(target: Path, texts: Iterable[str]) -> None:
    """Write a file whole or not at all; the temporary one can be read by its owner only."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".packets.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as raw:
            stream = gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") if target.suffix == ".gz" else None
            with io.TextIOWrapper(stream or raw, encoding="utf-8", newline="\n") as out:
                out.writelines(texts)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
