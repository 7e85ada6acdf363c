"""Plots of an evaluation as SVG: plain numbers in, text out. The same numbers give the same bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["calibration_plot", "groups_plot"]

_INK, _BLUE = "#333333", "#1f5fa8"


def calibration_plot(confidence: Sequence[float], accuracy: Sequence[float], n: Sequence[int]) -> str:
    """Draw how often the first suggestion is right, by how probable it was said to be.

    Parameters
    ----------
    confidence, accuracy : sequence of float
        Of each bin, in 0 to 1.
    n : sequence of int
        Cases in each bin.
    """
    figure, axes = _axes(5.0, 4.6)
    axes.plot([0, 1], [0, 1], color=_INK, linewidth=0.8, linestyle="--", label="as said")
    most = max(n, default=1)
    axes.scatter(confidence, accuracy, s=[12 + 60 * one / most for one in n], color=_BLUE, label="as it was")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability of the first suggestion", ylabel="share that was right")
    axes.legend(frameon=False, loc="upper left")
    return _svg(figure)


def groups_plot(rows: Mapping[str, tuple[float, tuple[float, float] | None]], label: str) -> str:
    """Draw one measure for each group, with its interval where there is one.

    Parameters
    ----------
    rows : mapping of str to (float, (float, float) or None)
        Value and ends of the interval by the name of the group.
    label : str
        Of the measure.
    """
    figure, axes = _axes(6.0, 1.0 + 0.32 * max(len(rows), 1))
    names = list(rows)
    for place, name in enumerate(names):
        value, ends = rows[name]
        if ends is not None:
            axes.plot(ends, [place, place], color=_BLUE, linewidth=1.2)
        axes.plot([value], [place], marker="o", markersize=5, color=_BLUE)
    axes.set(xlabel=label, yticks=range(len(names)), yticklabels=names)
    axes.invert_yaxis()
    return _svg(figure)


def _axes(width: float, height: float) -> tuple[Figure, Any]:
    # Without pyplot: no global state, no window, no back end to choose.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Figure) -> str:
    from matplotlib import rc_context

    out = io.StringIO()
    with rc_context({"svg.hashsalt": "diagnosis", "svg.fonttype": "none"}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()
