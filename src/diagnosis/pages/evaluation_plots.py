"""Plots of an evaluation: calibration, abstention, usefulness, burden, groups, sites. Plain values in, a `Plot` out.

Blue and brown are told apart by every eye and in print; every axis says what it counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from diagnosis.pages.plot import Plot
from diagnosis.pages.plot_fonts import families

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["burden_plot", "decision_plot", "groups_plot", "matrix_plot", "reliability_plot", "risk_coverage_plot"]

Ends = tuple[float, float] | None

_BLUE, _BROWN, _GREY, _INK = "#0a5f86", "#b35900", "#64798a", "#16212b"
_ROW = 0.3


def reliability_plot(
    confidence: Sequence[float], accuracy: Sequence[float], n: Sequence[int], ends: Sequence[Ends] = ()
) -> Plot:
    """Draw how often the first suggestion is right, by how probable it was said to be.

    Parameters
    ----------
    confidence, accuracy : sequence of float
        Of each bin, from 0 to 1.
    n : sequence of int
        Cases in each bin: the area of its point.
    ends : sequence of (low, high) or None
        Interval of the accuracy of each bin.
    """
    figure, axes = _axes(4.8, 4.6)
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle="--", label="as promised")
    for x, between in zip(confidence, ends, strict=False):
        if between is not None:
            axes.plot([x, x], between, color=_BLUE, linewidth=1.2)
    most = max(n, default=1)
    axes.scatter(
        confidence,
        accuracy,
        s=[14 + 60 * one / most for one in n],
        color=_BLUE,
        zorder=3,
        clip_on=False,
        label="as it was",
    )
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability of the first suggestion", ylabel="share that was right")
    axes.legend(frameon=False, loc="upper left")
    return Plot(figure)


def risk_coverage_plot(coverage: Sequence[float], risk: Sequence[float], best: Sequence[float] | None = None) -> Plot:
    """Draw the error among the cases that are answered, over the share that is: the surest first.

    Parameters
    ----------
    coverage : sequence of float
        Share of cases answered.
    risk : sequence of float
        Share of these whose first suggestion is wrong.
    best : sequence of float, optional
        What a model would reach that puts every wrong case last.
    """
    figure, axes = _axes(4.8, 3.8)
    axes.plot(coverage, risk, color=_BLUE, linewidth=1.8, label="this model")
    if best is not None:
        axes.plot(coverage, best, color=_GREY, linewidth=1, linestyle="--", label="every wrong case last")
        axes.legend(frameon=False, loc="upper left")
    axes.set(xlim=(0, 1), ylim=(0, None), xlabel="share of cases answered, the surest first", ylabel="wrong among them")
    return Plot(figure)


def decision_plot(
    thresholds: Sequence[float],
    names: Sequence[str],
    net_benefit: npt.NDArray[np.float64],
    treat_all: npt.NDArray[np.float64],
) -> Plot:
    """Draw decision curves, a panel a diagnosis: net benefit of acting on the model, on everyone, on nobody.

    Parameters
    ----------
    thresholds : sequence of float
    names : sequence of str
    net_benefit, treat_all : ndarray of shape (n_names, n_thresholds)
    """
    columns = min(3, max(len(names), 1))
    rows = math.ceil(max(len(names), 1) / columns)
    figure = _figure(3.1 * columns, 2.5 * rows)
    for place, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, place + 1)
        _plain(axes)
        top = max(float(net_benefit[place].max()), 0.01)
        axes.plot(thresholds, net_benefit[place], color=_BLUE, linewidth=1.6, label="by the model")
        axes.plot(thresholds, treat_all[place], color=_BROWN, linewidth=1, linestyle=":", label="everyone")
        axes.axhline(0, color=_GREY, linewidth=1, label="nobody")
        axes.set(ylim=(-0.25 * top, 1.15 * top))
        axes.set_title(_short(name), fontsize=9, family=families([name]), loc="left")
        axes.tick_params(labelsize=8)
        if place == 0:
            axes.legend(frameon=False, fontsize=7)
    figure.supxlabel("probability from which one would act", fontsize=9)
    figure.supylabel("net benefit a case", fontsize=9)
    return Plot(figure)


def burden_plot(flags: Sequence[float], sensitivity: Sequence[float], ends: Sequence[Ends], at: float | None) -> Plot:
    """Draw the share of must-not-miss cases that are flagged over the flags raised a case.

    Parameters
    ----------
    flags : sequence of float
        Flags a case, at one threshold after the other.
    sensitivity : sequence of float
    ends : sequence of (low, high) or None
        Intervals of the sensitivity.
    at : float or None
        Flags a case of the policy in use.
    """
    figure, axes = _axes(4.8, 3.8)
    low = [s if e is None else e[0] for s, e in zip(sensitivity, ends, strict=True)]
    high = [s if e is None else e[1] for s, e in zip(sensitivity, ends, strict=True)]
    axes.fill_between(flags, low, high, color=_BLUE, alpha=0.15, linewidth=0)
    axes.plot(flags, sensitivity, color=_BLUE, linewidth=1.8)
    if at is not None:
        axes.axvline(at, color=_BROWN, linewidth=1.2, linestyle="--")
        axes.annotate("policy in use", (at, 0.02), xytext=(4, 0), textcoords="offset points", color=_BROWN, fontsize=9)
    axes.set(xlim=(0, None), ylim=(0, 1.02), xlabel="flags a case", ylabel="must-not-miss cases flagged")
    return Plot(figure)


def groups_plot(rows: Mapping[str, tuple[float, Ends]], label: str, everyone: float | None = None) -> Plot:
    """Draw one measure for each group with its interval.

    Parameters
    ----------
    rows : mapping of str to (float, (low, high) or None)
    label : str
        Of the measure.
    everyone : float, optional
        The same of all cases together.
    """
    figure, axes = _axes(6.2, 0.9 + _ROW * max(len(rows), 1))
    if everyone is not None:
        axes.axvline(everyone, color=_GREY, linewidth=1, linestyle="--")
    for place, (value, ends) in enumerate(rows.values()):
        if ends is not None:
            axes.plot(ends, [place, place], color=_BLUE, linewidth=1.4)
        axes.plot([value], [place], marker="o", markersize=5, color=_BLUE)
    axes.set(xlabel=label, yticks=range(len(rows)))
    axes.set_yticklabels([_short(name) for name in rows], family=families(rows))
    axes.invert_yaxis()
    return Plot(figure)


def matrix_plot(
    rows: Sequence[str], columns: Sequence[str], values: npt.NDArray[np.float64], label: str, *, low_is_good: bool
) -> Plot:
    """Draw a measure by where was learned (rows) and where was judged (columns); every cell says its number.

    Parameters
    ----------
    rows, columns : sequence of str
    values : ndarray of shape (n_rows, n_columns)
        nan where it is not known.
    label : str
    low_is_good : bool
        Darker is better.
    """
    figure, axes = _axes(2.6 + 0.85 * len(columns), 1.5 + 0.5 * len(rows))
    image = axes.pcolormesh(values, cmap="Blues_r" if low_is_good else "Blues", edgecolor="white", linewidth=1)
    axes.invert_yaxis()
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            shade = image.norm(value)
            ink = "white" if (shade < 0.45 if low_is_good else shade > 0.55) else _INK
            axes.text(column + 0.5, row + 0.5, f"{value:.2f}", ha="center", va="center", color=ink, fontsize=9)
    axes.set(xlabel="judged at", ylabel="learned at")
    axes.set_xticks([place + 0.5 for place in range(len(columns))])
    axes.set_yticks([place + 0.5 for place in range(len(rows))])
    axes.set_xticklabels([_short(one, 14) for one in columns], rotation=30, ha="right", family=families(columns))
    axes.set_yticklabels([_short(one, 18) for one in rows], family=families(rows))
    axes.set_title(label, fontsize=10, loc="left")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return Plot(figure)


def _short(name: str, most: int = 34) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _figure(width: float, height: float) -> Figure:
    # Without pyplot: no global state, no window, no back end to choose.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _axes(width: float, height: float) -> tuple[Figure, Any]:
    figure = _figure(width, height)
    axes = figure.add_subplot()
    _plain(axes)
    return figure, axes


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
