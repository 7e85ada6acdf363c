"""Small made-up cohorts for the models: sparse columns that carry some signal, several cases a patient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from diagnosis.models import BoostedModel, HybridModel, LinearModel, RankerModel


@dataclass(frozen=True)
class Cohort:
    X: Any
    y: np.ndarray
    groups: np.ndarray
    weight: np.ndarray


def make_cohort(n: int = 120, p: int = 12, k: int = 3, seed: int = 0, *, dense: bool = False) -> Cohort:
    """Return cases whose 0/1 columns and one value column depend on the diagnosis; every diagnosis occurs."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % k)
    chance = rng.beta(0.6, 1.2, size=(k, p))
    X = (rng.random((n, p)) < chance[y]).astype(np.float64)
    X[:, 0] = np.where(rng.random(n) < 0.7, rng.normal(size=n) + y / k, 0.0)
    labels = np.array([f"diagnosis {i:02d}" for i in range(k)], dtype=object)
    return Cohort(
        X=X if dense else sparse.csr_matrix(X),
        y=labels[y],
        groups=np.array([f"patient {g}" for g in rng.integers(0, max(n // 2, 2), n)], dtype=object),
        weight=rng.integers(1, 4, n).astype(np.float64),
    )


def small_model(name: str) -> Any:
    boosted = BoostedModel(rounds=12, min_cases_leaf=2, early_stopping=4)
    return {
        "linear": LinearModel(),
        "boosted": boosted,
        "hybrid": HybridModel(boosted=boosted, folds=3),
        "ranker": RankerModel(rounds=8, leaves=4, candidates=6),
    }[name]


@pytest.fixture
def cohort() -> Callable[..., Cohort]:
    return make_cohort


@pytest.fixture(params=["linear", "boosted", "hybrid", "ranker"])
def model(request: pytest.FixtureRequest) -> Any:
    """An unfitted model of each kind, small enough for tests."""
    return small_model(request.param)


@pytest.fixture
def named_model() -> Callable[[str], Any]:
    return small_model
