"""What a config is worth by cross-validation on cases to learn from: fold by fold, each patient in one fold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from diagnosis.models.also import AlsoMatrix, also_matrix, rows_also
from diagnosis.models.calibration import fit_temperature, log_softmax
from diagnosis.models.crossfit import fold_scores
from diagnosis.models.folds import grouped_folds
from diagnosis.models.protocol import FloatArray, IntArray, Matrix
from diagnosis.models.validation import TrainingSet
from diagnosis.suggestions.learned import label
from diagnosis.training.building import build_diagnoser

if TYPE_CHECKING:
    from diagnosis.records import Records
    from diagnosis.training.schema import Config

__all__ = ["FoldScore", "Folds", "mean_of"]


@dataclass(frozen=True, slots=True)
class FoldScore:
    """What the cases of one fold came to, scored by a model of the others.

    Parameters
    ----------
    n : int
        Cases.
    log_loss : float, nats
    top1 : float
        Share of the cases whose diagnosis comes first and alone.
    """

    n: int
    log_loss: float
    top1: float


@dataclass(frozen=True, slots=True, eq=False)
class Folds:
    """Labelled cases in folds; the same for every config that is compared.

    Parameters
    ----------
    records : Records
        Rare diagnoses are pooled or left out as the config says, once, over all of them.
    y : ndarray of int64, shape (n_cases,)
        Position in `classes`.
    classes : ndarray of shape (n_diagnoses,)
    patient, fold : ndarray of int64, shape (n_cases,)
        Every patient is in one fold.
    also : CSR matrix of shape (n_cases, n_diagnoses), or None
        Diagnoses that a case has too: learning does not take them for wrong.
    """

    records: Records
    y: IntArray
    classes: NDArray[np.object_]
    patient: IntArray
    fold: IntArray
    also: AlsoMatrix = None

    @classmethod
    def of(cls, records: Records, config: Config, n_folds: int) -> Self:
        """Divide training cases, by the label rule and the seed of a config.

        Raises
        ------
        InputError
            For fewer than two diagnoses or patients.
        """
        truth = records.labels(config.labels.status)
        found = label(records, truth, records.groups, config.labels.min_cases, config.labels.rest)
        classes, y = np.unique(found.y.astype(str), return_inverse=True)
        _, patient = np.unique(found.groups.astype(str), return_inverse=True)
        fold = grouped_folds(y, patient, n_folds, config.seed)
        y, patient, also = y.astype(np.int64), patient.astype(np.int64), also_matrix(found.also, classes, y)
        return cls(found.records, y, classes.astype(object), patient, fold, also)

    def __len__(self) -> int:
        return int(self.fold.max()) + 1

    def scores(self, config: Config) -> Iterator[list[FoldScore]]:
        """Fit a config without each fold and judge it there.

        Encoder and model learn from the training part of each fold alone. One temperature is chosen on the held-out
        scores, since a fit calibrates too. A diagnosis that a training part lacks has the floor of
        `models.crossfit.with_floor`.

        Parameters
        ----------
        config : Config
            Only its encoder and its model matter here.

        Yields
        ------
        list of FoldScore
            After each fold, those so far, under the temperature that is best for them together.
        """
        unfitted = build_diagnoser(config)
        assert unfitted.encoder is not None
        held: list[IntArray] = []
        scores: list[FloatArray] = []
        for f in range(len(self)):
            rows, others = np.flatnonzero(self.fold == f), np.flatnonzero(self.fold != f)
            encoder = clone(unfitted.encoder).fit(self.records[others])
            train, held_out = (self._encoded(encoder.transform(self.records[part]), part) for part in (others, rows))
            held.append(rows)
            scores.append(fold_scores(unfitted.model, train, held_out))
            yield _judged(scores, [self.y[rows] for rows in held])

    def _encoded(self, X: Matrix, rows: IntArray) -> TrainingSet:
        also = rows_also(self.also, rows)
        return TrainingSet(X, self.y[rows], self.classes, np.ones(rows.size), self.patient[rows], also)


def _judged(scores: list[FloatArray], truth: list[IntArray]) -> list[FoldScore]:
    beta = fit_temperature(np.concatenate(scores), np.concatenate(truth))
    made = []
    for own, y in zip(scores, truth, strict=True):
        at = np.arange(y.size)
        loss = -log_softmax(beta * own)[at, y].mean()
        first = (own >= own[at, y][:, None]).sum(axis=1) == 1
        made.append(FoldScore(int(y.size), float(loss), float(first.mean())))
    return made


def mean_of(folds: list[FoldScore] | tuple[FoldScore, ...], name: str = "log_loss") -> float:
    """Return the mean of a measure over all cases of the folds."""
    return float(np.average([getattr(one, name) for one in folds], weights=[one.n for one in folds]))
