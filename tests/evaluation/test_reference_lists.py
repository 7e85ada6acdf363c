"""The metrics of DDXPlus against lists a reader can count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from diagnosis.errors import InputError
from diagnosis.evaluation.reference_lists import score_lists

CODES = np.array(["flu", "cold", "sepsis"], dtype=object)


def listed(*pairs: tuple[str, float]) -> list[dict[str, object]]:
    return [{"diagnosis": code, "probability": p} for code, p in pairs]


def test_by_hand():
    proba = np.array([[0.60, 0.395, 0.005], [0.02, 0.97, 0.01], [0.5, 0.0, 0.5]])
    reference = [listed(("flu", 0.7), ("sepsis", 0.3)), listed(("cold", 1.0)), None]
    truth = np.array(["flu", "flu", "sepsis"], dtype=object)
    found = score_lists(proba, CODES, reference, truth, severe=["sepsis"])
    # Case 1: {flu, cold} of {flu, sepsis}. Case 2: {cold, flu} of {cold}; 0.01 is not above 0.01.
    assert found.n == 2
    assert found.ddr == pytest.approx((0.5 + 1) / 2)
    assert found.ddp == pytest.approx((0.5 + 0.5) / 2)
    assert found.ddf1 == pytest.approx((0.5 + 2 / 3) / 2)
    assert found.dsf1 == pytest.approx((0 + 1) / 2)
    assert found.gtpa == 1
    assert found.gtpa_at == {1: 0.5, 3: 1.0, 5: 1.0}
    assert found.to_json()["gtpa_at"]["1"] == 0.5


def test_a_list_predicted_exactly_scores_1_and_an_unknown_diagnosis_is_missed():
    proba = np.array([[0.6, 0.4, 0.0]])
    truth = np.array(["flu"], dtype=object)
    exact = score_lists(proba, CODES, [listed(("flu", 0.5), ("cold", 0.5), ("sepsis", 0.01))], truth)
    assert (exact.ddr, exact.ddp, exact.ddf1) == (1, 1, 1)
    unknown = score_lists(proba, CODES, [listed(("flu", 0.5), ("cold", 0.4), ("plague", 0.1))], truth)
    assert unknown.ddr == pytest.approx(2 / 3)


def test_without_lists_it_says_so():
    with pytest.raises(InputError, match="reference list"):
        score_lists(np.ones((1, 3)), CODES, [None], np.array(["flu"], dtype=object))
    with pytest.raises(InputError, match="same cases"):
        score_lists(np.ones((2, 3)), CODES, [None], np.array(["flu"], dtype=object))
