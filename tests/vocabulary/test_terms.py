"""What codes are called, and what a person may write to mean one."""

from __future__ import annotations

import copy

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import texts

from diagnosis.errors import UnknownCodeError
from diagnosis.vocabulary import Term, Vocabulary

FINDINGS = [
    {
        "code": "HP:0001945",
        "name": "fever",
        "name_zh": "发热",
        "synonyms": "pyrexia | high temperature",
        "synonyms_zh": "发烧",
    },
    {"code": "HP:0012735", "name_zh": "咳嗽", "kind": "symptom", "phase": "history", "parents": "HP:0002795|HP:9"},
    {"code": "HP:0002795", "parents": "HP:0000118", "unit": None},
    {"code": "HP:0000118", "parents": "HP:0012735"},
    {"code": "Fever", "name": "another fever"},
    {"code": "LOINC:2345-7", "unit": "mmol/L", "question": "How much?", "question_zh": "多少？"},
    {"code": "glu", "loinc": "2339-0"},
]
DIAGNOSES = [
    {"code": "B05.9", "name": "measles", "name_zh": "麻疹", "severity": 3, "must_not_miss": False},
    {"code": "M30.3", "name": "Kawasaki disease", "synonyms": "MCLS|cold", "must_not_miss": True, "flag_at": 0.1},
    {"code": "J00", "name": "nasopharyngitis", "synonyms": "cold", "must_not_miss": None},
]


@pytest.fixture
def words() -> Vocabulary:
    return Vocabulary.from_rows(FINDINGS, DIAGNOSES)


@pytest.mark.parametrize(
    ("code", "lang", "name"),
    [
        ("HP:0001945", "en", "fever"),
        ("HP:0001945", "zh", "发热"),
        ("HP:0001945", "fr", "fever"),
        ("HP:0012735", "en", "咳嗽"),
        ("HP:0002795", "zh", "HP:0002795"),
        ("unheard of", "en", "unheard of"),
    ],
)
def test_names_fall_back(words: Vocabulary, code: str, lang: str, name: str) -> None:
    assert words.name(code, lang) == name


def test_what_a_term_says(words: Vocabulary) -> None:
    assert words.diagnosis_name("B05.9", "zh") == "麻疹"
    assert words.diagnosis_name("X", "zh") == "X"
    assert (words.kind("HP:0012735"), words.phase("HP:0012735")) == ("symptom", "history")
    assert (words.unit("LOINC:2345-7"), words.unit("HP:0002795"), words.unit("X")) == ("mmol/L", None, None)
    assert (words.question("LOINC:2345-7"), words.question("LOINC:2345-7", "zh")) == ("How much?", "多少？")
    assert (words.loinc("LOINC:2345-7"), words.loinc("glu"), words.loinc("X")) == ("2345-7", "2339-0", None)
    assert (words.severity("B05.9"), words.severity("X"), words.flag_at("M30.3")) == (3, None, 0.1)
    assert words.must_not_miss == {"M30.3"}
    assert repr(words) == "<Vocabulary: 7 findings, 3 diagnoses>"


def test_ancestors_end_where_a_loop_closes(words: Vocabulary) -> None:
    assert words.parents("HP:0012735") == ("HP:0002795", "HP:9")
    assert words.ancestors("HP:0012735") == {"HP:0002795", "HP:9", "HP:0000118"}
    assert words.ancestors("HP:0000118") == {"HP:0012735", "HP:0002795", "HP:9"}
    assert words.ancestors("X") == frozenset()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("HP:0001945", "HP:0001945"),
        ("hp:0001945", "HP:0001945"),
        ("fever", "HP:0001945"),  # its name, exactly
        ("Fever", "Fever"),  # a code of its own
        ("发烧", "HP:0001945"),
        ("PYREXIA", "HP:0001945"),
        ("ｐｙｒｅｘｉａ", "HP:0001945"),
        (" high temperature ", "HP:0001945"),
        ("ＨＰ：００１２７３５", "HP:0012735"),
    ],
)
def test_a_finding_goes_by_code_name_or_synonym(words: Vocabulary, text: str, code: str) -> None:
    assert words.resolve(text) == code


