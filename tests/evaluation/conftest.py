"""Batches for the tests of evaluation: built from probabilities, everything else plain unless said."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from diagnosis.models.batch import Batch

MakeBatch = Callable[..., Batch]


def _make_batch(
    proba: object,
    diagnoses: object = None,
    *,
    prior: object = None,
    in_set: object = None,
    flagged: object = None,
    abstained: object = None,
    must_not_miss: object = None,
    coverage: float = 0.9,
    reading: str = "posterior",
    nameable: NDArray[np.bool_] | None = None,
) -> Batch:
    p = np.array(proba, dtype=float)
    n, K = p.shape

    def flags(given: object, *shape: int) -> NDArray[np.bool_]:
        return np.zeros(shape, dtype=bool) if given is None else np.array(given, dtype=bool)

    return Batch(
        case_ids=np.array([f"case-{i}" for i in range(n)], dtype=object),
        diagnoses=np.array([f"D{k}" for k in range(K)] if diagnoses is None else diagnoses, dtype=object),
        proba=p,
        in_set=flags(in_set, n, K),
        flagged=flags(flagged, n, K),
        abstained=flags(abstained, n),
        prior=np.full(K, 1 / K) if prior is None else np.array(prior, dtype=float),
        must_not_miss=flags(must_not_miss, K),
        coverage=coverage,
        reading=reading,
        as_of="end",
        n_train=np.full(K, 10),
        nameable=nameable,
    )


@pytest.fixture(scope="session")
def make_batch() -> MakeBatch:
    return _make_batch


@pytest.fixture(scope="session")
def drawn() -> Callable[..., tuple[Batch, NDArray[np.object_], NDArray[np.object_]]]:
    """Cases whose diagnoses follow the batch's own probabilities, a few of them never seen, several a patient."""

    def draw(
        n: int, K: int, seed: int = 0, never: float = 0.05
    ) -> tuple[Batch, NDArray[np.object_], NDArray[np.object_]]:
        rng = np.random.default_rng(seed)
        proba = rng.dirichlet(np.full(K, 0.4), size=n) * 0.98 + 0.02 / K
        column = (proba.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(0, K - 1)
        batch = _make_batch(
            proba,
            prior=rng.dirichlet(np.full(K, 3.0)),
            in_set=proba > 0.1,
            flagged=proba > 0.3,
            abstained=rng.random(n) < 0.1,
            must_not_miss=np.arange(K) < 2,
        )
        truth = batch.diagnoses[column].copy()
        truth[rng.random(n) < never] = "never seen"
        patients = np.array([f"p{i}" for i in rng.integers(max(2, n * 2 // 3), size=n)], dtype=object)
        return batch, truth, patients

    return draw
