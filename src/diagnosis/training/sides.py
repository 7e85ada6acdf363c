"""Training and unseen cases of a run: published test records, one split, or each site or group held out once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from diagnosis.errors import InputError
from diagnosis.records import split

if TYPE_CHECKING:
    from diagnosis.records import Records
    from diagnosis.training.schema import SplitPlan

__all__ = ["Sides", "held_out_each", "one_split", "published"]


@dataclass(frozen=True, slots=True)
class Sides:
    """What is learned from and what is judged on; no patient is on both.

    Parameters
    ----------
    train, test : Records
    left_out : int
        Test cases that left because their patient is also on the training side.
    held_out : str or None
        The site or group that is the test side, if one is.
    """

    train: Records
    test: Records
    left_out: int
    held_out: str | None = None

    def __post_init__(self) -> None:
        shared = set(self.train.groups.tolist()) & set(self.test.groups.tolist())
        assert not shared, f"{len(shared)} patients are on both sides"


def published(records: Records, test_records: Records) -> Sides:
    """Take test records as they were published; a patient who is also trained on leaves them."""
    new = ~np.isin(test_records.groups.astype(str), records.groups.astype(str))
    if not new.any():
        raise InputError(
            "test_records must hold patients that records do not",
            "Every patient of theirs is also in records",
            "Give other test_records, or leave them out and let split set cases apart.",
        )
    test = test_records if new.all() else test_records[new]
    return Sides(records, test, int((~new).sum()))


def one_split(records: Records, plan: SplitPlan, seed: int) -> Sides:
    """Set a share, or one named site, group or period apart."""
    done = split(records, by=plan.by, test_size=plan.test, seed=seed)
    return Sides(done.train, done.test, done.left_out, plan.test if isinstance(plan.test, str) else None)


def held_out_each(records: Records, plan: SplitPlan, seed: int) -> Iterator[Sides]:
    """Hold each site or group out once, in the order of their names. Cases without one are only trained on."""
    names = sorted({str(name) for name in records.column(plan.by) if name is not None})
    if len(names) < 2:
        raise InputError(
            f"At least two values of {plan.by} were asked for, to hold each out once",
            f"Found {len(names)}",
            f"Fill the column {plan.by} of cases, or split by patient.",
        )
    for name in names:
        done = split(records, by=plan.by, test_size=name, seed=seed)
        yield Sides(done.train, done.test, done.left_out, name)
