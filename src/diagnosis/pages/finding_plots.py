"""Plots of what a model has learned: bars, a swarm of cases, a course over values. Plain values in, a `Plot` out.

Blue and brown are told apart by every eye and in print; the swarm's shades run from light to dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from diagnosis.pages.plot import Plot
from diagnosis.pages.plot_fonts import families
from diagnosis.pages.translations import check_language, phrase

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["bar_plot", "course_plot", "swarm_plot"]

FloatArray = npt.NDArray[np.float64]

_FOR, _AGAINST, _GREY, _RULE, _INK = "#0a5f86", "#b35900", "#64798a", "#d3dbe2", "#16212b"
_ROW, _SIZE = 0.34, 10.0
_STATES = ("present", "absent", "uncertain")


def bar_plot(
    title: str,
    names: Sequence[str],
    importance: Sequence[float],
    signs: Sequence[int],
    notes: Sequence[str],
    spans: Sequence[tuple[float, float] | None],
    lang: str = "en",
) -> Plot:
    """Draw how much findings count, the strongest on top.

    Parameters
    ----------
    title : str
    names : sequence of str
    importance : sequence of float, nats
    signs : sequence of int
        1: speaks for, -1: against, 0: either.
    notes : sequence of str
        Shown behind the bar.
    spans : sequence of (float, float) or None
        Where importance lies over refits.
    """
    check_language(lang)
    figure, axes = _canvas(title, max(len(names), 1))
    place = np.arange(len(names))[::-1]
    colours = [_FOR if sign > 0 else _AGAINST if sign < 0 else _GREY for sign in signs]
    axes.barh(place, importance, height=0.66, color=colours)
    most = max([*importance, *(high for span in spans if span for high in span), 1e-9])
    for at, x, note, span in zip(place, importance, notes, spans, strict=True):
        end = x
        if span is not None:
            axes.plot(span, (at, at), color=_INK, linewidth=1.4, solid_capstyle="butt")
            end = max(x, span[1])
        axes.text(end + 0.015 * most, at, note, va="center", fontsize=_SIZE - 1, color=_INK)
    axes.set_yticks(place, names)
    axes.set_xlim(0, most * 1.45)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlabel(phrase("plot.importance", lang))
    _legend(axes, signs, lang)
    return _finished(figure, [title, *names, *notes], lang)


def swarm_plot(
    title: str, names: Sequence[str], contributions: FloatArray, numbers: FloatArray, lang: str = "en"
) -> Plot:
    """Draw every case as a dot: to the right the finding speaks for the diagnosis, to the left against it.

    Parameters
    ----------
    title : str
    names : sequence of str, length n_findings
    contributions : ndarray of shape (n_cases, n_findings), nats
    numbers : ndarray of shape (n_cases, n_findings)
        What is recorded: a value, present 1, absent 0; nan: nothing, no dot.
    """
    check_language(lang)
    figure, axes = _canvas(title, max(len(names), 1))
    place = np.arange(len(names))[::-1]
    shades = None
    for at, added, seen in zip(place, contributions.T, numbers.T, strict=True):
        there = np.isfinite(seen)
        if there.any():
            x, shade = added[there], _ranks(seen[there])
            look: dict[str, Any] = {"c": shade, "cmap": "cividis_r", "vmin": 0.0, "vmax": 1.0, "alpha": 0.85}
            shades = axes.scatter(x, at + _spread(x), s=11, linewidths=0.3, edgecolors=_INK, **look)
    axes.axvline(0.0, color=_INK, linewidth=0.8)
    axes.set_yticks(place, names)
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.set_xlabel(phrase("plot.log_factor", lang))
    if shades is not None:
        shown = figure.colorbar(shades, ax=axes, pad=0.02, aspect=30)
        shown.set_ticks([0.0, 1.0], labels=[phrase("plot.low", lang), phrase("plot.high", lang)])
        shown.outline.set_visible(False)
    return _finished(figure, [title, *names], lang)


def course_plot(
    title: str,
    axis: str,
    cells: npt.NDArray[np.object_],
    contributions: FloatArray,
    steps: Sequence[tuple[str, float | None, float]],
    lang: str = "en",
) -> Plot:
    """Draw what a finding adds over what was recorded of it.

    Parameters
    ----------
    title, axis : str
        `axis` names the finding and its unit.
    cells : ndarray of object, shape (n_cases,)
        A float, or a word.
    contributions : ndarray of shape (n_cases,), nats
    steps : sequence of (label, middle, mean)
        Middle is None for a word.
    """
    check_language(lang)
    figure, axes = _canvas(title, 11)
    number = np.array([isinstance(one, float) for one in cells], dtype=bool)
    values = cells[number].astype(np.float64)
    axes.scatter(values, contributions[number], s=14, color=_FOR, alpha=0.35, linewidths=0)
    if course := [(middle, mean) for _, middle, mean in steps if middle is not None]:
        axes.plot(*np.array(course).T, color=_AGAINST, linewidth=2.2, marker="o", markersize=5)
    ticks = _round_ticks(values)
    step = float(np.ptp(values) or 1.0) * 0.12 if len(values) else 1.0
    start = float(values.max()) + step if len(values) else 0.0
    words = [(label, mean) for label, middle, mean in steps if middle is None]
    for i, (word, mean) in enumerate(words):
        y, x = contributions[~number & (cells == word)], start + i * step
        axes.scatter(x + 0.25 * step * _spread(y), y, s=14, color=_FOR, alpha=0.35, linewidths=0)
        axes.plot((x - 0.3 * step, x + 0.3 * step), (mean, mean), color=_AGAINST, linewidth=2.4)
        ticks.append((x, phrase(f"state.{word}", lang) if word in _STATES else word))
    axes.set_xticks([x for x, _ in ticks], [label for _, label in ticks])
    axes.axhline(0.0, color=_INK, linewidth=0.8)
    axes.set_xlabel(axis)
    axes.set_ylabel(phrase("plot.log_factor", lang))
    return _finished(figure, [title, axis, *(word for word, _ in words)], lang)


def _canvas(title: str, rows: int) -> tuple[Figure, Axes]:
    """An empty plot in the house's style, without a global state: nothing of a notebook's own plots changes."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style: dict[str, Any] = {
        "font.size": _SIZE,
        "axes.edgecolor": _RULE,
        "axes.labelcolor": _INK,
        "text.color": _INK,
        "xtick.color": _INK,
        "ytick.color": _INK,
        "svg.hashsalt": "diagnosis",
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(8.0, 1.5 + _ROW * rows), layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(title, loc="left", fontsize=_SIZE + 2, fontweight="normal")
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(length=0)
        axes.grid(axis="x", color=_RULE, linewidth=0.6)
        axes.set_axisbelow(True)
    return figure, axes


