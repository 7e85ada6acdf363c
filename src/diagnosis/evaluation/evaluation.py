"""`Evaluation`: how well a diagnoser does on many cases, as an object, a table and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from diagnosis.evaluation.calibration import Reliability
from diagnosis.evaluation.details import Details
from diagnosis.evaluation.display import as_frame, as_html, as_text
from diagnosis.evaluation.gaps import Gap
from diagnosis.evaluation.reference_lists import ListScores
from diagnosis.evaluation.scores import Scores, ranking_json
from diagnosis.evaluation.suspicion import Suspicion

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Evaluation", "Suppressed"]


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A group that may not be shown.

    Parameters
    ----------
    n : int
    beside : bool
        Not because it is small itself: all less the groups shown would tell of a small one.
    """

    n: int
    beside: bool = False

    @property
    def why(self) -> str:
        """What stands in a table instead of its figures."""
        return "would tell of a small one" if self.beside else "too few to show"

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"n": self.n, "suppressed": True} | ({"complementary": True} if self.beside else {})


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Evaluation:
    """Metrics of a diagnoser on a set of cases, overall and by group.

    Top-k, reciprocal rank and macro top-1 take the worst rank among equal probabilities; a diagnosis never seen in
    training is a miss and stays in every denominator. Log-loss is natural with floor 1e-15, Brier is the mean of
    ``sum_k (p_k - y_k)^2``, the calibration error is of the top label over 15 bins of equal mass, the baseline
    always answers the training prior. The calibration slope is the exponent b of softmax(b log p) and the intercept
    the shift of the top label's log-odds that fit the cases best. Intervals are the central 95 % over draws of
    patients; the draws of the calibration error and of macro top-1 are moved to have them as their mean.

    Parameters
    ----------
    overall : Scores
        All labelled cases.
    by : mapping of str to mapping of str to Scores or Suppressed
        The same by group and value.
    suspicions : tuple of Suspicion
        What in the cases may give their diagnosis away.
    reading, as_of : str
        Of the suggestions that were evaluated.
    n_classes : int
        Diagnoses the model names, `OTHER` counted as one.
    n_unlabelled : int
        Cases left out because they have no diagnosis.
    weighted : bool
        Whether cases count by their weight.
    lists : mapping of str to ListScores
        Beside the reference lists of the cases, by reading; empty where they have none.
    primary : str
        The metric declared before looking.
    details : Details or None
        Calibration, usefulness, abstention and the unknown beyond single numbers.
    gaps : tuple of Gap
        Between the best and the worst value of each group.
    baselines : mapping of str to Scores
        Simple models fitted on the same training cases; empty where those are not at hand.
    n_sites : int
        Sites drawn for the intervals over sites; 0: none.
    n_seen : int
        Cases left out because their patient was trained on.
    checked : bool
        Whether suspicions were looked for.
    other : bool
        Whether one of the classes is `OTHER`, none of the listed.
    """

    overall: Scores
    by: Mapping[str, Mapping[str, Scores | Suppressed]]
    suspicions: tuple[Suspicion, ...]
    reading: str
    as_of: str
    n_classes: int
    n_unlabelled: int
    weighted: bool
    lists: Mapping[str, ListScores] = field(default_factory=dict)
    primary: str = "log_loss"
    details: Details | None = None
    gaps: tuple[Gap, ...] = ()
    baselines: Mapping[str, Scores] = field(default_factory=dict)
    n_sites: int = 0
    n_seen: int = 0
    checked: bool = True
    other: bool = False

    @property
    def n_named(self) -> int:
        """Diagnoses the model knows by name: `OTHER` is none of them."""
        return self.n_classes - self.other

    @property
    def n(self) -> int:
        """Cases evaluated."""
        return self.overall.n

    @property
    def reliability(self) -> Reliability:
        """Points of the calibration curve of the top label, over all cases."""
        return self.overall.curve

    def metrics(self) -> dict[str, float]:
        """Return the overall metrics that are defined, by path in the JSON object, for a tracker or a table."""
        return {name: value for name, value in self.overall.values.items() if value is not None}

    def to_json(self) -> dict[str, Any]:
        """Return one plain object, schema 1; every number is finite, an undefined metric is None.

        Each group holds the same keys; its `suspicions` and `by` are empty, since suspicions are looked for in all
        cases together. A group below the smallest cell is ``{"n": n, "suppressed": True}``, and where all less the
        others would tell of it, so is the next smallest, with ``"complementary": True``. An interval that could not
        be drawn is left out.
        """
        by = {
            name: {
                value: cell.to_json() if isinstance(cell, Suppressed) else self._plain(cell)
                for value, cell in values.items()
            }
            for name, values in self.by.items()
        }
        plain = self._plain(self.overall)
        plain |= {"suspicions": [s.to_json() for s in self.suspicions], "by": by, "n_unlabelled": self.n_unlabelled}
        plain["lists"] = {name: one.to_json() for name, one in self.lists.items()}
        plain |= {"primary": self.primary, "n_sites": self.n_sites, "n_seen": self.n_seen}
        plain["baselines"] = {name: ranking_json(one) for name, one in self.baselines.items()}
        plain["gaps"] = [gap.to_json() for gap in self.gaps]
        plain["details"] = None if self.details is None else self.details.to_json()
        return plain

    def to_frame(self) -> pd.DataFrame:
        """Return one row a group and metric: group, value, n, suppressed, metric, estimate, low, high.

        The overall metrics stand under group ``all``; a suppressed cell is one row without a metric.
        """
        return as_frame(self)

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)

    def _plain(self, scores: Scores) -> dict[str, Any]:
        head = {"schema": 1, "reading": self.reading, "as_of": self.as_of}
        tail = {"suspicions": [], "by": {}, "n_classes": self.n_classes, "weighted": self.weighted}
        return {**head, **scores.to_json(), **tail}
