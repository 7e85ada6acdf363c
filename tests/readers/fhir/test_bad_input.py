"""Files that break off, lie, or were made to do harm: refused or set aside with place and reason, the rest loaded."""

from __future__ import annotations

import gc
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.readers.fhir.resources import (
    bundle,
    concept,
    condition,
    encounter,
    note,
    observation,
    patient,
    read,
    rows,
    temperature,
    without,
    write,
)

from diagnosis.errors import InputError, RecordsError
from diagnosis.readers import read_fhir
from diagnosis.records import Records

GOOD = (patient(), encounter(), temperature())
OTHER = (patient("p2"), encounter("e2", "p2"))


def quarantined(path: Path, **options: Any) -> tuple[Records, list[dict[str, Any]]]:
    aside = path.parent / "aside.jsonl"
    records = read_fhir(path, on_error="quarantine", quarantine=aside, **options)
    return records, [json.loads(line) for line in aside.read_text("utf-8").splitlines()]


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(RecordsError) as caught:
        read_fhir(path, **options)
    return str(caught.value)


def test_a_line_that_breaks_off_is_set_aside_with_its_number(tmp_path: Path) -> None:
    file = write(tmp_path / "x.ndjson", *GOOD, *OTHER)
    whole = file.read_text().splitlines()
    file.write_text("\n".join([*whole[:3], "", whole[3][:40], whole[4], whole[3]]))
    assert "breaks off or is damaged: 1 (file 1, line 5)" in refusal(file)
    records, entries = quarantined(file)
    assert records.case_ids.tolist() == ["e1", "e2"]
    assert entries == [
        {"table": "files", "file": "x.ndjson", "line": 5, "reasons": entries[0]["reasons"], "text": whole[3][:40]}
    ]


def test_a_bundle_that_breaks_off_is_set_aside_whole(tmp_path: Path) -> None:
    folder = tmp_path / "bundles"
    write(folder / "a.json", bundle(*GOOD))
    text = json.dumps(bundle(*OTHER, *(temperature(str(i), of="e2") for i in range(3))), indent=1)
    (folder / "b.json").write_text(text[: len(text) - 100])
    assert "stands in a bundle that breaks off" in refusal(folder)
    records, entries = quarantined(folder)
    assert records.case_ids.tolist() == ["e1"]
    assert {(e["file"], e["table"], e.get("entry")) for e in entries} >= {
        ("b.json", "Patient", 1),
        ("b.json", "Encounter", 2),
    }
    assert note(records, "Patient") == "2 read: 1 used, 1 set aside"


def test_a_bundle_of_any_size_is_read_entry_by_entry(tmp_path: Path) -> None:
    many = [temperature(str(i), 36.0 + i / 1000, note=[{"text": "x" * 500}]) for i in range(3000)]
    file = tmp_path / "big.json"
    file.write_text(json.dumps(bundle(*GOOD[:2], *many), indent=1))
    assert file.stat().st_size > 2 << 20
    records = read_fhir(file, max_line_bytes=4000)
    assert len(rows(records)) == 3000
    assert "longer than 300 bytes" in refusal(file, max_line_bytes=300)


def test_an_array_and_values_one_after_another_are_read_too(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps(list(GOOD)) + "\n" + json.dumps(OTHER[0]) + json.dumps(OTHER[1]))
    assert read_fhir(file).case_ids.tolist() == ["e1", "e2"]


def test_a_bundle_without_a_patient(tmp_path: Path) -> None:
    file = write(tmp_path / "x.ndjson", bundle(*GOOD), bundle(OTHER[1], temperature("o2", of="e2", subject=None)))
    assert "names no Patient that is among these files; export Patient as well: 1 (file 1, line 2, entry 1)" in refusal(
        file
    )
    records, entries = quarantined(file)
    assert records.case_ids.tolist() == ["e1"]
    assert [(e["table"], e["line"], e["entry"]) for e in entries] == [("Encounter", 2, 1), ("Observation", 2, 2)]


@pytest.mark.parametrize(
    ("resource", "version"),
    [
        (without(temperature("old"), "encounter") | {"context": {"reference": "Encounter/e1"}}, "STU3"),
        (condition("old") | {"verificationStatus": "confirmed"}, "STU3"),
        (encounter("old", reason=[]) | {"incomingReferral": []}, "STU3"),
        (
            encounter("old", diagnosis=[{"condition": {"reference": "Condition/1"}, "role": concept(None, "DD")}]),
            "STU3",
        ),
        (patient("old", meta={"profile": ["http://hl7.org/fhir/3.0/StructureDefinition/Patient"]}), "STU3"),
        (encounter("new") | {"class": [concept(None, "AMB")]}, "R5"),
        (without(encounter("new"), "period") | {"actualPeriod": {"start": "2024-03-01"}}, "R5"),
        (temperature("new", triggeredBy=[]), "R5"),
        (patient("new", meta={"profile": ["http://hl7.org/fhir/5.0/StructureDefinition/Patient"]}), "R5"),
        ({"resourceType": "CapabilityStatement", "fhirVersion": "5.0.0"}, "R5"),
    ],
)
def test_another_version_is_named_and_set_aside(tmp_path: Path, resource: dict[str, Any], version: str) -> None:
    file = write(tmp_path / "x.ndjson", *GOOD, resource)
    assert f"is of FHIR {version}" in refusal(file)
    assert "R4 (4.0, 4.3) is read" in refusal(file)
    records, (entry,) = quarantined(file)
    assert len(rows(records)) == 1
    assert entry["values"] == resource


