"""How what a finding adds runs over its values, or differs between its states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Dependence", "Step", "dependence_of"]

FloatArray = npt.NDArray[np.float64]

_STEPS, _LEAST_A_STEP = 10, 8
_ORDER = ("present", "uncertain", "absent")


@dataclass(frozen=True, slots=True)
class Step:
    """Cases that record about the same, and what that adds in them.

    Parameters
    ----------
    label : str
        The state or text, or the span of values.
    middle : float or None
        Mean of the values; None for a state or a text.
    n : int
    mean, low, high : float, nats
        Mean contribution against the rivals, and its 10 % and 90 % quantiles.
    """

    label: str
    middle: float | None
    n: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Dependence:
    """What one finding adds to one diagnosis, over what was recorded of it.

    Parameters
    ----------
    diagnosis, finding : str
        Codes.
    diagnosis_name, finding_name : str
    unit : str or None
    steps : tuple of Step
        From low to high values, in steps of about as many cases each; then states and texts.
    cells : ndarray of object, shape (n_cases,)
        As recorded, in the cases that do: a float, or a word.
    contributions : ndarray of shape (n_cases,), nats
        Against the rivals in the same case.
    """

    diagnosis: str
    finding: str
    diagnosis_name: str
    finding_name: str
    unit: str | None
    steps: tuple[Step, ...]
    cells: npt.NDArray[np.object_]
    contributions: FloatArray

    def __str__(self) -> str:
        unit = f" [{self.unit}]" if self.unit else ""
        rows = [f"  {one.label:<22} ×{np.exp(one.mean):<7.2g} {one.n} cases" for one in self.steps]
        return "\n".join([f"{self.finding_name}{unit} for {self.diagnosis_name}, against its rivals", *rows])

    def __repr__(self) -> str:
        return f"<Dependence of {self.diagnosis} on {self.finding}: {len(self.cells)} cases, {len(self.steps)} steps>"

    def to_frame(self) -> pd.DataFrame:
        """One row a step: `label`, `middle`, `n`, `mean`, `low`, `high`."""
        import pandas as pd

        columns = ("label", "middle", "n", "mean", "low", "high")
        return pd.DataFrame([{name: getattr(one, name) for name in columns} for one in self.steps], columns=columns)

    def to_json(self) -> dict[str, Any]:
        """The steps as plain values; no case is among them."""
        steps = self.to_frame().to_dict("records")
        plain = [{k: None if v != v else v for k, v in one.items()} for one in steps]
        return {"diagnosis": self.diagnosis, "finding": self.finding, "unit": self.unit, "steps": plain}


def dependence_of(cells: npt.NDArray[np.object_], contributions: FloatArray) -> tuple[Step, ...]:
    """Sum up what cases record of a finding and what it adds.

    Parameters
    ----------
    cells : ndarray of object, shape (n_cases,)
        A float, or a word; none is None.
    contributions : ndarray of shape (n_cases,)
    """
    number = np.array([isinstance(one, float) for one in cells], dtype=bool)
    made = _over_values(cells[number].astype(np.float64), contributions[number])
    words = {str(one) for one in cells[~number]}
    for word in sorted(words, key=lambda one: (_ORDER.index(one) if one in _ORDER else len(_ORDER), one)):
        at = ~number & (cells == word)
        made.append(_step(word, None, contributions[at]))
    return tuple(made)


def _over_values(values: FloatArray, contributions: FloatArray) -> list[Step]:
    if not len(values):
        return []
    n_steps = min(_STEPS, max(1, len(values) // _LEAST_A_STEP))
    edges = np.unique(np.quantile(values, np.linspace(0.0, 1.0, n_steps + 1)))
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, max(len(edges) - 2, 0))
    made = []
    for one in np.unique(place):
        at = place == one
        label = f"{values[at].min():.4g} to {values[at].max():.4g}"
        made.append(_step(label, float(values[at].mean()), contributions[at]))
    return made


def _step(label: str, middle: float | None, contributions: FloatArray) -> Step:
    low, high = np.quantile(contributions, [0.1, 0.9])
    return Step(label, middle, len(contributions), float(contributions.mean()), float(low), float(high))
