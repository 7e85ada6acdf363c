"""`Suspicion`: one reason to doubt that a figure will hold in the clinic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Suspicion"]


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Something in the cases that may give their diagnosis away.

    Parameters
    ----------
    kind : str
        ``trained_on``, ``names_diagnosis``, ``known_after_end``, ``known_later``, ``inside_train``,
        ``near_duplicates``, ``one_finding_rule``, ``treatment``, ``reference_standard``, ``recording_pattern``,
        ``site_predicts``, ``group_predicts``, ``date_predicts``, ``follow_up``, ``score_jump`` or ``doubtful_labels``.
    says : str
        One sentence: what was found and why it matters.
    n : int
        Cases concerned.
    share : float
        Their share of the cases looked at, from 0 to 1.
    code, diagnosis : str or None
        The finding and the diagnosis concerned, where there is one.
    """

    kind: str
    says: str
    n: int
    share: float
    code: str | None = None
    diagnosis: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values; `code` and `diagnosis` only where there is one."""
        plain: dict[str, Any] = {"kind": self.kind}
        if self.code is not None:
            plain["code"] = self.code
        if self.diagnosis is not None:
            plain["diagnosis"] = self.diagnosis
        return plain | {"n": self.n, "share": self.share, "says": self.says}
