"""The chart of a block of cases while it is being filled in: what is recorded so far, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from diagnosis.sample.model import Model, sample_model
from diagnosis.sample.population import Encounters
from diagnosis.sample.prior import Context
from diagnosis.sample.quantities import Quantity
from diagnosis.sample.tables import GROUPS, Row, band_years, read_table

__all__ = ["ABSENT", "PRESENT", "REPEATED", "UNCERTAIN", "UNRECORDED", "Chart", "Layout", "new_chart", "sample_layout"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

PRESENT, ABSENT, UNCERTAIN, UNRECORDED = 0, 1, 2, -1
_PHASES = ("history", "examination", "bedside", "laboratory", "imaging")
#: Vital signs that are taken up to three times.
REPEATED = ("temp", "hr", "rr", "spo2", "sbp")
_TIMES = 3


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each finding stands in a chart: one slot a finding, three for a repeated vital sign.

    Parameters
    ----------
    finding : index of each slot's finding
    repeat : 0 for the first time, then 1 and 2
    at : key to slot (of the first time)
    """

    finding: Ints
    repeat: Ints
    at: Mapping[str, int]
    rows: tuple[Row, ...]

    def __len__(self) -> int:
        return len(self.finding)


@lru_cache(maxsize=1)
def sample_layout() -> Layout:
    """Return the slots in the order in which rows are written: by phase, then as in the table."""
    rows = sample_model().findings
    order = sorted(range(len(rows)), key=lambda i: (_PHASES.index(rows[i]["phase"]), i))
    slots = [(i, k) for i in order for k in range(_TIMES if rows[i]["key"] in REPEATED else 1)]
    finding = np.array([i for i, _ in slots])
    repeat = np.array([k for _, k in slots])
    at = {rows[i]["key"]: s for s, (i, k) in enumerate(slots) if k == 0}
    return Layout(finding, repeat, at, tuple(rows[i] for i in finding))


@dataclass(slots=True)
class Chart:
    """A block of cases.

    Parameters
    ----------
    status : array of shape (cases, slots)
        `PRESENT`, `ABSENT`, `UNCERTAIN` or `UNRECORDED`.
    given : array of shape (cases, slots)
        Recorded values in the unit of the site.
    canonical : array of shape (cases, slots)
        The same in the finding's own unit.
    bound : array of shape (cases, slots)
        -1 below the lowest value the test reports, 1 above the highest, else 0.
    picture : array of shape (cases, slots)
        Index of the recorded picture.
    volunteered : array of shape (cases, slots)
    """

    site: Ints
    age_years: Floats
    context: Context
    state: Ints
    complaint: Ints
    group: Ints
    status: npt.NDArray[np.int8]
    given: Floats
    canonical: Floats
    bound: npt.NDArray[np.int8]
    picture: npt.NDArray[np.int8]
    volunteered: Bools
    onset: Ints
    how_bad: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.site)

    def present(self, key: str) -> Bools:
        """Return where a finding is recorded as present."""
        found: Bools = self.status[:, sample_layout().at[key]] == PRESENT
        return found

    def value(self, key: str) -> Floats:
        """Return the first recorded value in the finding's own unit, NaN where there is none."""
        found: Floats = self.canonical[:, sample_layout().at[key]]
        return found

    def healthy(self, quantity: Quantity) -> Floats:
        """Return what is expected in health at each case's age and site, on the normal scale."""
        found: Floats = quantity.healthy[self.context.band, self.site]
        return found


def new_chart(rng: np.random.Generator, model: Model, e: Encounters) -> Chart:
    """Start a chart with the complaint each case comes with."""
    n, slots = len(e.patient), len(sample_layout())
    context = e.context()
    complaint = _complaint(rng, model, e, context)
    return Chart(
        site=e.site,
        age_years=e.age_years,
        context=context,
        state=e.state,
        complaint=complaint,
        group=complaint_group(model, complaint, context.band),
        status=np.full((n, slots), UNRECORDED, dtype=np.int8),
        given=np.full((n, slots), np.nan),
        canonical=np.full((n, slots), np.nan),
        bound=np.zeros((n, slots), dtype=np.int8),
        picture=np.full((n, slots), UNRECORDED, dtype=np.int8),
        volunteered=np.zeros((n, slots), dtype=bool),
        onset=np.full(n, UNRECORDED),
        how_bad=np.full(n, UNRECORDED, dtype=np.int8),
    )


def complaint_group(model: Model, complaint: Ints, band: Ints) -> Ints:
    """Return the group of questions each complaint leads to; breathless and coughing elders are asked about the heart.

    The group depends on the complaint and the age alone.
    """
    group = {r["finding"]: r["group"] for r in read_table("groups")}
    letters = np.array([GROUPS.index(group.get(c, GROUPS[-1])) for c in model.complaints])
    chest = np.array([c in ("breathless", "fatigue") for c in model.complaints])
    adult = band_years()[band] >= 30
    found: Ints = np.where(chest[complaint] & adult, GROUPS.index("C"), letters[complaint])
    return found


def _complaint(rng: np.random.Generator, model: Model, e: Encounters, context: Context) -> Ints:
    cumulative = np.cumsum(model.complaint_share, axis=-1)
    row = cumulative[context.band, context.sex, model.states.subtype[e.state]]
    found: Ints = (rng.random(len(e.patient))[:, None] * row[:, -1:] > row).sum(axis=1)
    return found