@pytest.mark.parametrize(
    "resource",
    [
        without(temperature("x"), "status"),
        temperature("x", status="finished"),
        without(temperature("x"), "code"),
        temperature("x", valueQuantity={"value": "38.9"}),
        temperature("x", valueQuantity={"value": 1e999}),
        temperature("x", valueQuantity={"value": 1, "comparator": "~"}),
        temperature("x", effectiveDateTime=20240301),
        observation("x", valueBoolean="true"),
        observation("x", code={"coding": []}, valueBoolean=True),
        patient("x", birthDate="31/12/1999"),
        patient("x", gender="f"),
        encounter("x", diagnosis=[{"condition": {"reference": "Condition/1"}, "rank": 0}]),
        condition("x", status="sure"),
        {"resourceType": "Organization", "id": "x", "name": 5},
        {"resourceType": "Procedure", "id": "x", "status": 5},
        {"resourceType": "Bundle", "entry": "x"},
        {"resourceType": "Patient", "id": 5},
        {"id": "x", "status": "final"},
        ["x"],
        "x",
    ],
)
def test_what_is_not_built_as_r4_says_is_set_aside(tmp_path: Path, resource: Any) -> None:
    file = tmp_path / "x.ndjson"
    file.write_text("\n".join(json.dumps(one) for one in (*GOOD, resource)).replace("Infinity", "1e999"))
    refusal(file)
    records, (entry,) = quarantined(file)
    assert len(rows(records)) == 1
    assert entry["line"] == 4


def test_a_line_too_long_is_refused_unless_allowed(tmp_path: Path) -> None:
    long = temperature("long", 40.0, note=[{"text": "x" * 5000}])
    file = write(tmp_path / "x.ndjson", *GOOD, long, *OTHER)
    assert "a line is longer than 3,000 bytes; max_line_bytes allows more: 1 (file 1, line 4)" in refusal(
        file, max_line_bytes=3000
    )
    records, _ = quarantined(file, max_line_bytes=3000)
    assert (len(records), len(rows(records))) == (2, 1)
    assert len(rows(read_fhir(file))) == 2


def test_gzip_is_known_by_its_content_whatever_the_name(tmp_path: Path) -> None:
    content = write(tmp_path / "x.ndjson", *GOOD).read_bytes()
    (tmp_path / "y.ndjson").write_bytes(gzip.compress(content[:200]) + gzip.compress(content[200:]) + b"\0" * 512)
    assert read_fhir(tmp_path / "y.ndjson").digest() == read_fhir(tmp_path / "x.ndjson").digest()


