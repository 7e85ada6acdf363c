"""What seeing the list does: how often reviewers name its first diagnosis before it, with it, and without it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from diagnosis.review.answer import Review

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["by_view", "difference", "paired_difference", "wilson"]

_Z = 1.959963984540054  # two-sided 95 %
_NONE = (math.nan, math.nan)


def by_view(reviews: Sequence[Review]) -> pd.DataFrame:
    """Return how often the first of the list was named, by whether the list was in view.

    ``first idea``: before the list was revealed, of answers that came after it; ``in view``: answers with the list
    revealed; ``withheld``: answers to cases whose list never was. Then two differences: of the same answers before and
    after, and of cases with and without the list. Cases without it are drawn by lot among the calm ones, so that the
    second also holds what makes urgent cases different; answers count as if they were independent.
    """
    import pandas as pd

    asked = [r for r in reviews if r.shown]
    named = [r for r in asked if r.verdict != "cannot_say"]
    ideas = [r for r in asked if r.saw_model and r.first_idea is not None]
    seen = [_is_first(r, r.diagnosis) for r in named if r.saw_model]
    held = [_is_first(r, r.diagnosis) for r in named if not r.saw_model]
    before = [_is_first(r, r.first_idea) for r in ideas]
    both = [(_is_first(r, r.diagnosis), _is_first(r, r.first_idea)) for r in ideas if r.verdict != "cannot_say"]
    rows = {name: _row(hits) for name, hits in (("first idea", before), ("in view", seen), ("withheld", held))}
    rows["in view - first idea"] = _as_row(len(both), *paired_difference(both))
    rows["in view - withheld"] = _as_row(len(seen) + len(held), *difference(seen, held))
    return pd.DataFrame.from_dict(rows, orient="index")


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927); nan of nothing."""
    from scipy.stats import binomtest

    if n == 0:
        return _NONE
    found = binomtest(hits, n).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def difference(one: Sequence[bool], other: Sequence[bool]) -> tuple[float, float, float]:
    """Return the difference of two shares with its 95 % interval (Newcombe, Statistics in Medicine 17 (1998) 873, 10).

    Examples
    --------
    >>> [round(x, 4) for x in difference([True] * 56 + [False] * 14, [True] * 48 + [False] * 32)]
    [0.2, 0.0524, 0.3339]
    """
    if not one or not other:
        return math.nan, *_NONE
    p, q = sum(one) / len(one), sum(other) / len(other)
    (low_p, high_p), (low_q, high_q) = wilson(sum(one), len(one)), wilson(sum(other), len(other))
    return p - q, p - q - math.hypot(p - low_p, high_q - q), p - q + math.hypot(high_p - p, q - low_q)


def paired_difference(pairs: Sequence[tuple[bool, bool]]) -> tuple[float, float, float]:
    """Return the difference of two shares of the same answers with its 95 % interval.

    The adjusted Wald interval of Agresti & Min, Statistics in Medicine 24 (2005) 729: half a pair more in each cell.
    """
    if not pairs:
        return math.nan, *_NONE
    n, more = len(pairs) + 2, sum(a and not b for a, b in pairs) + 0.5
    less = sum(b and not a for a, b in pairs) + 0.5
    middle = (more - less) / n
    half = _Z * math.sqrt((more + less) - (more - less) ** 2 / n) / n
    return (more - less) / len(pairs), max(middle - half, -1.0), min(middle + half, 1.0)


def _is_first(review: Review, diagnosis: str | None) -> bool:
    return diagnosis is not None and diagnosis == review.shown[0][0]


def _row(hits: Sequence[bool]) -> dict[str, float]:
    share = sum(hits) / len(hits) if hits else math.nan
    return _as_row(len(hits), share, *wilson(sum(hits), len(hits)))


def _as_row(n: int, first: float, low: float, high: float) -> dict[str, float]:
    return {"n": n, "first": first, "low": low, "high": high}
