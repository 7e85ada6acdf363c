"""Which cells of a table are too small to show, and which must go with them so that the total does not tell them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["hidden_cells", "is_small"]


def is_small(sides: tuple[int, ...], least: int) -> bool:
    """Whether a cell speaks of too few on one of its sides; none at all tells of nobody."""
    return any(0 < n < least for n in sides)


def hidden_cells(cells: Mapping[str, tuple[int, ...]], least: int) -> frozenset[str]:
    """Return the cells that may not be shown beside the total of all.

    What is hidden is together what all less the shown cells leave. Where that is too few on one side, the smallest
    cell that makes it enough is hidden as well, or else the largest (complementary suppression: Hundepool et al.,
    Statistical Disclosure Control, Wiley 2012, chapter 4). Another table of the same cases, by other groups or of
    another month, may still tell what this one hides.

    Parameters
    ----------
    cells : mapping of a cell's name to its counts
        One count a side of the cell: ``(n,)``, or those with and those without something, ``(k, n - k)``.
    least : int
        The smallest count that may be shown.

    Examples
    --------
    >>> sorted(hidden_cells({"female": (90,), "male": (70,), "other": (3,)}, 10))
    ['male', 'other']
    >>> sorted(hidden_cells({"north": (90,), "south": (9,), "west": (3,)}, 10))
    ['south', 'west']
    """
    order = sorted(cells, key=lambda cell: (sum(cells[cell]), cell))
    hidden = [cell for cell in order if is_small(cells[cell], least)]
    rest = [cell for cell in order if cell not in set(hidden)]
    total = _added([cells[cell] for cell in hidden])
    while hidden and rest and is_small(total, least):
        enough = (cell for cell in rest if not is_small(_added([total, cells[cell]]), least))
        taken = next(enough, rest[-1])
        rest.remove(taken)
        hidden.append(taken)
        total = _added([total, cells[taken]])
    return frozenset(hidden)


def _added(cells: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the counts of all of them together, side by side."""
    return tuple(sum(side) for side in zip(*cells, strict=True))
