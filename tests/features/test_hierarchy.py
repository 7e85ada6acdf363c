"""Hierarchy: *present* holds for broader findings, *absent* for narrower ones; what was recorded always wins."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnosis.errors import InputError
from diagnosis.explanation import explain_case
from diagnosis.features import FindingEncoder
from diagnosis.features.hierarchy import Hierarchy
from diagnosis.models import make_model
from diagnosis.models.scale import Scale
from diagnosis.records import Case, Finding, Records

TREE = {"rash": "", "macular rash": "rash", "petechiae": "rash", "palmar petechiae": "petechiae", "fever": ""}


def case(name: str, diagnosis: str = "x", **states: str) -> Case:
    findings = [Finding(code.replace("_", " "), status=status) for code, status in states.items()]
    return Case(findings, case_id=name, diagnosis=diagnosis, sex="female")


def records_of(*cases: Case) -> Records:
    words = {"code": list(TREE), "parents": [p or None for p in TREE.values()]}
    return Records.from_cases(cases, vocabulary=words)


@pytest.fixture(scope="module")
def training() -> Records:
    once = [
        case("a", macular_rash="present", fever="present"),
        case("b", "y", petechiae="absent", fever="absent", palmar_petechiae="absent"),
        case("c", "y", rash="absent", macular_rash="absent"),
        case("d", petechiae="present", fever="uncertain"),
    ]
    return records_of(*once)


@pytest.fixture(scope="module")
def encoder(training: Records) -> FindingEncoder:
    return FindingEncoder(min_cases=1, hierarchy=True).fit(training)


def cells(encoder: FindingEncoder, one: Case) -> set[str]:
    X = encoder.transform(records_of(one))
    return {str(name) for name in encoder.lineage_.names[X.indices] if not name.startswith("sex")}


def test_present_spreads_to_ancestors_and_absent_to_descendants(encoder: FindingEncoder) -> None:
    assert cells(encoder, case("q", petechiae="present")) == {"present:petechiae", "present:rash"}
    assert cells(encoder, case("q", rash="absent")) == {
        "absent:rash",
        "absent:macular rash",
        "absent:petechiae",
        "absent:palmar petechiae",
    }
    assert cells(encoder, case("q", petechiae="uncertain")) == set()


def test_what_was_recorded_wins_and_present_wins_over_absent(encoder: FindingEncoder) -> None:
    assert cells(encoder, case("q", rash="absent", palmar_petechiae="present")) == {
        "absent:rash",
        "absent:macular rash",
        "present:petechiae",
    }


def test_a_finding_never_seen_in_training_is_understood_through_its_ancestors(encoder: FindingEncoder) -> None:
    query = records_of(case("q", palmar_petechiae="present", cough="present"))
    assert encoder.unknown(query) == [("cough",)]
    assert encoder.inherited(query) == [{"petechiae": ("palmar petechiae",), "rash": ("palmar petechiae",)}]
    two = records_of(case("q", macular_rash="present", petechiae="present"))
    assert encoder.inherited(two) == [{"rash": ("macular rash", "petechiae")}]


def test_another_subject_s_findings_spread_among_its_own() -> None:
    mother = Case([Finding("petechiae", subject="mother")], case_id="a")
    other = FindingEncoder(min_cases=1, hierarchy=True).fit(records_of(mother))
    assert set(other.get_feature_names_out()) == {"present:mother/petechiae", "present:mother/rash"}


def test_a_measured_value_says_nothing_of_broader_findings() -> None:
    measured = Case([Finding("petechiae", value=3.0)], case_id="a")
    encoder = FindingEncoder(min_cases=1, hierarchy=True).fit(records_of(measured))
    assert encoder.get_feature_names_out().tolist() == ["measured:petechiae"]


def test_an_explanation_credits_inherited_cells_to_what_was_recorded(
    training: Records, encoder: FindingEncoder
) -> None:
    model = make_model("linear").fit(encoder.transform(training), training.y.astype(str))
    query = records_of(case("q", palmar_petechiae="present", fever="absent"))
    evidence = explain_case(query, encoder, model, Scale(1.3), np.arange(2))
    for one in evidence:
        assert {line.code for line in one.lines} == {"palmar petechiae", "fever", "sex", None}
        assert one.base + sum(line.contribution for line in one.lines) == pytest.approx(one.score, abs=1e-12)
    X = encoder.transform(query).astype(float)
    phi = 1.3 * model.contributions(X, np.arange(2)).phi[0, 0]
    own = np.isin(encoder.lineage_.code, ["petechiae", "palmar petechiae", "rash"])
    line = next(line for line in evidence[0].lines if line.code == "palmar petechiae")
    assert line.contribution == pytest.approx(phi[own].sum(), abs=1e-12)
    assert line.contribution != 0


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdefg"), max_size=3), max_size=6))
def test_loops_are_cut_and_counted_and_the_rest_is_the_transitive_closure(parents: dict[str, list[str]]) -> None:
    tree = Hierarchy.of(parents)
    links = {(c, p) for c, found in parents.items() for p in found if p in parents}
    reach = {(a, b) for a, b in links}
    for _ in parents:
        reach |= {(a, d) for a, b in reach for c, d in links if b == c}
    kept = {(c, p) for c, p in links if (p, c) not in reach and p != c}
    assert tree.n_cut == len(links) - len(kept)
    closure = set(kept)
    for _ in parents:
        closure |= {(a, d) for a, b in closure for c, d in kept if b == c}
    assert {(code, above) for code in parents for above in tree.ancestors(code)} == closure
    assert not any(code in tree.ancestors(code) for code in parents)


def test_it_is_saved_and_needs_parents(training: Records, encoder: FindingEncoder) -> None:
    again = FindingEncoder.from_json(json.loads(json.dumps(encoder.to_json())))
    assert again.to_json() == encoder.to_json()
    query = records_of(case("q", palmar_petechiae="present", rash="uncertain"))
    bare = Records.from_cases([query.case(0)])  # the vocabulary is that of training, whatever the query has
    assert (again.transform(bare) != encoder.transform(query)).nnz == 0
    with pytest.raises(InputError, match="parents"):
        FindingEncoder(hierarchy=True).fit(bare)
