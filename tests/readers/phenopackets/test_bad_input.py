"""What is wrong with a packet is said with its place; the rest is read."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.readers.phenopackets.packets import CHILD, Json, age, packet, packets, term, write_lines

from diagnosis.errors import DiagnosisError, InputError, RecordsError
from diagnosis.readers.phenopackets import read_phenopackets

V1 = {"id": "old", "phenotypicFeatures": [{"type": term("HP:1"), "negated": True}], "metaData": {}}

BAD_PACKETS: list[tuple[Any, str]] = [
    ({"metaData": {}}, "it has no id"),
    (packet(""), "it has no id"),
    (packet("x") | {"id": 7}, "its id is no text"),
    ([], "it is no object"),
    ("text", "it is no object"),
    (packet("x", phenotypicFeatures={}), "phenotypicFeatures is no list"),
    (packet("x", subject=[]), "subject is no object"),
    (packet("x", subject={"sex": "male"}), "the sex of the subject is none of the schema"),
    (packet("x", subject={"timeAtLastEncounter": age("3 years")}), "no ISO 8601 duration"),
    (packet("x", subject={"timeAtLastEncounter": age("P")}), "no ISO 8601 duration"),
    (packet("x", subject={"timeAtLastEncounter": {"age": {}}}), "no iso8601duration"),
    (packet("x", subject={"timeAtLastEncounter": {"timestamp": "yesterday"}}), "no ISO 8601 time"),
    (packet("x", subject={"taxonomy": term("NCBITaxon:10090", "Mus musculus")}), "its subject is not human"),
    (packet("x", diseases=[{"term": {}}]), "a disease has no id"),
    (packet("x", diseases=[{"term": term("A"), "excluded": "no"}]), "neither true nor false"),
    (packet("x", diseases=[{"term": term("A")}, {"term": term("A"), "excluded": True}]), "both excluded and present"),
    (packet("x", interpretations=[{"progressStatus": "DONE"}]), "progressStatus"),
    (V1, "version 1 of the schema; version 2 is read"),
    (packet("x") | {"metaData": {"phenopacketSchemaVersion": "1.0.0-RC3"}}, "version 1"),
    (packet("x", genes=[]), "version 1"),
    ({"resourceType": "Patient", "id": "x"}, "FHIR resource"),
]
BAD_FEATURES: list[tuple[Any, str]] = [
    ({}, "its type has no id"),
    ("HP:1", "it is no object"),
    ({"type": {"id": ""}}, "the id of its type is no text"),
    ({"type": {"id": ["HP:1"], "label": "x"}}, "the id of its type is no text"),
    ({"type": {"id": "HP:1", "label": 3}}, "the label of its type is no text"),
    ({"type": {"id": "HP:\ud800"}}, "no whole text"),
    ({"type": term("HP:1"), "excluded": "true"}, "neither true nor false"),
    ({"type": term("HP:1"), "excluded": 1}, "neither true nor false"),
    ({"type": term("HP:1"), "onset": age("P3X")}, "no ISO 8601 duration"),
    ({"type": term("HP:1"), "onset": {}}, "a time is not one of age"),
    ({"type": term("HP:1"), "onset": {"gestationalAge": {"weeks": 99}}}, "a gestational age"),
    ({"type": term("HP:1"), "modifiers": "HP:2"}, "its modifiers are no list"),
    ({"type": term("HP:1"), "modifiers": [term("a|b")]}, "holds a |"),
    ({"type": term("HP:1"), "severity": "Severe"}, "its severity has no id"),
]
BAD_MEASUREMENTS: list[tuple[Any, str]] = [
    ({"assay": term("L:1")}, "it has no value"),
    ({"assay": term("L:1"), "value": {"quantity": {"value": "5"}}}, "no finite number"),
    ({"assay": term("L:1"), "value": {"quantity": {"value": 10**400}}}, "no finite number"),
    ({"value": {"quantity": {"value": 5}}}, "its assay has no id"),
    ({"assay": term("L:1"), "complexValue": {}}, "no list of typed quantities"),
]


@pytest.mark.parametrize(("bad", "says"), BAD_PACKETS)
def test_a_bad_packet_is_set_aside_alone(tmp_path: Path, bad: Any, says: str) -> None:
    file = write_lines(tmp_path / "in.ndjson", [packet("a"), bad, CHILD])
    with pytest.raises(RecordsError, match="row 2") as caught:
        read_phenopackets(file)
    assert says in str(caught.value)
    records = read_phenopackets(file, on_error="quarantine", quarantine=tmp_path / "aside.jsonl")
    assert records.case_ids.tolist() == ["a", "case-1"]
    count = records.report.counts["cases"]
    assert (count.read, count.loaded) == (3, 2)
    (line,) = (json.loads(one) for one in (tmp_path / "aside.jsonl").read_text().splitlines())
    assert (line["table"], line["row"]) == ("cases", 2)
    assert says in line["reasons"][0]
    assert line["line"] == bad or json.loads(line["line"]) == bad


@pytest.mark.parametrize(
    ("field", "bad", "says"),
    [("phenotypicFeatures", *pair) for pair in BAD_FEATURES] + [("measurements", *pair) for pair in BAD_MEASUREMENTS],
)
def test_a_bad_finding_is_set_aside_alone(tmp_path: Path, field: str, bad: Any, says: str) -> None:
    child = json.loads(json.dumps(CHILD))
    child[field].insert(1, bad)
    file = write_lines(tmp_path / "in.ndjson", [packet("a", phenotypicFeatures=[{"type": term("HP:9")}]), child])
    with pytest.raises(RecordsError) as caught:
        read_phenopackets(file)
    assert says in str(caught.value)
    records = read_phenopackets(file, on_error="quarantine", quarantine=tmp_path / "aside.jsonl")
    count = records.report.counts["findings"]
    assert (count.read, count.loaded) == (9, 8)
    row = 3 if field == "phenotypicFeatures" else 7
    (line,) = (json.loads(one) for one in (tmp_path / "aside.jsonl").read_text().splitlines())
    assert (line["table"], line["row"]) == ("findings", row)
    assert json.loads(line["line"]) == bad if isinstance(bad, dict) else line["line"] == bad


def test_an_excluded_finding_that_is_also_present_is_a_contradiction(tmp_path: Path) -> None:
    features = [{"type": term("HP:1")}, {"type": term("HP:2")}, {"type": term("HP:1"), "excluded": True}]
    file = write_lines(tmp_path / "in.ndjson", [packet("a", phenotypicFeatures=features)])
    with pytest.raises(RecordsError, match=r"both present and absent.*row 1, 3"):
        read_phenopackets(file)
    records = read_phenopackets(file, on_error="quarantine", quarantine=tmp_path / "aside.jsonl")
    assert records.frame("findings").code.tolist() == ["HP:2"]


def test_two_packets_with_one_id_are_both_set_aside(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "in.ndjson", ["bad", packet("a"), CHILD, packet("a", subject={"sex": "MALE"})])
    with pytest.raises(RecordsError, match=r"must be unique and stands more than once \(row 2, 4\)"):
        read_phenopackets(file)
    records = read_phenopackets(file, on_error="quarantine")
    assert records.case_ids.tolist() == ["case-1"]
    assert records.report.counts["cases"].set_aside == 3


def test_impossible_ages_are_set_aside(tmp_path: Path) -> None:
    old = packet("a", subject={"timeAtLastEncounter": age("P999Y")})
    endless = packet("b", subject={"timeAtLastEncounter": age("P" + "9" * 400 + "Y")})
    records = read_phenopackets(write_lines(tmp_path / "in.ndjson", [old, endless, CHILD]), on_error="quarantine")
    assert records.case_ids.tolist() == ["case-1"]


def test_broken_lines_are_set_aside(tmp_path: Path) -> None:
    good = json.dumps(CHILD).encode()
    lines = [good[:500], b'{"id": NaN}', b'{"id": "\xff"}', b"[" * 20_000, good]
    (tmp_path / "in.ndjson").write_bytes(b"\n".join(lines))
    with pytest.raises(RecordsError):
        read_phenopackets(tmp_path / "in.ndjson")
    records = read_phenopackets(tmp_path / "in.ndjson", on_error="quarantine", quarantine=tmp_path / "aside.jsonl")
    assert records.case_ids.tolist() == ["case-1"]
    assert records.report.counts["cases"].set_aside == 4
    long = read_phenopackets(tmp_path / "in.ndjson", on_error="quarantine", max_packet_bytes=600)
    assert len(long) == 0
    assert any("longer than 600 bytes; max_packet_bytes allows more" in p.says for p in long.report.errors)


@pytest.mark.parametrize("zipped", [False, True])
def test_a_truncated_file_gives_what_stands_before(tmp_path: Path, zipped: bool) -> None:
    content = json.dumps([packet("a"), packet("b"), CHILD]).encode()
    file = tmp_path / ("in.json.gz" if zipped else "in.json")
    file.write_bytes(gzip.compress(content, mtime=0)[:-8] if zipped else content[:-100])
    with pytest.raises(RecordsError):
        read_phenopackets(file)
    records = read_phenopackets(file, on_error="quarantine")
    assert set(records.case_ids) <= {"a", "b", "case-1"}
    assert records.report.counts["cases"].set_aside >= 1
    if not zipped:
        assert records.case_ids.tolist() == ["a", "b"]


def test_a_bomb_is_not_unfolded(tmp_path: Path) -> None:
    file = tmp_path / "in.ndjson.gz"
    file.write_bytes(gzip.compress(b'{"id": "a"}\n' + b" " * (70 << 20), mtime=0))
    with pytest.raises(RecordsError, match="times its size"):
        read_phenopackets(file, max_expansion=100)


@pytest.mark.parametrize("what", ["nothing", "yaml", "empty folder"])
def test_nothing_to_read_is_refused(tmp_path: Path, what: str) -> None:
    place = tmp_path / ("in.yaml" if what == "yaml" else "in")
    if what == "yaml":
        place.write_text("id: a")
    elif what == "empty folder":
        place.mkdir()
    with pytest.raises(InputError, match=r"^phenopackets"):
        read_phenopackets(place)


@pytest.mark.parametrize(
    "options",
    [{"several": "all"}, {"max_packet_bytes": 0}, {"max_expansion": 0}, {"encoding": "utf-16"}, {"on_error": "skip"}],
)
def test_options_that_are_none_are_refused(tmp_path: Path, options: Json) -> None:
    with pytest.raises(InputError):
        read_phenopackets(write_lines(tmp_path / "in.ndjson", [CHILD]), **options)


def test_an_unknown_field_is_counted(tmp_path: Path) -> None:
    one = packet("a", phenotypicFeature=[], phenotypicFeatures=[{"type": term("HP:1"), "exclude": True}])
    records = read_phenopackets(write_lines(tmp_path / "in.ndjson", [one]))
    told = {(p.table, p.count) for p in records.report.warnings if p.kind == "unknown_field"}
    assert told == {("packets", 1), ("findings", 1)}


def test_no_value_of_a_patient_is_in_a_message(tmp_path: Path) -> None:
    secret = packet("SECRET-1", phenotypicFeatures=[{"type": {"id": "SECRET-2", "label": 1}}])
    other = packet("SECRET-3", subject={"id": "SECRET-4", "timeAtLastEncounter": age("SECRET-5")})
    twins = [packet("SECRET-6"), packet("SECRET-6")]
    file = write_lines(tmp_path / "in.ndjson", [secret, other, *twins, "SECRET-7"])
    with pytest.raises(RecordsError) as caught:
        read_phenopackets(file)
    assert "SECRET" not in str(caught.value)
    assert "SECRET" not in str(read_phenopackets(file, on_error="quarantine").report)


texts = st.text(max_size=4) | st.sampled_from(["HP:1", "P3Y", "2020-01-01T00:00:00Z", "SOLVED", "\ud800", "a|b"])
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
FIELDS = [
    *("id", "label", "type", "excluded", "onset", "age", "iso8601duration", "value", "quantity", "assay", "term"),
    *("subject", "phenotypicFeatures", "diseases", "interpretations", "metaData", "externalReferences", "members"),
    *("measurements", "medicalActions", "proband", "relatives", "entry", "phenotypic_features", "resources"),
]
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | texts, inner, max_size=4),
    max_leaves=12,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in places(one, (*path, key)))]


@st.composite
def spoilt(draw: st.DrawFn) -> Any:
    """A valid packet with a few places replaced or left out; or any JSON."""
    if draw(st.integers(0, 4)) == 0:
        return draw(values)
    made = json.loads(json.dumps(draw(st.just(CHILD) | packets().map(lambda p: p[0]))))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(places(made)[1:] or [()]))
        if not place:
            break
        at = made
        for key in place[:-1]:
            at = at[key]
        if draw(st.booleans()):
            at[place[-1]] = draw(values)
        else:
            del at[place[-1]]
    return made


def size(value: Any) -> int:
    """How many packets a value holds, as far as `read_phenopackets` looks."""
    if isinstance(value, dict) and "proband" in value:
        relatives = value.get("relatives", [])
        return 1 + (len(relatives) if isinstance(relatives, list) else 1)
    if isinstance(value, dict) and isinstance(value.get("members"), list):
        return len(value["members"])
    return 1


@settings(max_examples=50)
@given(st.lists(spoilt(), min_size=1, max_size=3), st.sampled_from(["first", "none"]))
def test_nothing_but_our_own_errors_and_no_packet_lost(drawn: list[Any], several: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = write_lines(Path(folder) / "in.ndjson", drawn)
        aside = Path(folder) / "aside.jsonl"
        records = read_phenopackets(file, several=several, on_error="quarantine", quarantine=aside)
        assert records.report.counts["cases"].read == sum(map(size, drawn))
        lines = [json.loads(line) for line in aside.read_text().splitlines()] if aside.exists() else []
        for table in ("cases", "findings"):
            set_aside = [one for one in lines if one["table"] == table]
            assert len(set_aside) == records.report.counts[table].set_aside
            assert all(one["reasons"] for one in set_aside)
        try:
            read_phenopackets(file, several=several)
        except DiagnosisError:
            assert records.report.errors
        else:
            assert not records.report.errors


@settings(max_examples=50)
@given(st.binary(max_size=60), st.integers(0, 400), st.sampled_from(["in.json", "in.ndjson", "in.json.gz"]))
def test_any_bytes(noise: bytes, cut: int, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        content = json.dumps(CHILD).encode()
        file.write_bytes(content[:cut] + noise + content[cut:])
        read_phenopackets(file, on_error="quarantine", quarantine=Path(folder) / "aside.jsonl")
