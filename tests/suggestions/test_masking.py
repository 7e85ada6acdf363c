"""Where every training case answers everything, masked copies teach what a blank means."""

from __future__ import annotations

import numpy as np
import pytest
from tests.small import small_records
from tests.suggestions.test_reference_reading import with_lists

from diagnosis.errors import InputError
from diagnosis.records import Records
from diagnosis.suggestions import Diagnoser, Policy, load_bundle
from diagnosis.suggestions.masking import share_always_recorded, thinned

CODES = [f"q{i}" for i in range(24)]


def form(n: int, seed: int) -> Records:
    """A form of 24 questions, all answered: eight are typical of each of three diagnoses."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    yes = rng.random((n, 24)) < 0.12 + 0.5 * np.kron(np.eye(3), np.ones(8))[y]
    return Records.from_tables(
        {
            "cases": {"case_id": [f"c{i}" for i in range(n)], "diagnosis": [f"d{k}" for k in y]},
            "findings": {
                "case_id": np.repeat([f"c{i}" for i in range(n)], 24),
                "code": CODES * n,
                "status": np.where(yes, "present", "absent").ravel(),
            },
        },
        {"format": 1, "synthetic": True, "source": "tests"},
    )


def few_answers(records: Records, share: float) -> Records:
    return records.without(np.random.default_rng(5).random(len(records.coded)) >= share)


def loss(diagnoser: Diagnoser, records: Records) -> float:
    own = np.searchsorted(diagnoser.classes_.astype(str), records.y.astype(str))
    return float(-np.log(diagnoser.predict_proba(records)[np.arange(len(records)), own]).mean())


@pytest.fixture(scope="module")
def made() -> dict[str, Diagnoser]:
    train = form(300, seed=1)
    return {m: Diagnoser(model="linear", folds=2, policy=Policy(masking=m)).fit(train) for m in ("auto", "off")}


def test_sparse_cases_get_unsure_lists_and_full_ones_lose_nothing(made):
    new = form(300, seed=2)
    for share, at_least in ((0.2, 0.02), (0.08, 0.02)):
        sparse = few_answers(new, share)
        assert loss(made["auto"], sparse) < loss(made["off"], sparse) - at_least
    assert loss(made["auto"], new) < loss(made["off"], new) + 0.03


def test_auto_looks_at_how_much_is_always_recorded(made):
    assert share_always_recorded(form(50, seed=3)) == 1.0
    assert share_always_recorded(small_records(100)) < 0.5
    assert made["auto"].card_["n_masked_copies"] == 900
    assert made["off"].card_["n_masked_copies"] == 0
    assert made["auto"].card_["n_cases"] == 300
    np.testing.assert_allclose(made["auto"].calibration_.prior, made["off"].calibration_.prior)
    with pytest.raises(InputError, match="Nearest: auto"):
        Policy(masking="auto-")


def test_thinning_takes_findings_and_nothing_else():
    records = small_records(80)
    less = thinned(records, seed=0)
    assert 0.3 < len(less.coded) / len(records.coded) < 0.7
    assert less.y.tolist() == records.y.tolist()
    kept = np.diff(less.coded.offsets) / np.maximum(np.diff(records.coded.offsets), 1)
    assert kept.max() == 1.0
    assert kept.min() == 0.0


def test_both_readings_repeat_and_are_kept_by_the_bundle(tmp_path):
    records = with_lists(small_records(120, seed=8), missing=20)
    options = {"model": "linear", "folds": 2, "target": "both", "policy": Policy(masking="on")}
    one, other = (Diagnoser(**options).fit(records) for _ in range(2))
    assert one.fingerprint == other.fingerprint
    assert one.reading_.n_cases == 100
    again = load_bundle(one.save(tmp_path / "model"))
    assert again.policy.masking == "on"
    np.testing.assert_array_equal(again.predict_differential(records), one.predict_differential(records))
