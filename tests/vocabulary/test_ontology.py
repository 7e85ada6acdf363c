"""Vocabularies from files: OBO and OBO Graphs say the same, nothing retired is lost, what is broken is refused."""

from __future__ import annotations

import contextlib
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnosis.errors import DiagnosisError, InputError
from diagnosis.vocabulary import Vocabulary, read_vocabulary
from diagnosis.vocabulary.ontology import read_ontology

OBO = """format-version: 1.2
data-version: hp/releases/2025-01-16
ontology: hp.obo

[Term]
id: HP:0000001
name: All

[Term]
id: HP:0001945
name: Fever
alt_id: HP:0001955
def: "Body temperature elevated above the normal range." [HPO:x]
synonym: "Pyrexia" EXACT []
synonym: "Fever of \\"unknown\\" cause" NARROW []
synonym: "High temperature {hot}" EXACT layperson [ORCID:1]
is_a: HP:0000001 {source="x"} ! All

[Term]
id: HP:0012735
name: Cough
is_a: HP:0000001 ! All

[Term]
id: HP:0000100
name: obsolete Old cough
is_obsolete: true
replaced_by: HP:0000200

[Term]
id: HP:0000200
name: obsolete Newer cough
is_obsolete: true
replaced_by: HP:0012735

[Term]
id: HP:0000300
name: obsolete Gone
is_obsolete: true
consider: HP:0012735

[Term]
id: HP:0000400
name: obsolete Split
is_obsolete: true
replaced_by: HP:0012735
replaced_by: HP:0001945

[Term]
id: UBERON:0000001
name: a structure carried along

[Typedef]
id: part_of
name: part of
"""
PURL = "http://purl.obolibrary.org/obo/"


def graph_node(code: str, name: str, **meta: Any) -> dict[str, Any]:
    return {"id": PURL + code.replace(":", "_"), "lbl": name, "type": "CLASS", "meta": meta}


def replaced(*codes: str) -> list[dict[str, str]]:
    return [{"pred": PURL + "IAO_0100001", "val": PURL + c.replace(":", "_")} for c in codes]


def graphs() -> dict[str, Any]:
    alternative = {"pred": "http://www.geneontology.org/formats/oboInOwl#hasAlternativeId", "val": "HP:0001955"}
    synonyms = [
        {"pred": "hasExactSynonym", "val": "Pyrexia"},
        {"pred": "hasNarrowSynonym", "val": 'Fever of "unknown" cause'},
        {"pred": "hasExactSynonym", "val": "High temperature {hot}"},
    ]
    nodes = [
        graph_node("HP:0000001", "All"),
        graph_node("HP:0001945", "Fever", synonyms=synonyms, basicPropertyValues=[alternative]),
        graph_node("HP:0012735", "Cough"),
        graph_node("HP:0000100", "obsolete Old cough", deprecated=True, basicPropertyValues=replaced("HP:0000200")),
        graph_node("HP:0000200", "obsolete Newer cough", deprecated=True, basicPropertyValues=replaced("HP:0012735")),
        graph_node("HP:0000300", "obsolete Gone", deprecated=True),
        graph_node(
            "HP:0000400", "obsolete Split", deprecated=True, basicPropertyValues=replaced("HP:0012735", "HP:0001945")
        ),
        graph_node("UBERON:0000001", "a structure carried along"),
        {"id": PURL + "part_of", "lbl": "part of", "type": "PROPERTY"},
    ]
    edges = [{"sub": PURL + s, "pred": "is_a", "obj": PURL + "HP_0000001"} for s in ("HP_0001945", "HP_0012735")]
    edges.append({"sub": PURL + "HP_0001945", "pred": PURL + "BFO_0000050", "obj": PURL + "UBERON_0000001"})
    meta = {"version": PURL + "hp/releases/2025-01-16/hp.json"}
    return {"graphs": [{"id": PURL + "hp.json", "meta": meta, "nodes": nodes, "edges": edges}]}


@pytest.fixture
def obo(tmp_path: Path) -> Path:
    path = tmp_path / "hp.obo"
    path.write_text(OBO, encoding="utf-8")
    return path


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "hp.json"
    path.write_text(json.dumps(graphs()), encoding="utf-8")
    return path


