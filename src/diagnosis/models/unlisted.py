"""Whether a case may have a diagnosis the model was never trained on: from what its own list leaves over.

A softmax divides one among the diagnoses it knows, also where none of them is right. Four things tell: the list is
undecided, its diagnoses do not bring the findings that are there, some of these are rarer with them than without, and
what is written down is not what is usual with them. Which of the four tells most differs from data to data, so each is
brought to one scale by the training cases and they count the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from diagnosis.models.calibration import softmax
from diagnosis.models.protocol import FloatArray, IntArray

__all__ = ["SIGNALS", "Habits", "Unlisted", "learn_unlisted"]

#: What is added up, in this order; see `Habits.signals`.
SIGNALS = ("undecided", "not_explained", "against", "unusual")
# Cases of all diagnoses that a diagnosis leans on.
_STRENGTH = 2.0
_LEAST_DIAGNOSES, _LEAST_CASES = 3, 200


@dataclass(frozen=True, slots=True, eq=False)
class Habits:
    """What cases of each diagnosis usually have written down; made by `Habits.of`.

    Parameters
    ----------
    having : ndarray of shape (n_diagnoses, n_columns)
        Training cases that fill each column.
    n_cases : ndarray of shape (n_diagnoses,)
    base : ndarray of shape (n_columns,)
        Share of all training cases that fill it.
    told : ndarray of shape (n_columns,)
        1 for the columns of findings that are there: present, high, low, a text.
    lift, odds, against : ndarray of shape (n_columns, n_diagnoses)
        Log of the diagnosis's share over that of all cases; log-odds of its share; how rare a finding that is there is
        in all cases (minus log of the share), where it is rarer with the diagnosis.
    usual, spread : ndarray of shape (n_diagnoses,)
        Mean and standard deviation of a case's sum of `odds`, were its columns filled independently.
    """

    having: FloatArray
    n_cases: FloatArray
    base: FloatArray
    told: FloatArray
    lift: FloatArray
    odds: FloatArray
    against: FloatArray
    usual: FloatArray
    spread: FloatArray

    @classmethod
    def of(cls, having: FloatArray, n_cases: FloatArray, told: NDArray[np.bool_]) -> Habits:
        """Count shares from how many cases of each diagnosis fill each column."""
        base = (having.sum(axis=0) + 0.5) / (n_cases.sum() + 1.0)
        rate = (having + _STRENGTH * base) / (n_cases[:, None] + _STRENGTH)
        lift, odds, there = np.log(rate / base), np.log(rate) - np.log1p(-rate), told.astype(np.float64)
        return cls(
            having=having,
            n_cases=n_cases,
            base=base,
            told=there,
            lift=np.ascontiguousarray((lift * there).T),
            odds=np.ascontiguousarray(odds.T),
            against=np.ascontiguousarray(((lift < 0) * -np.log(base) * there).T),
            usual=(rate * odds).sum(axis=1),
            spread=np.maximum(np.sqrt((rate * (1 - rate) * odds**2).sum(axis=1)), 1e-9),
        )

    def signals(self, proba: FloatArray, cells: sparse.csr_matrix, own: IntArray | None = None) -> FloatArray:
        """Return the signals of cases, shape (n_cases, 4); larger speaks for a diagnosis that is not listed.

        Parameters
        ----------
        proba : ndarray of shape (n_cases, n_diagnoses)
        cells : csr_matrix of shape (n_cases, n_columns)
            1 where a column is filled.
        own : ndarray of int, shape (n_cases,), optional
            For training cases: the diagnosis among whose cases each was counted, and is now left out.
        """
        explained, odds, against = cells @ self.lift, cells @ self.odds, cells @ self.against
        if own is not None:
            rows = np.arange(cells.shape[0])
            explained[rows, own], odds[rows, own], against[rows, own] = self._without(own, cells)
        n_told = np.maximum(cells @ self.told, 1.0)
        whole = np.maximum(cells @ (-np.log(self.base) * self.told), 1e-9)
        entropy = -(proba * np.log(np.maximum(proba, 1e-300))).sum(axis=1)
        unusual = (proba * (self.usual - odds) / self.spread).sum(axis=1)
        listed = (proba * explained).sum(axis=1) / n_told
        return np.column_stack([entropy, -listed, (proba * against).sum(axis=1) / whole, unusual])

    def _without(self, own: IntArray, cells: sparse.csr_matrix) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the sums of each case with its own diagnosis, itself taken out of the counts."""
        n, column = cells.shape[0], cells.indices
        case = np.repeat(np.arange(n), np.diff(cells.indptr))
        base, of, told = self.base[column], own[case], self.told[column]
        rate = (self.having[of, column] - 1 + _STRENGTH * base) / (self.n_cases[of] - 1 + _STRENGTH)
        lift = np.log(rate / base)
        parts = (lift * told, np.log(rate) - np.log1p(-rate), -np.log(base) * told * (lift < 0))
        explained, odds, against = (np.bincount(case, part, minlength=n).astype(np.float64) for part in parts)
        return explained, odds, against


@dataclass(frozen=True, slots=True)
class Unlisted:
    """The sum of the signals, each divided by its spread, and from where on a case is flagged.

    Parameters
    ----------
    scale : tuple of float
        Standard deviation of each of `SIGNALS` among training cases, out of fold.
    at : float
        A sum above it is flagged.
    alarms : float
        Share of the training cases above it.
    """

    scale: tuple[float, ...]
    at: float
    alarms: float

    def score(self, signals: FloatArray) -> FloatArray:
        """Return the sum of each case, shape (n_cases,): larger where a listed diagnosis is less likely."""
        found: FloatArray = (signals / np.asarray(self.scale)).sum(axis=1)
        return found

    def to_json(self) -> dict[str, Any]:
        """The rule as plain values."""
        return {"scale": dict(zip(SIGNALS, self.scale, strict=True)), "at": self.at, "alarms": self.alarms}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Unlisted:
        """Read what `to_json` wrote."""
        return cls(tuple(float(plain["scale"][name]) for name in SIGNALS), float(plain["at"]), float(plain["alarms"]))


def learn_unlisted(
    scores: FloatArray, y_index: IntArray, cells: sparse.csr_matrix, habits: Habits, alarms: float
) -> Unlisted | None:
    """Bring the signals to one scale and choose from where on to flag, on training cases.

    Parameters
    ----------
    scores : ndarray of shape (n_cases, n_diagnoses)
        Calibrated, of models that did not see the case.
    y_index : ndarray of int64, shape (n_cases,)
    cells : csr_matrix of shape (n_cases, n_columns)
        1 where a column is filled.
    habits : Habits
    alarms : float
        Share of cases with a listed diagnosis that may be flagged.

    Returns
    -------
    Unlisted or None
        None with fewer than 3 diagnoses or 200 cases.

    Notes
    -----
    Hendrycks, Gimpel: A baseline for detecting misclassified and out-of-distribution examples (ICLR 2017), for the
    first signal; the others are those of a naive Bayes model of the columns.
    """
    if len(scores) < _LEAST_CASES or scores.shape[1] < _LEAST_DIAGNOSES:
        return None
    found = habits.signals(softmax(scores), cells, y_index)
    scale = np.maximum(found.std(axis=0), 1e-9)
    at = float(np.quantile((found / scale).sum(axis=1), 1 - alarms))
    return Unlisted(tuple(float(s) for s in scale), at, alarms)
