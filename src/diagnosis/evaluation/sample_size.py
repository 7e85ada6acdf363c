"""Whether there were cases enough to learn each diagnosis: expected shrinkage and the sizes that were needed.

Riley et al., Statistics in Medicine 38:1276 (2019), and BMJ 368:m441 (2020): for a binary outcome, enough cases that
(i) the effects of predictors shrink by no more than a tenth, (ii) the apparent and adjusted Nagelkerke R² differ by no
more than .05, (iii) the overall risk is known to within .05. Of several diagnoses each is taken against the rest; the
criteria of Pate et al. for multinomial models (Statistical Methods in Medical Research 32:555, 2023) look at pairs and
ask for more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from diagnosis.errors import InputError
from diagnosis.evaluation.aligned import aligned, number
from diagnosis.evaluation.small_cells import hidden_cells

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DiagnosisSize", "SampleSize", "expected_shrinkage", "needed_cases", "sample_size"]

_SHRINKAGE = 0.9
_OPTIMISM = 0.05
_MARGIN = 0.05
_NORMAL = 1.96
_USUAL_R2 = 0.15


@dataclass(frozen=True, slots=True)
class DiagnosisSize:
    """One diagnosis against the rest.

    Parameters
    ----------
    diagnosis : str
    n : int
        Its cases.
    r2 : float
        Cox-Snell R² that is assumed.
    shrinkage : float
        Factor by which effects fitted on all cases are expected to shrink in new ones, from 0 to 1; .9 is wanted.
    needed : int
        Cases of all diagnoses together that the three criteria ask for.
    enough : bool
    """

    diagnosis: str
    n: int
    r2: float
    shrinkage: float
    needed: int
    enough: bool


@dataclass(frozen=True, slots=True, repr=False)
class SampleSize:
    """Expected shrinkage of each diagnosis, rarest first; diagnoses that may not be shown are only counted.

    Parameters
    ----------
    n, n_parameters : int
        Training cases; parameters of each diagnosis (columns of the encoder).
    r2_nagelkerke : float
        Assumed share of the largest possible Cox-Snell R².
    diagnoses : tuple of DiagnosisSize
    n_suppressed : int
    """

    n: int
    n_parameters: int
    r2_nagelkerke: float
    diagnoses: tuple[DiagnosisSize, ...]
    n_suppressed: int

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        names = ("diagnosis", "n", "r2", "shrinkage", "needed", "enough")
        return {
            "n": self.n,
            "n_parameters": self.n_parameters,
            "r2_nagelkerke": self.r2_nagelkerke,
            "n_suppressed": self.n_suppressed,
            "diagnoses": [{name: getattr(one, name) for name in names} for one in self.diagnoses],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row a diagnosis."""
        import pandas as pd

        return pd.DataFrame(self.to_json()["diagnoses"])

    def __repr__(self) -> str:
        short = sum(not one.enough for one in self.diagnoses)
        head = (
            f"{self.n:,} cases, {self.n_parameters:,} parameters a diagnosis, Nagelkerke R² {self.r2_nagelkerke:g} "
            f"assumed: {short:,} of {len(self.diagnoses):,} diagnoses want more cases (unpenalised; a penalty shrinks "
            f"beforehand){f'; {self.n_suppressed:,} of too few cases to show' if self.n_suppressed else ''}"
        )
        rows = [("diagnosis", "cases", "expected shrinkage", "cases needed in all")]
        rows += [(d.diagnosis, f"{d.n:,}", number(d.shrinkage, 2), f"{d.needed:,}") for d in self.diagnoses]
        return f"{head}\n\n{aligned(rows)}"