def test_both_forms_of_an_ontology_give_the_same_words(obo: Path, graph: Path) -> None:
    one, other = read_vocabulary(obo), read_vocabulary(graph)
    assert one == other
    assert one.versions == {"HP": "2025-01-16"}
    assert list(one.findings) == ["HP:0000001", "HP:0001945", "HP:0012735"]


def test_gzip_changes_nothing(obo: Path, tmp_path: Path) -> None:
    packed = tmp_path / "hp.obo.gz"
    packed.write_bytes(gzip.compress(obo.read_bytes()))
    assert read_vocabulary(packed) == read_vocabulary(obo)


def test_names_synonyms_and_parents(obo: Path) -> None:
    words = Vocabulary.from_file(obo)
    assert words.name("HP:0001945") == "Fever"
    assert words.findings["HP:0001945"].synonyms == ("Pyrexia", "High temperature {hot}")
    assert words.ancestors("HP:0001945") == {"HP:0000001"}
    assert words.resolve("pyrexia") == "HP:0001945"


@pytest.mark.parametrize(
    ("code", "current"),
    [
        ("HP:0001945", "HP:0001945"),
        ("HP:0001955", "HP:0001945"),  # an alternative id
        ("HP:0000200", "HP:0012735"),
        ("HP:0000100", "HP:0012735"),  # replaced by a term that was replaced itself
        ("HP:0000300", None),  # only "consider": that is for a person to judge
        ("HP:0000400", None),  # split in two: neither is chosen
        ("HP:9999999", None),
        ("UBERON:0000001", None),
    ],
)
def test_current_code(obo: Path, code: str, current: str | None) -> None:
    assert read_vocabulary(obo).current(code) == current


def test_retired_is_told_from_unknown(obo: Path) -> None:
    words = read_vocabulary(obo)
    assert "HP:0000300" in words.retired
    assert "HP:9999999" not in words.retired


def test_replacements_in_a_ring_end(tmp_path: Path) -> None:
    path = tmp_path / "ring.obo"
    ring = "".join(
        f"[Term]\nid: HP:{a}\nname: x\nis_obsolete: true\nreplaced_by: HP:{b}\n\n" for a, b in ((1, 2), (2, 1))
    )
    path.write_text(f"{ring}[Term]\nid: HP:3\nname: fine\n", encoding="utf-8")
    assert read_vocabulary(path).retired == {"HP:1": None, "HP:2": None}


def test_another_prefix_can_be_asked_for(obo: Path) -> None:
    assert list(read_vocabulary(obo, prefix="UBERON").findings) == ["UBERON:0000001"]
    with pytest.raises(InputError, match="No term starts with MONDO:"):
        read_vocabulary(obo, prefix="MONDO")


def test_languages_are_added_by_code(obo: Path, tmp_path: Path) -> None:
    chinese = tmp_path / "zh.csv"
    chinese.write_text(
        "code,name_zh,synonyms_zh,kind\nHP:0001945,发热,发烧|体温升高,symptom\nHP:0000100,咳嗽,,symptom\nx,别的,,\n",
        "utf-8",
    )
    words = read_vocabulary(obo, languages=[chinese])
    assert words.name("HP:0001945", "zh") == "发热"
    assert words.name("HP:0001945") == "Fever"
    assert words.resolve("发烧") == "HP:0001945"
    assert words.name("HP:0012735", "zh") == "咳嗽", "the row of a retired code goes to the one that replaced it"
    assert words.kind("HP:0012735") == "symptom"
    assert words.name("x", "zh") == "别的"
    assert words.parents("HP:0001945") == ("HP:0000001",)


