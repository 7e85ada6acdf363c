"""Whatever is done to a bundle, it is read or refused with a reason, and every resource has one fate."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.readers.fhir.resources import (
    SNOMED,
    bundle,
    concept,
    condition,
    encounter,
    observation,
    patient,
    temperature,
)

from diagnosis.errors import DiagnosisError, RecordsError
from diagnosis.readers import read_fhir
from diagnosis.readers.fhir.account import KINDS
from diagnosis.records import Report

PATIENT = {"reference": "Patient/p1"}
SEED = bundle(
    patient(meta={"lastUpdated": "2024-03-01T00:00:00Z", "profile": ["http://hl7.org/fhir/us/core/Patient"]}),
    encounter(
        diagnosis=[{"condition": {"reference": "Condition/c1"}, "use": concept(None, "DD"), "rank": 1}],
        hospitalization={"dischargeDisposition": {"text": "home"}},
        serviceProvider={"reference": "Organization/w"},
    ),
    encounter("e2", day="2024-03-05"),
    condition(onsetDateTime="2024-03-01", recordedDate="2024-03-01T09:00:00Z", severity=concept(SNOMED, "6736007")),
    condition("c2", concept(SNOMED, "49727002", "Cough (finding)"), status="refuted"),
    temperature(issued="2024-03-01T09:00:00Z", referenceRange=[{"high": {"value": 37.5, "code": "Cel"}}]),
    observation("o2", component=[{"code": {"text": "x"}, "valueBoolean": False}, {"code": {"text": "y"}}]),
    observation("o3", dataAbsentReason=concept(None, "asked-unknown"), interpretation=[concept(None, "POS")]),
    observation("o4", of="e2", valueCodeableConcept=concept(SNOMED, "373067005"), effectiveDateTime="2024-03-05"),
    observation("o5", valueRatio={"numerator": {"value": 1}, "denominator": {"value": 160}}, contained=[patient("x")]),
    observation("o6", valueRange={"low": {"value": 3, "code": "/[HPF]"}, "high": {"value": 5, "code": "/[HPF]"}}),
    {"resourceType": "AllergyIntolerance", "id": "a", "patient": PATIENT, "code": {"text": "nuts"}},
    {"resourceType": "FamilyMemberHistory", "id": "f", "patient": PATIENT, "status": "completed", "date": "2024-03-01",
     "condition": [{"code": {"text": "asthma"}}]},
    {"resourceType": "MedicationRequest", "id": "m", "status": "active", "subject": PATIENT,
     "authoredOn": "2024-03-01T09:00:00Z", "medicationCodeableConcept": {"text": "x"},
     "dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": 1}}]}]},
    {"resourceType": "Organization", "id": "w", "name": "ward"},
)  # fmt: skip

LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.sampled_from(
        [
            "",
            " ",
            "2024",
            "9999-12-31",
            "0001-01-01T00:00:00+14:00",
            "\ud800",
            "Patient",
            "Bundle",
            "p1",
            "e1",
            10**400,
            1e308,
        ]
    ),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to everything inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield (*at, name)
        yield from places(one, (*at, name))


PLACES = sorted(places(SEED), key=str)


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """The seed with parts dropped, retyped, doubled or nested."""
    made = json.loads(json.dumps(SEED))
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(PLACES))
        holder: Any = made
        try:
            for name in path[:-1]:
                holder = holder[name]
            old = holder[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue
        how = draw(st.sampled_from(["drop", "retype", "double", "nest", "rename"]))
        if how == "drop":
            del holder[path[-1]]
        elif how == "double" and isinstance(holder, list):
            holder.append(json.loads(json.dumps(old)))
        elif how == "nest":
            holder[path[-1]] = draw(st.sampled_from([[old], {"coding": old}, {"value": old}, [[[old]]]]))
        elif how == "rename" and isinstance(holder, dict):
            holder[draw(st.sampled_from(["context", "valueRatio", "status", "encounter", "subject", "x"]))] = (
                holder.pop(path[-1])
            )
        else:
            holder[path[-1]] = draw(VALUES)
    return made


def fates_add_up(report: Report) -> int:
    """Read = used + left out + set aside for each type of resource; returns how many there were, with what is none."""
    total = sum(p.count for p in report.errors if p.kind == "unreadable")
    for one in report.notes:
        if one.table in KINDS:
            read, rest = one.says.split(" read: ")
            parts = [int(part.split()[0].replace(",", "")) for part in rest.split(", ") if part[0].isdigit()]
            assert sum(parts) == int(read.replace(",", "")) == one.count, one.says
        total += one.count if one.table in KINDS or one.kind == "not_read" else 0
    return total


def entries(value: Any) -> int:
    """What a bundle holds, with what the bundles in it hold."""
    found = 0
    for entry in value["entry"]:
        whole = isinstance(entry, dict) and "resourceType" not in entry
        resource = entry.get("resource") if whole else entry
        is_bundle = isinstance(resource, dict) and resource.get("resourceType") == "Bundle"
        inner = resource.get("entry") if is_bundle else None
        found += entries(resource) if isinstance(inner, list) else 0 if is_bundle and inner is None else 1
    return found


@settings(max_examples=80)
@given(damaged(), st.booleans(), st.sampled_from(["encounter", "patient"]))
def test_no_crash_and_no_silent_loss(value: dict[str, Any], one_a_line: bool, case: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "x.ndjson" if one_a_line else "x.json")
        file.write_text(json.dumps(value).replace("Infinity", "1e999"))
        try:
            records = read_fhir(file, case=case, on_error="quarantine", quarantine=Path(folder, "aside.jsonl"))
        except DiagnosisError as error:
            refused: type[Exception] = type(error)
            assert refused is not RecordsError
            return
        report = records.report
        for count in report.counts.values():
            assert count.read == count.loaded + count.set_aside
        if value.get("resourceType") == "Bundle" and isinstance(value.get("entry"), list):
            assert fates_add_up(report) == entries(value)
        assert len(records.coded) == report.counts["findings"].loaded


@settings(max_examples=60)
@given(st.data())
def test_bytes_at_random(data: st.DataObject) -> None:
    """Lines of which some are cut, doubled, or filled with anything."""
    lines = [json.dumps(entry["resource"]).encode() for entry in SEED["entry"]]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        cut = data.draw(st.integers(0, len(lines[at])))
        lines[at] = lines[at][:cut] + data.draw(st.binary(max_size=6)) + lines[at][cut + data.draw(st.integers(0, 5)) :]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, data.draw(st.sampled_from(["x.ndjson", "x.json"])))
        file.write_bytes(b"\n".join(lines))
        records = read_fhir(file, on_error="quarantine", quarantine=Path(folder, "aside.jsonl"))
        fates_add_up(records.report)


def test_the_seed_itself_is_whole() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "x.json")
        file.write_text(json.dumps(SEED))
        records = read_fhir(file)
        assert fates_add_up(records.report) == len(SEED["entry"])
        assert len(records) == 2
        assert not records.report.errors
