"""`CrossEvaluation`: what a design of several fits found, as an object, a table and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from diagnosis.evaluation.evaluation import Evaluation

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CrossEvaluation", "HeldOut", "OptimismOf"]

_SHOWN = ("top.1", "top.3", "top.5", "mrr", "log_loss", "brier", "ece", "calibration.slope", "set.coverage")


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One fit, judged on what was held out from it.

    Parameters
    ----------
    name : str
        ``fold 2``, a site, ``from 2024-05-01``.
    n_train, n_test : int
        Cases learned from; cases with a diagnosis judged on.
    left_out : int
        Cases that left the test side because their patient was trained on.
    values : mapping of str to float or None
        Metrics by path, as in `Scores`; empty where fewer cases than may be shown could be judged.
    """

    name: str
    n_train: int
    n_test: int
    left_out: int
    values: Mapping[str, float | None] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        counts = {"name": self.name, "n_train": self.n_train, "n_test": self.n_test, "left_out": self.left_out}
        return counts | {"values": dict(self.values)}


@dataclass(frozen=True, slots=True)
class OptimismOf:
    """One metric, corrected for optimism.

    Parameters
    ----------
    metric : str
    apparent : float
        Of the fit on all cases, on those same cases.
    optimism : float
        By how much refits did better on their own draw of patients than on all of them, on average.
    corrected : float
        ``apparent - optimism``, kept within the range of the metric.
    interval : (low, high) or None
        95 % of the corrected figure: the width is that of the cross-validated one over draws of patients.
    out_of_bag : float or None
        Of patients a refit had not drawn: refits see about 63 % of the patients, so this errs to the poor side.
    cross_validated : float or None
        By cross-validation over the same patients.
    believed : bool
        Whether the corrected figure is no better than the interval of the cross-validated one allows (calibration,
        sets and abstention: lies inside it). It is better where the model repeats its training cases nearly without
        error: the bootstrap then takes off too little.
    """

    metric: str
    apparent: float
    optimism: float
    corrected: float
    interval: tuple[float, float] | None
    out_of_bag: float | None
    cross_validated: float | None
    believed: bool

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return plain | {"interval": None if self.interval is None else list(self.interval)}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CrossEvaluation:
    """Every case judged by fits that had not seen its patient.

    Parameters
    ----------
    evaluation : Evaluation
        All judgements together, each case counted once.
    by : str
        What keeps the sides apart: ``patient``, ``site``, ``time``, ``group`` or ``given``.
    method : {"folds", "bootstrap"}
    n_fits : int
    parts : tuple of HeldOut
        Held-out part by part.
    optimism : tuple of OptimismOf
        Metric by metric; empty unless a bootstrap.
    """

    evaluation: Evaluation
    by: str
    method: str
    n_fits: int
    parts: tuple[HeldOut, ...] = ()
    optimism: tuple[OptimismOf, ...] = ()

    @property
    def left_out(self) -> int:
        """Cases that left a test side because their patient was trained on, over all fits."""
        return sum(part.left_out for part in self.parts)

    @property
    def corrected(self) -> dict[str, float]:
        """The corrected metrics that are believed, by path; empty unless a bootstrap."""
        return {one.metric: one.corrected for one in self.optimism if one.believed}

    @property
    def primary(self) -> tuple[float | None, tuple[float, float] | None]:
        """The declared metric with its interval: corrected where that is believed, else of the held-out cases."""
        name = self.evaluation.primary
        for one in self.optimism:
            if one.metric == name and one.believed:
                return one.corrected, one.interval
        return self.evaluation.overall.values[name], self.evaluation.overall.intervals.get(name)

    def to_json(self) -> dict[str, Any]:
        """Return the keys of an evaluation, and `design`: how the fits were laid out, each of them, the optimism."""
        design = {
            "by": self.by,
            "method": self.method,
            "n_fits": self.n_fits,
            "left_out": self.left_out,
            "parts": [part.to_json() for part in self.parts],
            "optimism": [one.to_json() for one in self.optimism],
        }
        return {**self.evaluation.to_json(), "design": design}

    def to_frame(self) -> pd.DataFrame:
        """Return one row a metric in a bootstrap (apparent, optimism, corrected ...), else one row a fit."""
        import pandas as pd

        if self.optimism:
            rows = []
            for one in self.optimism:
                low, high = one.interval or (None, None)
                plain = {name: value for name, value in one.to_json().items() if name != "interval"}
                rows.append(plain | {"low": low, "high": high})
            return pd.DataFrame(rows)
        return pd.DataFrame(
            [
                {"name": p.name, "n_train": p.n_train, "n_test": p.n_test, "left_out": p.left_out, **p.values}
                for p in self.parts
            ]
        )

    def __repr__(self) -> str:
        return "\n\n".join([self._heading(), *self._tables(), repr(self.evaluation)])

    def _repr_html_(self) -> str:
        table = "".join(f"<pre>{escape(text)}</pre>" for text in self._tables())
        return f"<p>{escape(self._heading())}</p>{table}{self.evaluation._repr_html_()}"

    def _heading(self) -> str:
        gone = f"; {self.left_out:,} cases left out, their patient trained on" if self.left_out else ""
        return f"{self.n_fits} fits by {self.by}, each case judged by fits that had not seen its patient{gone}"

    def _tables(self) -> list[str]:
        """The optimism, and part by part, in columns."""
        return [*([self._optimism()] if self.optimism else []), self._parts()]

    def _optimism(self) -> str:
        columns = f"{'apparent':>10}{'optimism':>10}{'corrected':>11}{'95 % interval':>18}"
        rows = [f"{'':20}{columns}{'out of bag':>12}{'cross-validated':>17}"]
        shown = [one for one in self.optimism if one.metric in _SHOWN]
        for one in shown:
            ends = "" if one.interval is None else f"{one.interval[0]:.3f} to {one.interval[1]:.3f}"
            others = ("–" if v is None else f"{v:.3f}" for v in (one.out_of_bag, one.cross_validated))
            numbers = f"{one.apparent:>10.3f}{one.optimism:>10.3f}{one.corrected:>11.3f}{ends:>18}"
            rows.append(f"{one.metric:20}{numbers}{next(others):>12}{next(others):>17}")
        doubted = [one.metric for one in shown if not one.believed]
        if doubted:
            rows.append(
                f"not believed: {', '.join(doubted)}. The model fits its own cases so closely that the bootstrap "
                "corrects too little; take the cross-validated figures."
            )
        return "\n".join(rows)

    def _parts(self) -> str:
        rows = [f"{'held out':20}{'train':>9}{'test':>9}{'left out':>10}{'top-1':>8}{'top-3':>8}{'log-loss':>10}"]
        for part in self.parts:
            values = [part.values.get(name) for name in ("top.1", "top.3", "log_loss")]
            text = ["–" if value is None else f"{value:.3f}" for value in values]
            counts = f"{part.n_train:>9,}{part.n_test:>9,}{part.left_out:>10,}"
            rows.append(f"{part.name[:20]:20}{counts}{text[0]:>8}{text[1]:>8}{text[2]:>10}")
        return "\n".join(rows)
