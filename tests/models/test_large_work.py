"""Where the work is large a diagnoser chooses calibration, sets and flags on one held-out part of the patients."""

from __future__ import annotations

import numpy as np
import pytest
from tests.small import small_records

from diagnosis.suggestions import Diagnoser


@pytest.mark.parametrize(("rest", "huge"), [(1e12, 1e12), (0, 0)])
def test_a_diagnoser_is_fitted_and_calibrated_on_one_part(monkeypatch, rest, huge):
    records = small_records(260)
    monkeypatch.setattr("diagnosis.models.hybrid_fit.LARGE_WORK", 0)
    monkeypatch.setattr("diagnosis.models.hybrid_fit.REST_WORK", rest)
    monkeypatch.setattr("diagnosis.models.hybrid_fit.HUGE_WORK", huge)
    fitted = Diagnoser(model="hybrid").fit(records)
    proba = fitted.predict_proba(records)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert fitted.score(records) > 0.6
    assert fitted.suggest(records[:1])[0].explain() is not None
    twice = Diagnoser(model="hybrid").fit(records)
    np.testing.assert_array_equal(twice.predict_proba(records), proba)