def test_gzip_that_breaks_off_keeps_the_lines_before(tmp_path: Path) -> None:
    content = b"".join(
        json.dumps(r).encode() + b"\n" for r in (*GOOD, *(temperature(os.urandom(99).hex()) for _ in range(9999)))
    )
    packed = gzip.compress(content)
    (tmp_path / "x.ndjson.gz").write_bytes(packed[: len(packed) * 2 // 3])
    assert "is no whole gzip file: it breaks off" in refusal(tmp_path / "x.ndjson.gz")
    records, _ = quarantined(tmp_path / "x.ndjson.gz")
    assert 5000 < len(rows(records)) < 8000
    (tmp_path / "x.ndjson.gz").write_bytes(packed[:500] + b"\xff" * 100 + packed[600:])
    assert "its content is damaged" in refusal(tmp_path / "x.ndjson.gz")


def test_a_phenopacket_is_named(tmp_path: Path) -> None:
    file = write(tmp_path / "x.ndjson", *GOOD, {"id": "a", "phenotypicFeatures": []})
    assert "is a phenopacket and no FHIR resource; read it with the format phenopackets: 1 (file 1, line 4)" in refusal(
        file
    )


def test_a_zip_bomb_is_read_no_further_than_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diagnosis.readers.json_files._HARMLESS", 1 << 20)
    write(tmp_path / "all" / "a.ndjson", *GOOD)
    (tmp_path / "all" / "b.ndjson.gz").write_bytes(gzip.compress(b'{"x":"' + b"0" * (40 << 20)))
    assert "unfolds to more than 250 times its size; max_expansion allows more" in refusal(tmp_path / "all")
    records, _ = quarantined(tmp_path / "all")
    assert len(records) == 1


def test_hostile_names_are_read_and_never_repeated(tmp_path: Path) -> None:
    folder = tmp_path / "bundles"
    for i, name in enumerate(("Jane_Doe\n\x1b[31m.json", "a..\\..\\etc.json", "'; DROP.json", "ｆｕｌｌ.json")):
        write(folder / name, bundle(patient(f"p{i}"), encounter(f"e{i}", f"p{i}")))
    (folder / ".hidden.json").write_text("no JSON")
    (folder / "readme.txt").write_text("not read")
    (folder / "loop").symlink_to(folder)
    (folder / "endless.json").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.json")
    (folder / "broken.json").write_text("{")
    said = refusal(folder)
    assert "Jane" not in said
    assert "(file 4)" in said
    records, entries = quarantined(folder)
    assert len(records) == 4
    assert entries[0]["file"] == "broken.json"
    assert "files that end in neither" in note(records, "files") or any(
        "neither" in p.says for p in records.report.notes
    )


def test_no_message_holds_what_a_patient_has(tmp_path: Path) -> None:
    secret = {"resourceType": "SECRET", "id": "SECRET"}
    bad = temperature("SECRET", valueQuantity={"value": "SECRET"}, effectiveDateTime="SECRET")
    file = tmp_path / "x.ndjson"
    write(file, *GOOD, secret, bad, encounter("SECRET", "SECRET"), condition("SECRET", {"text": 5}))
    with file.open("a") as more:
        more.write('{"resourceType": "Patient", "id": "SECRET"\n')
    assert "SECRET" not in refusal(file)
    records, entries = quarantined(file)
    assert "SECRET" not in str(records.report) + json.dumps(records.report.to_json())
    assert "SECRET" in json.dumps(entries)


def test_encodings(tmp_path: Path) -> None:
    told = json.dumps(observation("o2", code={"text": "发热"}, valueBoolean=True), ensure_ascii=False)
    lines = "\n".join([*(json.dumps(r) for r in GOOD), told])
    file = tmp_path / "x.ndjson"
    file.write_bytes(b"\xef\xbb\xbf" + lines.encode("utf-8"))
    assert {r["code"] for r in rows(read_fhir(file))} == {"LOINC:8310-5", "发热"}
    file.write_bytes(lines.encode("gb18030"))
    assert "holds bytes that are not utf-8: 1 (file 1, line 4)" in refusal(file)
    assert {r["code"] for r in rows(read_fhir(file, encoding="gb18030"))} == {"LOINC:8310-5", "发热"}
    for strange in ("utf-16", "klingon", "base64"):
        with pytest.raises(InputError, match="is none"):
            read_fhir(file, encoding=strange)


def test_half_a_character_is_no_crash(tmp_path: Path) -> None:
    file = write(tmp_path / "x.ndjson", *GOOD, observation("o2", code={"text": "\ud800"}, valueString="a\ud83d"))
    assert {r.get("text") for r in rows(read_fhir(file))} == {None, "a?"}


def test_options_and_paths_that_cannot_be(tmp_path: Path) -> None:
    file = write(tmp_path / "x.ndjson", *GOOD)
    wrong: dict[str, Any]
    for wrong in (
        {"case": "visit"},
        {"several": "last"},
        {"timezone": "Mars/Olympus"},
        {"max_line_bytes": 0},
        {"on_error": "skip"},
    ):
        with pytest.raises(InputError):
            read_fhir(file, **wrong)
    (tmp_path / "x.txt").write_text("")
    (tmp_path / "empty").mkdir()
    for path in ("nothing", "x.txt", "empty"):
        with pytest.raises(InputError):
            read_fhir(tmp_path / path)


def test_a_bulk_export_folder_with_its_manifest(tmp_path: Path) -> None:
    write(tmp_path / "e" / "manifest.json", {"transactionTime": "2024-03-01T00:00:00Z", "output": []})
    for one in (*GOOD, condition(), {"resourceType": "Claim", "id": "c"}):
        write(tmp_path / "e" / f"{one['resourceType']}.ndjson", one)
    records = read_fhir(tmp_path / "e")
    assert records.y.tolist() == ["SNOMED:14189004"]
    assert note(records, "others") == "2 of types that are not read: Claim 1, bulk export manifest 1"


def test_nothing_in_it_is_no_case(tmp_path: Path) -> None:
    assert len(read(tmp_path, patient())) == 0
    assert len(read(tmp_path, {"resourceType": "Bundle", "type": "collection"})) == 0


def test_the_cycle_collector_is_left_as_it_was(tmp_path: Path) -> None:
    file = write(tmp_path / "x.ndjson", *GOOD)
    assert gc.isenabled()
    read_fhir(file)
    with pytest.raises(RecordsError):
        read_fhir(write(tmp_path / "y.ndjson", *OTHER, {"id": "x"}))
    assert gc.isenabled()
    gc.disable()
    try:
        read_fhir(file)
        assert not gc.isenabled()
    finally:
        gc.enable()
