"""Training sets that are not what they should be: a clear refusal, or behaviour that is stated."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from tests.small import small_records

from diagnosis.errors import InputError
from diagnosis.evaluation import evaluate
from diagnosis.records import OTHER, Records
from diagnosis.suggestions import Diagnoser

LINEAR = {"model": "linear", "folds": 2}


def form(y: list[str | None], status: list[str], at: str = "c", **cases: list[object]) -> Records:
    """One finding `x` a case, and `same` present in every case."""
    ids = [f"{at}{i}" for i in range(len(y))]
    findings = {"case_id": ids * 2, "code": ["x"] * len(y) + ["same"] * len(y), "status": status + ["present"] * len(y)}
    return Records.from_tables({"cases": {"case_id": ids, "diagnosis": y, **cases}, "findings": findings})


def halves(n: int = 40) -> tuple[list[str | None], list[str]]:
    return ["a"] * (n // 2) + ["b"] * (n // 2), ["present"] * (n // 2) + ["absent"] * (n // 2)


def test_one_diagnosis_alone_is_refused():
    with pytest.raises(InputError, match="at least two diagnoses"):
        Diagnoser(**LINEAR).fit(form(["a"] * 20, ["present"] * 20))


def test_thousands_of_diagnoses_with_two_cases_each_are_all_rare_and_the_refusal_says_what_to_do():
    n = 10_000
    records = form([f"d{i % 5000}" for i in range(n)], ["present"] * n)
    with pytest.raises(InputError, match=r"found 1 with 5 or more cases among 10,000 .* lower min_cases"):
        Diagnoser(model="auto").fit(records)


def test_many_diagnoses_with_two_cases_each_can_be_learned_where_that_is_asked():
    ids, n = [f"c{i}" for i in range(400)], 200
    # Two findings tell each diagnosis; its two cases agree.
    findings = [(c, f"x{code}", "present") for i, c in enumerate(ids) for code in (i % n % 15, 15 + i % n // 15)]
    case, code, status = zip(*findings, strict=True)
    cases = {"case_id": ids, "diagnosis": [f"d{i % n}" for i in range(400)]}
    records = Records.from_tables({"cases": cases, "findings": {"case_id": case, "code": code, "status": status}})
    made = Diagnoser(model="auto", folds=2, min_cases=2).fit(records)
    assert made.card_["model_choice"]["kind"] == "ranker"
    assert made.score(records) > 0.9


def test_an_interrupted_fit_leaves_what_was_fitted_before(monkeypatch):
    y, status = halves()
    made, first = Diagnoser(**LINEAR), form(y, status)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("diagnosis.suggestions.fitting.calibrate", stop)
        with pytest.raises(KeyboardInterrupt):
            made.fit(first)
    with pytest.raises(NotFittedError):
        made.predict(first)
    before = made.fit(first).predict_proba(first)
    monkeypatch.setattr("diagnosis.suggestions.fitting.calibrate", stop)
    with pytest.raises(KeyboardInterrupt):
        made.fit(form(y[::-1], status))
    np.testing.assert_array_equal(made.predict_proba(first), before)


def test_a_diagnosis_with_one_case_is_pooled_or_with_min_cases_1_learned():
    y, status = halves()
    records = form([*y, "alone"], [*status, "present"])
    assert set(Diagnoser(**LINEAR).fit(records).classes_) == {"a", "b", OTHER}
    learned = Diagnoser(**LINEAR, min_cases=1).fit(records)
    assert set(learned.classes_) == {"a", "alone", "b"}
    assert np.isfinite(np.log(learned.predict_proba(records))).all()


def test_constant_columns_change_no_ranking_and_all_absent_is_an_answer():
    y, status = halves()
    made = Diagnoser(**LINEAR).fit(form(y, status))
    assert (made.predict(form(y, status)) == np.array(y)).all()
    denied = Diagnoser(**LINEAR).fit(form(y, ["absent"] * len(y)))
    np.testing.assert_allclose(denied.predict_proba(form(["a"], ["absent"])), [[0.5, 0.5]], atol=0.02)


def test_cases_without_a_label_are_counted_and_left_out():
    y, status = halves()
    made = Diagnoser(**LINEAR).fit(form([*y, None, None], [*status, "present", "absent"]))
    assert made.card_["n_unlabelled"] == 2
    assert made.card_["n_cases"] == len(y)
    with pytest.raises(InputError, match="none of 4 cases has one"):
        Diagnoser(**LINEAR).fit(form([None] * 4, ["present"] * 4))


def test_cases_of_weight_zero_count_for_nothing_and_all_zero_is_refused():
    y, status = halves()
    # Perverse cases that weigh nothing.
    more = form(
        [*y, *["a"] * 8, *["b"] * 8],
        [*status, *["absent"] * 8, *["present"] * 8],
        weight=[1.0] * 40 + [0.0] * 16,
    )
    with_them, without = Diagnoser(**LINEAR, weighted=True).fit(more), Diagnoser(**LINEAR).fit(form(y, status))
    new = form(["a", "b"], ["present", "absent"])
    assert np.abs(with_them.predict_proba(new) - without.predict_proba(new)).max() < 0.03
    with pytest.raises(InputError, match="some case must have a positive weight"):
        Diagnoser(**LINEAR, weighted=True).fit(form(y, status, weight=[0.0] * 40))


def test_a_diagnosis_only_in_the_test_cases_is_a_miss_and_counted():
    y, status = halves()
    made = Diagnoser(**LINEAR).fit(form(y, status))
    new = form(["a", "b", "new"], ["present", "absent", "present"], at="new")
    found = evaluate(made, new, n_boot=0, suspicions=False).to_json()
    assert found["n_unreachable"] == 1
    assert found["top"]["1"] == pytest.approx(2 / 3)


def test_prevalence_by_site_and_setting_is_kept_in_the_bundle(tmp_path):
    from diagnosis.suggestions import load_bundle

    records = small_records(200, seed=6)
    made = Diagnoser(**LINEAR).fit(records)
    kept = load_bundle(made.save(tmp_path / "model")).card_
    here = records.y[records.column("site") == "site-1"]
    assert kept["n_by_place"]["site"]["site-1"] == len(here)
    shares = kept["prevalence"]["site"]["site-1"]
    assert shares == {d: pytest.approx(np.mean(here == d)) for d in shares}
    assert sum(shares.values()) == pytest.approx(1.0)
    assert kept["prevalence"]["setting"] == {}  # none is stated
