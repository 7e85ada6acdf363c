"""What every diagnoser promises, whichever model it holds."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.base import clone
from tests.small import small_records

from diagnosis.models import MODELS
from diagnosis.records import Records
from diagnosis.suggestions import Diagnoser, load_bundle


@pytest.fixture(scope="module")
def train() -> Records:
    return small_records(320, seed=1, rare=3)


@pytest.fixture(scope="module")
def test() -> Records:
    return small_records(40, seed=2)


@pytest.fixture(scope="module", params=sorted(MODELS))
def fitted(request: pytest.FixtureRequest, train: Records) -> Diagnoser:
    return Diagnoser(model=request.param, folds=3).fit(train)


def changed(records: Records, table: str, made: pa.Table | None) -> Records:
    tables = {name: records.arrow(name) for name in records.names if name != table}
    if made is not None:
        tables[table] = made
    return Records.from_tables(tables, records.info)


def test_probabilities_sum_to_one(fitted: Diagnoser, test: Records) -> None:
    proba = fitted.predict_proba(test)
    assert proba.dtype == np.float64
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-12)


def test_it_learns(fitted: Diagnoser, test: Records) -> None:
    assert fitted.score(test) > 0.6


def test_contributions_add_up_to_the_number_shown(fitted: Diagnoser, test: Records) -> None:
    for one in fitted.suggest(test, top=3)[:15]:
        for s in one.explain().suggestions:
            assert abs(s.base + sum(line.contribution for line in s.lines) - s.score) < 1e-9
            assert abs(np.exp(s.log_probability) - s.probability) < 1e-12
        shown = {s.diagnosis: s.probability for s in one.ranked}
        assert shown == pytest.approx({s.diagnosis: s.probability for s in one.explain().suggestions}, abs=1e-12)


def test_contrast_is_the_log_ratio(fitted: Diagnoser, test: Records) -> None:
    for one in fitted.suggest(test, top=2)[:15]:
        a, b = one.ranked
        found = one.contrast(a.diagnosis, b.diagnosis)
        assert abs(found.base + sum(line.contribution for line in found.lines) - found.log_ratio) < 1e-9
        assert abs(found.log_ratio - np.log(a.probability / b.probability)) < 1e-9


def test_relative_is_centred_on_the_shown_list(fitted: Diagnoser, test: Records) -> None:
    one = fitted.suggest(test, top=4)[0].explain()
    weight = np.array([s.probability for s in one.suggestions])
    for lines in zip(*(sorted(s.lines, key=lambda x: (x.code or "", x.state)) for s in one.suggestions), strict=True):
        assert abs(weight @ [line.relative for line in lines]) < 1e-9


def test_label_blind(fitted: Diagnoser, test: Records) -> None:
    hidden = ("diagnosis", "differential", "triage_scheme", "triage_level", "disposition", "outcome", "outcome_time")
    cases = test.arrow("cases").drop_columns([c for c in hidden if c in test.arrow("cases").column_names])
    blind = changed(test, "cases", cases)
    np.testing.assert_array_equal(fitted.predict_proba(test), fitted.predict_proba(blind))


def with_a_future(records: Records) -> Records:
    """The same cases with rows known only years later that say the opposite."""
    findings = records.arrow("findings")
    later = findings.slice(0, 200)
    late = pa.array([np.datetime64("2031-01-01", "us")] * len(later)).cast(pa.timestamp("us", "UTC"))
    for name in ("time", "known"):
        later = later.set_column(later.column_names.index(name), name, late)
    flipped = pa.array(["absent" if s == "present" else "present" for s in later["status"].to_pylist()])
    later = later.set_column(later.column_names.index("status"), "status", flipped)
    later = later.set_column(later.column_names.index("value"), "value", pa.nulls(len(later), pa.float64()))
    plain = findings.set_column(2, "status", findings["status"].cast(pa.string()))
    return changed(records, "findings", pa.concat_tables([plain, later], promote_options="permissive"))


def test_future_blind(fitted: Diagnoser, test: Records) -> None:
    future = with_a_future(test)
    np.testing.assert_array_equal(fitted.predict_proba(test), fitted.predict_proba(future))
    assert fitted.suggest(future)[0].not_used["after_moment"] > 0


def test_future_blind_in_training(train: Records) -> None:
    one, other = (Diagnoser(model="linear", folds=3).fit(r) for r in (train, with_a_future(train)))
    assert one.fingerprint == other.fingerprint


def test_input_is_not_changed(fitted: Diagnoser, test: Records) -> None:
    before = test.digest()
    fitted.suggest(test)[0].explain()
    assert test.digest() == before


def test_order_of_findings_is_irrelevant(fitted: Diagnoser, test: Records) -> None:
    shuffled = test.arrow("findings").take(pa.array(np.random.default_rng(0).permutation(len(test.arrow("findings")))))
    np.testing.assert_array_equal(fitted.predict_proba(test), fitted.predict_proba(changed(test, "findings", shuffled)))


def test_a_case_alone_equals_its_row(fitted: Diagnoser, test: Records) -> None:
    np.testing.assert_allclose(fitted.predict_proba(test[[7]])[0], fitted.predict_proba(test)[7], rtol=0, atol=1e-15)


def test_clone_and_seed_reproduce(fitted: Diagnoser, train: Records, test: Records) -> None:
    again = clone(fitted).fit(train)
    np.testing.assert_array_equal(again.predict_proba(test), fitted.predict_proba(test))
    assert again.name == fitted.name


def test_save_and_load_give_equal_answers(
    fitted: Diagnoser, test: Records, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = fitted.save(tmp_path_factory.mktemp("bundle") / "model")
    loaded = load_bundle(folder)
    np.testing.assert_array_equal(loaded.predict_proba(test), fitted.predict_proba(test))
    assert [d.to_json() for d in loaded.suggest(test)] == [d.to_json() for d in fitted.suggest(test)]
    assert loaded.suggest(test)[0].explain() == fitted.suggest(test)[0].explain()


def test_unknown_codes_are_counted_and_shown(fitted: Diagnoser, test: Records) -> None:
    findings = test.arrow("findings")
    first = findings.slice(0, 1).select(["case_id", "code", "status"])
    odd = first.set_column(1, "code", pa.array(["never seen"])).set_column(2, "status", pa.array(["present"]))
    plain = findings.cast(
        pa.schema([f.with_type(pa.string()) if f.name in ("code", "status") else f for f in findings.schema])
    )
    more = changed(test, "findings", pa.concat_tables([plain, odd], promote_options="default"))
    np.testing.assert_array_equal(fitted.predict_proba(test), fitted.predict_proba(more))
    case = str(first["case_id"][0])
    found = next(d for d in fitted.suggest(more) if d.case_id == case)
    assert found.unknown_codes == ("never seen",)
    assert found.not_used["unknown"] == 1
    assert "unknown_codes" in {f.kind for f in found.flags}


def test_present_absent_and_unrecorded_differ(fitted: Diagnoser) -> None:
    def asked(status: str | None) -> np.ndarray:
        findings = {"case_id": ["a"], "code": ["vomiting"], "status": ["present"]}
        if status is not None:
            findings = {"case_id": ["a", "a"], "code": ["vomiting", "rash"], "status": ["present", status]}
        return fitted.predict_proba(Records.from_tables({"cases": {"case_id": ["a"]}, "findings": findings}))

    present, absent, unrecorded = asked("present"), asked("absent"), asked(None)
    assert np.abs(present - absent).max() > 0.01
    assert np.abs(present - unrecorded).max() > 0
    assert np.abs(absent - unrecorded).max() > 0


def test_rare_diagnoses_are_pooled_and_other_is_never_ranked(fitted: Diagnoser, test: Records) -> None:
    # Three cases of rare diagnoses were in training, too few to learn each by name.
    assert fitted.classes_.tolist().count("OTHER") == 1
    for one in fitted.suggest(test, top=10):
        assert "OTHER" not in [s.diagnosis for s in one.ranked]
        assert one.other is not None
        assert sum(s.probability for s in one.ranked) + one.other == pytest.approx(1)


def test_ranked_is_sorted_and_flags_follow_the_policy(fitted: Diagnoser, test: Records) -> None:
    flag_at = dict(zip(fitted.classes_, fitted.calibration_.flag_at, strict=True))
    for one in fitted.suggest(test, top=5):
        found = [s.probability for s in one.ranked]
        assert found == sorted(found, reverse=True)
        expected = {s.diagnosis for s in one.ranked if s.probability >= flag_at[s.diagnosis]}
        assert set(one.must_not_miss) == expected
