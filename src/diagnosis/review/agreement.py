"""How far reviewers agree with the model and with each other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from diagnosis.review.answer import Review
from diagnosis.review.in_view import by_view

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ReviewAgreement", "agreement_of", "kappa", "latest"]

_Z = 1.959963984540054  # two-sided 95 %
# A variance below is that of no variance at all, and of rounding.
_NOTHING = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class ReviewAgreement:
    """How far reviewers agree with the model and with each other.

    Parameters
    ----------
    with_model : DataFrame, a row a reviewer and one ``all``
        ``n`` answers that name a diagnosis; ``first``, ``listed``: share whose diagnosis was first, or on the list;
        ``n_before``: answers with a first idea from before the list was revealed; ``before_first``, ``before_listed``:
        the same shares for that idea; ``n_apart``: first ideas that were not first on the list; ``moved_to_first``:
        share of these that ended as the first of the list (reliance, right or wrong); ``n_withheld``: those of the
        ``n`` whose list was never in view; ``cannot_say``: answers without one; ``median_seconds``.
    between : DataFrame, a row a pair of reviewers
        ``n`` cases both judged; ``agreement``: share with the same diagnosis; Cohen's ``kappa`` with its 95 % interval
        ``low``, ``high`` (Fleiss, Cohen & Everitt 1969); nan where it is not defined.
    by_view : DataFrame
        What seeing the list does: how often its first diagnosis was named as the ``first idea``, with the list ``in
        view`` and where it was ``withheld``, and the differences, each with ``n`` answers and a 95 % interval ``low``,
        ``high``.
    """

    with_model: pd.DataFrame
    between: pd.DataFrame
    by_view: pd.DataFrame

    def __repr__(self) -> str:
        pairs = _text(self.between) if len(self.between) else "no case has two reviewers"
        return f"{_text(self.with_model)}\n\nfirst of the list named\n{_text(self.by_view)}\n\n{pairs}"

    def _repr_html_(self) -> str:
        tables = (self.with_model, self.by_view, self.between)
        return "".join(str(one.to_html(float_format="{:.3f}".format, na_rep="–")) for one in tables)

    def to_json(self) -> dict[str, Any]:
        """Every table as plain values; a share that is not defined is None."""
        return {
            "with_model": _plain(self.with_model.reset_index(names="reviewer")),
            "between": _plain(self.between),
            "by_view": _plain(self.by_view.reset_index(names="list")),
        }


def latest(reviews: Iterable[Review]) -> list[Review]:
    """Return each reviewer's last answer to each case; who answers again takes the earlier answer back."""
    kept: dict[tuple[str, str], Review] = {}
    for one in reviews:
        kept.pop((one.reviewer, one.case_id), None)
        kept[one.reviewer, one.case_id] = one
    return list(kept.values())


def agreement_of(reviews: Sequence[Review]) -> ReviewAgreement:
    """Compare reviewers with the model and with each other, by each one's last answer to a case."""
    import pandas as pd

    last = latest(reviews)
    names = sorted({one.reviewer for one in last})
    rows = {name: _beside_model([one for one in last if one.reviewer == name]) for name in names}
    rows["all"] = _beside_model(last)
    judged = {name: {r.case_id: r.diagnosis for r in last if r.reviewer == name and r.diagnosis} for name in names}
    pairs = [{"one": a, "other": b, **_beside_another(judged[a], judged[b])} for a, b in combinations(names, 2)]
    columns = ["one", "other", "n", "agreement", "kappa", "low", "high"]
    between = pd.DataFrame([pair for pair in pairs if pair["n"]], columns=columns)
    return ReviewAgreement(pd.DataFrame.from_dict(rows, orient="index"), between, by_view(last))


def kappa(one: Sequence[str], other: Sequence[str]) -> tuple[float, float, float]:
    """Return Cohen's kappa of two judgements of the same cases, with a 95 % interval.

    The interval takes the large-sample standard error of Fleiss, Cohen & Everitt, *Psychological Bulletin* 72 (1969),
    323-327, formula 13. Where both name one and the same diagnosis throughout, kappa is not defined: nan. Nor is
    the interval of a single case, or where the standard error is 0, as when all agree.

    Examples
    --------
    >>> [round(x, 3) for x in kappa(["flu", "flu", "cold", "cold"], ["flu", "cold", "cold", "cold"])]
    [0.5, -0.235, 1.0]
    """
    names, codes = np.unique([*one, *other], return_inverse=True)
    table: npt.NDArray[np.float64] = np.zeros((len(names), len(names)))
    np.add.at(table, (codes[: len(one)], codes[len(one) :]), 1.0)
    n = table.sum()
    p = table / n
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    seen, chance = float(np.trace(p)), float(rows @ columns)
    if chance >= 1:
        return math.nan, math.nan, math.nan
    value = (seen - chance) / (1 - chance)
    diagonal = float((np.diag(p) * (1 - (rows + columns) * (1 - value)) ** 2).sum())
    sums = (columns[:, None] + rows[None, :]) ** 2
    apart = float((p * sums).sum() - (np.diag(p) * np.diag(sums)).sum())
    variance = diagonal + (1 - value) ** 2 * apart - (value - chance * (1 - value)) ** 2
    if n < 2 or variance < _NOTHING:
        return value, math.nan, math.nan
    error = math.sqrt(variance / n) / (1 - chance)
    return value, max(value - _Z * error, -1.0), min(value + _Z * error, 1.0)


def _beside_model(reviews: Sequence[Review]) -> dict[str, float]:
    named = [r for r in reviews if r.verdict != "cannot_say"]
    before = [r for r in reviews if r.first_idea is not None and r.shown]
    apart = [r for r in before if r.first_idea != r.shown[0][0] and r.saw_model]
    spent = [r.seconds for r in reviews if r.seconds is not None]
    return {
        "n": len(named),
        "first": _share([bool(r.shown) and r.diagnosis == r.shown[0][0] for r in named]),
        "listed": _share([r.diagnosis in dict(r.shown) for r in named]),
        "n_before": len(before),
        "before_first": _share([r.first_idea == r.shown[0][0] for r in before]),
        "before_listed": _share([r.first_idea in dict(r.shown) for r in before]),
        "n_apart": len(apart),
        "moved_to_first": _share([r.diagnosis == r.shown[0][0] for r in apart]),
        "n_withheld": sum(not r.saw_model for r in named),
        "cannot_say": len(reviews) - len(named),
        "median_seconds": float(np.median(spent)) if spent else math.nan,
    }


def _beside_another(one: dict[str, str], other: dict[str, str]) -> dict[str, float]:
    both = sorted(one.keys() & other.keys())
    if not both:
        return {"n": 0}
    left, right = [one[c] for c in both], [other[c] for c in both]
    value, low, high = kappa(left, right)
    same = _share([a == b for a, b in zip(left, right, strict=True)])
    return {"n": len(both), "agreement": same, "kappa": value, "low": low, "high": high}


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits) if hits else math.nan


def _text(table: pd.DataFrame) -> str:
    return str(table.to_string(float_format="{:.3f}".format, na_rep="–"))


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(k): None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
        for row in table.to_dict("records")
    ]
