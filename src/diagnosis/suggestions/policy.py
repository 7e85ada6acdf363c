"""`Policy`: what a diagnoser promises beside its list, and by which rule each promise is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from diagnosis.errors import InputError, nearest
from diagnosis.features.context import DAYS_PER_YEAR, age_band
from diagnosis.models.conformal import SET_KINDS, SetKind
from diagnosis.models.policy import PER, Per
from diagnosis.models.scale import METHODS, Method
from diagnosis.records import Records
from diagnosis.suggestions.masking import MASKING, Masking

__all__ = ["GROUPINGS", "Policy", "groups_of_cases"]

#: What sets can keep their coverage by.
GROUPINGS = ("age_band", "site", "sex", "setting")


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules behind probabilities, sets, flags and abstention.

    Parameters
    ----------
    calibration : {"adaptive", "temperature"}
        A factor for each case by how sure the model is, or one temperature for all.
    sets : {"lac", "aps"}
        The smallest sets on average, or sets that grow where the case is hard.
    set_by : tuple of str
        Groups in which the sets keep their coverage; groups of fewer than 100 training cases take the common rule.
    class_conditional : bool
        The coverage is kept for each diagnosis instead (larger sets); `set_by` is then not used.
    flags_per : {"case", "diagnosis"}
        The must-not-miss sensitivity holds over all such cases with the fewest flags, or for each diagnosis.
    abstain_error : float, optional
        Abstain where the first suggestion is too unsure, so that of those answered at most this share is wrong.
    red_flags : bool
        Whether the red-flag rules are applied.
    masking : {"auto", "on", "interview", "off"}
        Whether copies of training cases with a random part of their findings taken away are learned as well. ``auto``:
        where 93 in 100 of what training cases record is asked of all of them, so that they leave no blanks to learn
        from. ``interview``: with what a work-up knows on its way, question by question from the first complaint on.
        Everything is then chosen on whole and masked cases together: sets and flags are wider than whole cases alone
        would need.
    """

    calibration: Method = "adaptive"
    sets: SetKind = "lac"
    set_by: tuple[str, ...] = ("age_band", "site", "sex")
    class_conditional: bool = False
    flags_per: Per = "case"
    abstain_error: float | None = None
    red_flags: bool = True
    masking: Masking = "auto"

    def __post_init__(self) -> None:
        for name, found, known in (
            ("calibration", (self.calibration,), METHODS),
            ("sets", (self.sets,), SET_KINDS),
            ("set_by", self.set_by, GROUPINGS),
            ("flags_per", (self.flags_per,), PER),
            ("masking", (self.masking,), MASKING),
        ):
            for one in found:
                if one not in known:
                    raise InputError(
                        f"{name} of a policy is {' or '.join(known)}",
                        f"found {one!r}",
                        "use one of these",
                        near=nearest(str(one), known),
                    )
        if self.abstain_error is not None and not 0.0 < self.abstain_error < 1.0:
            raise InputError(
                "abstain_error lies between 0 and 1", f"it is {self.abstain_error!r}", "use for example 0.2, or None"
            )

    @property
    def grouped_by(self) -> tuple[str, ...]:
        """The groups in which the sets keep their coverage; none where they do so by diagnosis."""
        return () if self.class_conditional else self.set_by

    def to_json(self) -> dict[str, Any]:
        """The policy as plain values."""
        return {**asdict(self), "set_by": list(self.set_by)}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Policy:
        """Read what `to_json` wrote, also by a release that knew no masking."""
        return cls(**{"masking": "off", **plain, "set_by": tuple(plain["set_by"])})


def groups_of_cases(records: Records, by: tuple[str, ...]) -> dict[str, npt.NDArray[np.object_]]:
    """Return the group of each case for each way of grouping; None where the case does not say."""
    return {name: _age_bands(records) if name == "age_band" else np.asarray(records.column(name)) for name in by}


def _age_bands(records: Records) -> npt.NDArray[np.object_]:
    days, years = records.column("age_days"), records.column("age_years")
    return age_band(np.where(np.isnan(days), years, days / DAYS_PER_YEAR))
