"""Another prevalence moves the base alone, and few cases move it little."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from diagnosis.errors import InputError
from diagnosis.models import softmax
from diagnosis.models.prior_shift import log_shift, shrunk_prior

shares = arrays(np.float64, 4, elements=st.floats(0.01, 1.0))


@settings(deadline=None, max_examples=40)
@given(shares, shares, shares, st.integers(0, 100))
def test_shifts_multiply_by_the_ratio_add_up_and_the_training_prior_changes_nothing(old, new, third, seed):
    scores = np.random.default_rng(seed).normal(size=(6, 4))
    np.testing.assert_allclose(log_shift(old, 3 * old), 0.0, atol=1e-12)
    shifted, by_hand = softmax(scores + log_shift(new, old)), softmax(scores) * (new / new.sum()) / (old / old.sum())
    np.testing.assert_allclose(shifted, by_hand / by_hand.sum(axis=1, keepdims=True), atol=1e-12)
    np.testing.assert_allclose(log_shift(new, old) + log_shift(third, new), log_shift(third, old), atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(arrays(np.int64, 4, elements=st.integers(0, 500)), shares)
def test_the_shrunk_prior_lies_between_training_and_counts(counts, old):
    old = old / old.sum()
    found = shrunk_prior(counts, old)
    assert found.prior.sum() == pytest.approx(1.0)
    assert (found.prior > 0).all()
    if counts.sum():
        seen = counts / counts.sum()
        assert ((found.prior - old) * (found.prior - seen) <= 1e-12).all()
    else:
        np.testing.assert_allclose(found.prior, old)


def test_places_alike_are_pooled_and_places_apart_are_not():
    rng = np.random.default_rng(0)
    old = np.array([0.5, 0.3, 0.15, 0.05])
    alike, apart = rng.multinomial(2000, old), rng.multinomial(2000, old[::-1])
    assert shrunk_prior(alike, old).strength > 1000 > 10 > shrunk_prior(apart, old).strength
    assert abs(shrunk_prior(apart, old).prior - old[::-1]).max() < 0.03


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: log_shift([0.0, 1.0], [0.5, 0.5]), "1 of 2"),
        (lambda: log_shift([np.nan, 1.0], [0.5, 0.5]), "1 of 2"),
        (lambda: shrunk_prior([1, 2], [0.5, 0.5], strength=0.0), "strength"),
    ],
)
def test_what_cannot_be_a_prior_is_refused(call, says):
    with pytest.raises(InputError, match=says):
        call()
