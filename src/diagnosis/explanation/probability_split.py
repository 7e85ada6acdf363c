"""The shown probability as a sum: what each finding adds to it, exactly, along the straight path from base to score."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from diagnosis.errors import InputError, WorkError
from diagnosis.pages.translations import phrase

if TYPE_CHECKING:
    import pandas as pd

    from diagnosis.explanation.evidence import Line

__all__ = ["ProbabilitySplit", "split_probability"]

FloatArray = npt.NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
# What a panel of the path may miss; their errors together stay far under the 1e-9 that is promised.
_CLOSE = 1e-13
_FIRST_PANELS = 8
_MOST_HALVINGS = 60
# Lines named in print.
_SHOWN = 4


@dataclass(frozen=True, slots=True, eq=False)
class ProbabilitySplit:
    """Probabilities taken apart: ``probability == base + sum over lines`` for every diagnosis, to 1e-9.

    Rows are the explained diagnoses, and last all other diagnoses of the model held together. What a line gives to one
    row it takes from the others: each column of `lines` sums to 0, and the bases sum to 1.

    Parameters
    ----------
    diagnoses : tuple of str
    probability, base : ndarray of shape (n_diagnoses + 1,)
        As shown, and before any line moves a score.
    lines : ndarray of shape (n_diagnoses + 1, n_lines)
        In probability: 0.1 is ten percentage points.
    findings : tuple of Line
        What each column is, as in the first suggestion of the evidence.
    names : tuple of str
        Names of the diagnoses.
    said : tuple of str
        The findings by name, as recorded: what is printed.
    lang : str
        Language of the names and words.
    """

    diagnoses: tuple[str, ...]
    probability: FloatArray
    base: FloatArray
    lines: FloatArray
    findings: tuple[Line, ...] = field(repr=False)
    names: tuple[str, ...] = field(repr=False)
    said: tuple[str, ...] = field(repr=False)
    lang: str = field(default="en", repr=False)

    def of(self, diagnosis: str) -> dict[tuple[str | None, str], float]:
        """What each line (code, state) adds to the probability of a diagnosis, largest first."""
        if diagnosis not in self.diagnoses:
            raise InputError(
                "asked how the probability of a diagnosis is made up",
                f"{diagnosis!r} is not among the {len(self.diagnoses)} explained",
                "name it in explain(diagnoses=[...])",
                near=[d for d in self.diagnoses if d.casefold() == diagnosis.casefold()],
            )
        row = self.lines[self.diagnoses.index(diagnosis)]
        order = np.argsort(-np.abs(row), kind="stable")
        return {(self.findings[i].code, self.findings[i].state): float(row[i]) for i in order}

    def __str__(self) -> str:
        """Each diagnosis with what adds most to its probability and takes most from it, in percentage points."""
        rows = []
        for i, name in enumerate((*self.names, phrase("split.others", self.lang))):
            order = np.argsort(-np.abs(self.lines[i]), kind="stable")[:_SHOWN]
            parts = [f"{self.said[k]} {100 * self.lines[i, k]:+.1f}" for k in order]
            values = {
                "name": name,
                "shown": f"{100 * self.probability[i]:.1f}",
                "base": f"{100 * self.base[i]:.1f}",
                "parts": phrase("comma", self.lang).join(parts),
                "rest": f"{100 * float(np.delete(self.lines[i], order).sum()):+.1f}",
            }
            rows.append(phrase("split.row", self.lang, values))
        return "\n".join(rows)

    def to_frame(self) -> pd.DataFrame:
        """One row a diagnosis (the others last, named ``others``), columns: probability, base, then the lines."""
        import pandas as pd

        names = [line.code or line.state for line in self.findings]
        table = np.column_stack([self.probability, self.base, self.lines])
        index = pd.Index([*self.diagnoses, "others"], name="diagnosis")
        return pd.DataFrame(table, index=index, columns=["probability", "base", *names])

    def to_json(self) -> dict[str, Any]:
        """The split as plain values."""
        return {
            "diagnoses": [*self.diagnoses, "others"],
            "probability": self.probability.tolist(),
            "base": self.base.tolist(),
            "contributions": [
                {"code": line.code, "state": line.state, "in_probability": self.lines[:, i].tolist()}
                for i, line in enumerate(self.findings)
            ],
        }


def split_probability(base: FloatArray, lines: FloatArray, others: float) -> tuple[FloatArray, FloatArray]:
    """Split softmax probabilities into what each line of the scores adds to them.

    Parameters
    ----------
    base : ndarray of shape (m,), log scale
    lines : ndarray of shape (m, n_lines), log scale
        ``base + lines.sum(1)`` are the scores.
    others : float, log scale
        Logarithm of the summed exponentials of all other scores, held where it is along the path; -inf: none.

    Returns
    -------
    start : ndarray of shape (m + 1,)
        Probabilities at the base; the last row is that of the others.
    parts : ndarray of shape (m + 1, n_lines)
        ``start + parts.sum(1)`` are the probabilities at the scores, to 1e-9.

    Notes
    -----
    The Aumann-Shapley value: each line's share of the change along the straight path from base to score (Aumann,
    Shapley: Values of Non-Atomic Games, 1974; for models of many inputs Sundararajan, Taly, Yan: Axiomatic attribution
    for deep networks, ICML 2017). Along the path ``d p_i = sum_j p_i (1[i = j] - p_j) d s_j``, so one integral of that
    matrix serves all lines. It is taken by Gauss-Legendre of 16 nodes on panels of the path, each halved until it gives
    the exact change over the panel to 1e-13.
    """
    move = lines.sum(axis=1)
    jacobian = _integral(base, move, others)
    parts = jacobian @ lines
    start, end = (_softmax(base + t * move, others) for t in (0.0, 1.0))
    missed = float(np.abs(start + parts.sum(axis=1) - end).max())
    if missed > 1e-9:
        raise WorkError(f"the split of a probability should be exact to 1e-9, and misses {missed:.1e}")
    return start, parts


def _softmax(scores: FloatArray, others: float) -> FloatArray:
    """Probabilities along the last axis, the others' share behind them."""
    whole = np.concatenate([scores, np.full((*scores.shape[:-1], 1), others)], axis=-1)
    e = np.exp(whole - whole.max(axis=-1, keepdims=True))
    found: FloatArray = e / e.sum(axis=-1, keepdims=True)
    return found


def _integral(base: FloatArray, move: FloatArray, others: float) -> FloatArray:
    """The mean of ``dp / ds`` over the path, shape (m + 1, m)."""
    m = len(base)
    found = np.zeros((m + 1, m))
    edges = np.linspace(0.0, 1.0, _FIRST_PANELS + 1)
    low, high = edges[:-1], edges[1:]
    for _ in range(_MOST_HALVINGS):
        half, middle = (high - low) / 2, (high + low) / 2
        t = middle[:, None] + half[:, None] * _NODES
        p = _softmax(base + t[..., None] * move, others)
        weight = half[:, None] * _WEIGHTS
        panels = -np.einsum("an,ani,anj->aij", weight, p, p[..., :m])
        panels[:, np.arange(m), np.arange(m)] += np.einsum("an,ani->ai", weight, p[..., :m])
        exact = _softmax(base + high[:, None] * move, others) - _softmax(base + low[:, None] * move, others)
        missed = np.abs(panels @ move - exact).max(axis=1)
        fine = (missed <= _CLOSE) | (half < 1e-15)
        found += panels[fine].sum(axis=0)
        low, high, middle = low[~fine], high[~fine], middle[~fine]
        if not len(low):
            break
        low, high = np.concatenate([low, middle]), np.concatenate([middle, high])
    return found