def test_csv_of_the_table(tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text(
        "\ufeffcode,name,name_zh,parents,askable,cost,unit\n001,fever,发热,top|other,true,2.5,Cel\nNA,none,,,,,\n",
        "utf-8",
    )
    words = read_vocabulary(path)
    assert list(words.findings) == ["001", "NA"]
    assert words.parents("001") == ("top", "other")
    assert words.findings["001"].fields == {"askable": True, "cost": 2.5, "unit": "Cel"}
    assert words.unit("NA") is None


def test_csv_of_diagnoses(tmp_path: Path) -> None:
    path = tmp_path / "diagnoses.csv"
    path.write_text("code,name,severity,must_not_miss,flag_at\nG00.9,meningitis,1,true,0.02\n", "utf-8")
    words = read_vocabulary(path, of="diagnoses")
    assert words.severity("G00.9") == 1
    assert words.must_not_miss == {"G00.9"}
    assert words.flag_at("G00.9") == pytest.approx(0.02)
    assert words.current("G00.9") == "G00.9"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name\nfever\n", "header with the column code"),
        ("", "header with the column code"),
        ("code,code\na,b\n", "no column twice"),
        ("code,name\na,fever\na,cough\n", "Row 2: 'a' stands there a second time"),
        ("code,name\n,fever\n", "Row 1: its code is empty"),
        ("code,name\na,fever,more\n", "Row 1: it has 3 cells under 2 columns"),
        ("code,askable\na,yes\n", "Row 1: column askable"),
        ('code,name\na,"fever\n', "cannot be read"),
    ],
)
def test_broken_csv_says_where(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "words.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError, match=says):
        read_vocabulary(path)


@pytest.mark.parametrize("name", ["words.csv.gz", "hp.obo.gz", "hp.json.gz", "hp.obo"])
def test_a_file_that_holds_too_much_is_refused(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    bomb = b"code,name\n" + b"\n" * 5_000_000
    file.write_bytes(gzip.compress(bomb) if name.endswith(".gz") else bomb)
    with pytest.raises(InputError, match=r"at most 1,000,000 bytes, unfolded\. It holds more\. Give max_bytes"):
        read_vocabulary(file, max_bytes=1_000_000)


@pytest.mark.parametrize("name", ["words.csv", "hp.obo", "hp.json", "hp.obo.gz", "hp.owl"])
def test_missing_file_and_unknown_form_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        read_vocabulary(tmp_path / name)


def read_or_refused(path: Path) -> None:
    """Nothing but a refusal may come of a file that is none."""
    with contextlib.suppress(DiagnosisError):
        assert isinstance(read_vocabulary(path), Vocabulary)


@pytest.mark.parametrize("name", ["words.csv", "hp.obo", "hp.json", "hp.obo.gz", "hp.json.gz"])
@settings(max_examples=40)
@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_no_content_crashes(tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / name
    path.write_bytes(content)
    read_or_refused(path)


@settings(max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["graphs", "nodes", "edges", "meta", "id", "lbl", "type"]), inner)
        ),
        max_leaves=8,
    )
)
def test_no_json_crashes(tmp_path_factory: pytest.TempPathFactory, document: Any) -> None:
    path = tmp_path_factory.mktemp("any") / "hp.json"
    path.write_text(json.dumps({"graphs": [document]}), "utf-8")
    read_or_refused(path)


def test_words_survive_a_worker_process(obo: Path) -> None:
    words = read_vocabulary(obo)
    made, args = words.__reduce__()
    assert made(*args) == words


def test_joined_words_keep_what_is_retired(obo: Path) -> None:
    own = Vocabulary.from_rows([{"code": "HP:0001955", "name": "own word"}])
    words = own.joined(read_vocabulary(obo))
    assert words.name("HP:0001955") == "own word"
    assert words.current("HP:0001955") == "HP:0001945"
    assert words.versions == {"HP": "2025-01-16"}


def test_human_phenotype_ontology(real_data: Path) -> None:
    words = read_vocabulary(real_data / "hpo" / "hp.obo.gz")
    assert len(words.findings) > 15_000
    assert words.versions["HP"].startswith("20")
    assert words.resolve("fever") == "HP:0001945"
    assert words.current("HP:0001425") == "HP:0000005"
    assert "HP:0000118" in words.ancestors("HP:0001945"), "fever is a phenotypic abnormality"
    assert all(c is None or c in words.findings for c in words.retired.values())
    assert not set(words.retired) & set(words.findings)
    assert all(p in words.findings for t in words.findings.values() for p in t.parents)


def test_version_that_is_no_date_is_kept_as_written(tmp_path: Path) -> None:
    path = tmp_path / "x.obo"
    path.write_text("data-version: 4.1\n\n[Term]\nid: X:1\nname: one\n", "utf-8")
    assert read_ontology(path).version == "4.1"