def sample_size(
    labels: NDArray[np.object_], n_parameters: int, *, r2_nagelkerke: float = _USUAL_R2, min_cell: int = 10
) -> SampleSize:
    """Judge the size of a training set, diagnosis by diagnosis, one against the rest.

    Parameters
    ----------
    labels : ndarray of shape (n_cases,), object
        Diagnoses learned, rare ones pooled; None is left out.
    n_parameters : int
        Parameters fitted for each diagnosis: ``encoder.n_columns``, or the number of codes. The criteria are for
        maximum likelihood; a penalised model needs fewer cases, and its calibration slope on new cases is the proof.
    r2_nagelkerke : float
        Expected share of the largest possible Cox-Snell R²; .15 where nothing is known (Riley et al. 2020).
    min_cell : int
        Diagnoses of fewer cases are counted and not shown, and the next rarest where all less the others would tell.

    Examples
    --------
    >>> found = sample_size(np.array(["flu"] * 300 + ["cold"] * 700, dtype=object), 10)
    >>> found.diagnoses[0].diagnosis, round(found.diagnoses[0].shrinkage, 2)
    ('flu', 0.92)
    """
    given = np.array([one for one in labels if one is not None and one == one], dtype=object)
    if not 0 < r2_nagelkerke < 1 or n_parameters < 1 or not len(given):
        raise InputError(
            "Labelled cases, one parameter or more, and an R² between 0 and 1",
            f"found {len(given):,} labels, {n_parameters!r} parameters and R² {r2_nagelkerke!r}",
            "give the labels of the training cases and the number of columns",
        )
    names, counts = np.unique(given.astype(str), return_counts=True)
    n = len(given)
    hidden = hidden_cells({name: (k,) for name, k in zip(names.tolist(), counts.tolist(), strict=True)}, min_cell)
    rows = []
    for name, count in sorted(zip(names.tolist(), counts.tolist(), strict=True), key=lambda p: (p[1], p[0])):
        if name in hidden or count == n:
            continue
        r2 = r2_nagelkerke * _largest_r2(count / n)
        needed = needed_cases(n_parameters, r2, count / n)
        rows.append(DiagnosisSize(name, count, r2, expected_shrinkage(n, n_parameters, r2), needed, n >= needed))
    return SampleSize(n, n_parameters, r2_nagelkerke, tuple(rows), len(hidden))


def needed_cases(n_parameters: int, r2: float, prevalence: float, shrinkage: float = _SHRINKAGE) -> int:
    """Cases that the three criteria ask for: the largest of the three.

    Parameters
    ----------
    n_parameters : int
    r2 : float
        Expected adjusted Cox-Snell R².
    prevalence : float
        Share of cases with the diagnosis.
    shrinkage : float
        Wanted factor, below 1.

    Examples
    --------
    >>> needed_cases(24, 0.288, 0.174)
    662
    """
    optimism = r2 / (r2 + _OPTIMISM * _largest_r2(prevalence))
    by_shrinkage, by_optimism = (_cases_for(n_parameters, r2, s) for s in (shrinkage, optimism))
    by_risk = (_NORMAL / _MARGIN) ** 2 * prevalence * (1 - prevalence)
    return int(np.ceil(max(by_shrinkage, by_optimism, by_risk)))


def expected_shrinkage(n: int, n_parameters: int, r2: float) -> float:
    """Factor by which effects fitted on `n` cases are expected to shrink: the inverse of criterion (i).

    Solves ``n = P / ((S - 1) ln(1 - R² / S))`` for S; 0 where there is nothing but overfitting to expect.
    """

    def short(s: float) -> float:
        return n - _cases_for(n_parameters, r2, s)

    low, high = r2 * (1 + 1e-9) + 1e-12, 1 - 1e-12
    # The size wanted falls to its smallest and rises again; the answer is on the rising side.
    grid = np.linspace(low, high, 2001)[1:-1]
    least = float(grid[np.argmin([_cases_for(n_parameters, r2, float(s)) for s in grid])])
    return float(brentq(short, least, high)) if short(least) > 0 else 0.0


def _cases_for(n_parameters: int, r2: float, shrinkage: float) -> float:
    return float(n_parameters / ((shrinkage - 1) * np.log1p(-r2 / shrinkage)))


def _largest_r2(prevalence: float) -> float:
    """Largest Cox-Snell R² that a binary outcome allows."""
    null = prevalence * np.log(prevalence) + (1 - prevalence) * np.log1p(-prevalence)
    return float(-np.expm1(2 * null))