@pytest.mark.parametrize(
    ("text", "code"), [("measles", "B05.9"), ("麻疹", "B05.9"), ("kawasaki disease", "M30.3"), ("mcls", "M30.3")]
)
def test_a_diagnosis_goes_by_code_name_or_synonym(words: Vocabulary, text: str, code: str) -> None:
    assert words.resolve_diagnosis(text) == code


def test_a_code_without_a_term_counts_where_it_is_known(words: Vocabulary) -> None:
    assert words.resolve_diagnosis("other", known=["OTHER"]) == "OTHER"
    # A code wins over another's name.
    assert words.resolve_diagnosis("measles", known=["measles"]) == "measles"
    assert words.resolve_diagnosis("measles", known=["B05.9"]) == "B05.9"


def test_an_unknown_name_is_told_the_nearest(words: Vocabulary) -> None:
    with pytest.raises(UnknownCodeError, match="none of the 3 known") as caught:
        words.resolve_diagnosis("measels")
    assert caught.value.near[0] == "measles"
    assert caught.value.codes == ("measels",)
    with pytest.raises(UnknownCodeError) as caught:
        words.resolve("")
    assert caught.value.near == ()


def test_a_name_of_several_is_not_guessed(words: Vocabulary) -> None:
    with pytest.raises(UnknownCodeError, match=r"is a name of 2 of them: J00, M30\.3") as caught:
        words.resolve_diagnosis("cold")
    assert caught.value.codes == ("J00", "M30.3")


@settings(max_examples=50)
@given(codes=st.lists(texts(), unique=True, min_size=1, max_size=8))
def test_every_code_means_itself(codes: list[str]) -> None:
    words = Vocabulary.from_rows([{"code": c, "name": codes[0]} for c in codes], [])
    assert [words.resolve(c) for c in codes] == codes
    assert [words.resolve_diagnosis(c, known=codes) for c in codes] == codes


@settings(max_examples=50)
@given(code=texts(), name=texts(), names=st.lists(st.sampled_from(["a b", "ä", "咳"]), unique=True))
def test_a_row_becomes_a_term_and_a_row_again(code: str, name: str, names: list[str]) -> None:
    row = {
        "code": code,
        "name": name,
        "synonyms_zh": "|".join(names),
        "parents": " x | y ",
        "unit": "Cel",
        "cost": float("nan"),
        "kind": pd.NA,
        "phase": None,
        "question": "",
    }
    term = Term.from_row(row)
    assert term.synonyms == tuple(names)
    assert term.parents == ("x", "y")
    assert Term.from_row(term.to_row()) == term
    assert term.fields == {"unit": "Cel"}


def test_terms_are_read_only_and_go_to_other_processes(words: Vocabulary) -> None:
    with pytest.raises(TypeError):
        words.findings["x"] = Term("x")  # type: ignore[index]
    with pytest.raises(TypeError):
        words.findings["HP:0001945"].names["en"] = "x"  # type: ignore[index]
    assert copy.deepcopy(words) == words
    assert Vocabulary.from_rows(words.finding_rows(), words.diagnosis_rows()) == words


def test_joined_words_keep_their_own(words: Vocabulary) -> None:
    other = Vocabulary.from_rows([{"code": "HP:0001945", "name": "Fieber"}, {"code": "new"}], [{"code": "A00"}])
    made = words.joined(other)
    assert made.name("HP:0001945") == "fever"
    assert len(made.findings) == 8
    assert len(made.diagnoses) == 4


def test_truth_values_of_text_are_read_as_such() -> None:
    words = Vocabulary.from_rows([], [{"code": "a", "must_not_miss": "false"}, {"code": "b", "must_not_miss": "true"}])
    assert words.must_not_miss == {"b"}
