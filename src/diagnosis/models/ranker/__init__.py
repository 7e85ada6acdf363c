"""The ranker, for many diagnoses: a cheap first stage over all of them, and trees that order its candidates."""

from __future__ import annotations

from diagnosis.models.ranker.knowledge import Knowledge
from diagnosis.models.ranker.model import RankerModel

__all__ = ["Knowledge", "RankerModel"]