def _finished(figure: Figure, texts: Sequence[str], lang: str) -> Plot:
    """Give every text a font that has its characters."""
    from matplotlib.text import Text

    found = families([*texts, phrase("plot.log_factor", lang)])
    for one in figure.findobj(Text):
        one.set_fontfamily(found)
    return Plot(figure)


def _legend(axes: Axes, signs: Sequence[int], lang: str) -> None:
    from matplotlib.patches import Patch

    kinds = ((1, _FOR, "for"), (-1, _AGAINST, "against"), (0, _GREY, "either"))
    shown = [Patch(color=colour, label=phrase(f"plot.{key}", lang)) for sign, colour, key in kinds if sign in signs]
    axes.legend(handles=shown, loc="lower right", frameon=False, fontsize=_SIZE - 1)


def _ranks(values: FloatArray) -> FloatArray:
    """Values by their rank, from 0 to 1; states stay as they are."""
    if set(np.unique(values).tolist()) <= {0.0, 0.5, 1.0}:
        return values
    _, place = np.unique(values, return_inverse=True)
    found: FloatArray = place / max(int(place.max()), 1)
    return found


def _spread(x: FloatArray) -> FloatArray:
    """Move dots that would lie on each other up and down in turn, at most 0.38 of a row."""
    if not len(x):
        return np.zeros(0)
    width = float(np.ptp(x) or 1.0) / 60
    place = np.round((x - x.min()) / width).astype(np.int64)
    found = np.zeros(len(x))
    for one in np.unique(place):
        at = np.flatnonzero(place == one)
        found[at] = (np.arange(len(at)) + 1) // 2 * np.where(np.arange(len(at)) % 2, 1, -1)
    most = max(float(np.abs(found).max()), 1.0)
    moved: FloatArray = found / most * 0.38 * min(1.0, most / 6)
    return moved


def _round_ticks(values: FloatArray) -> list[tuple[float, str]]:
    if not len(values):
        return []
    from matplotlib.ticker import MaxNLocator

    ticks = MaxNLocator(6).tick_values(float(values.min()), float(values.max()))
    return [(float(x), f"{x:g}") for x in ticks if values.min() <= x <= values.max()]
