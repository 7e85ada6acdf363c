"""Two sides of a set of records that share no patient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from diagnosis.errors import InputError, nearest
from diagnosis.records.arrays import is_number

if TYPE_CHECKING:
    from diagnosis.records.records import Records

__all__ = ["Split", "check_apart", "said_rows", "split", "split_indices"]

By = Literal["patient", "site", "time", "group"]
_BY = ("patient", "site", "time", "group")


@dataclass(frozen=True, slots=True)
class Split:
    """Train and test sides; unpacks as ``train, test = split(...)``.

    Parameters
    ----------
    train, test : Records
    by : str
        What keeps the sides apart.
    left_out : int
        Cases on neither side, because their patient stands on the training side already (or, by group, in both).
    """

    train: Records
    test: Records
    by: str
    left_out: int

    def __iter__(self) -> Iterator[Records]:
        return iter((self.train, self.test))

    def __repr__(self) -> str:
        return (
            f"<Split by {self.by}: {len(self.train):,} cases to train, {len(self.test):,} to test, "
            f"{self.left_out:,} left out>"
        )


def split(records: Records, by: By = "patient", test_size: float | str = 0.25, seed: int = 0) -> Split:
    """Split records into a training and a test side; no patient stands on both.

    Parameters
    ----------
    records : Records
    by : {"patient", "site", "time", "group"}
        ``patient``: patients at random. ``site`` and ``group``: whole sites or groups, at random or the one that
        `test_size` names. ``time``: the latest encounters are the test side. Except by patient, the cases of patients
        who stand on the training side already leave the test side, and are counted.
    test_size : float or str
        Share of the cases to test on, above 0 and below 1 (whole patients, sites or groups are taken until it is
        reached); or the patient, site or group to test on; or, by time, the ISO 8601 date from which on to test.
    seed : int

    Returns
    -------
    Split

    Raises
    ------
    InputError
        A side would be empty, or the column to split by is missing.

    Examples
    --------
    >>> import diagnosis as dx
    >>> train, test = dx.split(dx.load_sample(), by="patient", test_size=0.25, seed=0)
    >>> set(train.groups) & set(test.groups)
    set()
    """
    train, test, left_out = split_indices(records, by, test_size, seed)
    return Split(records[train], records[test], by, left_out)


def split_indices(
    records: Records, by: By, test_size: float | str, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int]:
    """Positions of the two sides, and how many cases are on neither."""
    if by not in _BY:
        near = nearest(str(by), _BY)
        raise InputError(f"split by one of {', '.join(_BY)}", f"found {by!r}", "use one of these", near=near)
    if not isinstance(test_size, str) and not (is_number(test_size) and 0 < test_size < 1):
        raise InputError("test_size as a share between 0 and 1", f"found {test_size!r}", "use for instance 0.25")
    patients = np.asarray(pa.array(records.groups, pa.string()).dictionary_encode().indices)
    in_test = _latest(records, test_size) if by == "time" else _units(records, by, test_size, seed)
    # By patient no patient stands on both sides anyway.
    blocked = in_test & np.isin(patients, patients[~in_test])
    train, test = np.flatnonzero(~in_test), np.flatnonzero(in_test & ~blocked)
    if not len(train) or not len(test):
        raise InputError(
            f"two sides, split by {by}",
            f"found {len(train):,} cases to train and {len(test):,} to test ({int(blocked.sum()):,} left out "
            "because their patient stands on the training side)",
            "choose another share or another way to split",
        )
    return train, test, int(blocked.sum())


def check_apart(train: npt.NDArray[np.object_], test: npt.NDArray[np.object_]) -> None:
    """Refuse two sides that share a patient; rows of the test side are named by number, no id is.

    Parameters
    ----------
    train, test : ndarray of object
        Patient of each case of a side.

    Raises
    ------
    InputError
        A patient stands on both sides.
    """
    shared = np.isin(test.astype(str), train.astype(str))
    if shared.any():
        raise InputError(
            "Two sides that share no patient",
            f"{len(set(test[shared].tolist())):,} patients stand on both: {int(shared.sum()):,} of {len(test):,} test "
            f"cases ({said_rows(shared)} of the test side)",
            "split by patient, or leave those cases out of the test side",
        )


def said_rows(which: npt.NDArray[np.bool_], most: int = 10) -> str:
    """The numbers of the marked rows as text, counted as in a report of a reading; of many the first few."""
    rows = np.flatnonzero(which) + 1
    return f"counted from 1, rows {', '.join(str(row) for row in rows[:most])}{' ...' if len(rows) > most else ''}"


def _units(records: Records, by: str, test_size: float | str, seed: int) -> npt.NDArray[np.bool_]:
    """Mark whole patients, sites or groups for the test side, until their cases reach the share."""
    names = records.groups if by == "patient" else records.column(by)
    missing = names == None  # noqa: E711 - elementwise on an object array
    if missing.all():
        raise InputError(f"a column `{by}` in cases to split by", "it is missing or empty", "split by patient instead")
    if isinstance(test_size, str):
        if test_size not in set(names[~missing]):
            near = nearest(test_size, sorted(set(names[~missing]))) if by == "site" else ()
            raise InputError(f"the {by} to test on", "no case has that name", "use one of the names", near=near)
        return np.array([name == test_size for name in names.tolist()])
    # Cases without a site are one unit; a case without a group belongs with its patient's others.
    kept = [(not none, str(name)) for none, name in zip(missing.tolist(), names.tolist(), strict=True)]
    if by == "group":
        kept = [one if one[0] else (False, str(p)) for one, p in zip(kept, records.groups.tolist(), strict=True)]
    known = {unit: i for i, unit in enumerate(sorted(set(kept)))}
    unit = np.array([known[one] for one in kept], np.int64)
    order = np.random.default_rng(seed).permutation(len(known))
    reached = np.cumsum(np.bincount(unit, minlength=len(known))[order])
    n_units = int(np.searchsorted(reached, test_size * len(names))) + 1
    return np.isin(unit, order[: min(n_units, len(known) - 1)])


def _latest(records: Records, test_size: float | str) -> npt.NDArray[np.bool_]:
    """Mark the latest encounters; those without a time stay on the training side."""
    times = records.column("time").astype("datetime64[us]")
    timed = ~np.isnat(times)
    if not timed.any():
        raise InputError("a column `time` in cases to split by", "no case has one", "split by patient instead")
    if isinstance(test_size, str):
        cut = _utc(test_size, records.info.get("timezone"))
    else:
        cut = np.sort(times[timed])[int(np.floor((1 - test_size) * timed.sum()))]
    return timed & (times >= cut)


def _utc(text: str, zone: str | None) -> np.datetime64:
    """A date or time as UTC; without a zone of its own it is in the records' zone."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            found = found.replace(tzinfo=ZoneInfo(zone) if zone else UTC)
        return np.datetime64(found.astimezone(UTC).replace(tzinfo=None), "us")
    except (ValueError, OverflowError):
        raise InputError("the date to test from", "it is no ISO 8601 date", 'write it as "2024-06-30"') from None
