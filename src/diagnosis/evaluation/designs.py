"""Who is learned from and who is judged on: folds of patients, sites or groups left out, the past and the future."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from diagnosis.errors import InputError, nearest
from diagnosis.models.folds import grouped_folds
from diagnosis.records.records import Records
from diagnosis.records.splits import check_apart

__all__ = ["By", "Part", "parts_of"]

IntArray: TypeAlias = NDArray[np.int64]
By: TypeAlias = Literal["patient", "site", "time", "group"]
_BY = ("patient", "site", "time", "group")


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One fit of a design, by the positions of cases; no patient is on both sides.

    Parameters
    ----------
    name : str
        What is judged on: ``fold 2``, a site, ``from 2024-05-01``.
    train, test : ndarray of int64
    left_out : int
        Cases that left the test side because their patient is trained on.
    """

    name: str
    train: IntArray
    test: IntArray
    left_out: int = 0


def parts_of(
    records: Records,
    labels: NDArray[np.object_],
    by: By | Iterable[tuple[NDArray[np.integer], NDArray[np.integer]]],
    *,
    folds: int,
    repeats: int = 1,
    seed: int = 0,
) -> list[Part]:
    """Lay out the fits of a design.

    Parameters
    ----------
    records : Records
    labels : ndarray of shape (n_cases,), object
        Diagnoses, None where there is none; folds hold about equally many of each.
    by : {"patient", "site", "time", "group"} or iterable of (train, test)
        ``patient``: every patient in one fold. ``site``: each site once. ``group``: each group once, or, with more
        groups than folds, whole groups in folds. ``time``: as many test periods as folds, of about equally many
        cases, each after all of its training cases. Except by patient, the cases of patients who are trained on leave
        the test side. Pairs of positions are taken as they are, and refused where a patient is on both sides.
    folds : int
    repeats : int
        By patient: how often patients are dealt anew.
    seed : int

    Raises
    ------
    InputError
        No such design, the column it goes by is empty, or a patient is on both sides.
    """
    if folds < 2 or repeats < 1:
        raise InputError("at least 2 folds, once", f"found {folds} folds, {repeats} times", "use for example folds=5")
    if not isinstance(by, str):
        return _given(records, by)
    if by == "patient":
        return _patients(records, labels, folds, repeats, seed)
    if by == "time":
        return list(_periods(records, folds))
    if by in ("site", "group"):
        return list(_units(records, labels, by, folds, seed))
    raise InputError(
        f"cases split by one of {', '.join(_BY)}", f"found {by!r}", "use one of these", near=nearest(str(by), _BY)
    )


def _given(records: Records, pairs: Iterable[tuple[NDArray[np.integer], NDArray[np.integer]]]) -> list[Part]:
    made = []
    for i, (train, test) in enumerate(pairs, start=1):
        part = Part(f"part {i}", np.asarray(train, dtype=np.int64), np.asarray(test, dtype=np.int64))
        check_apart(records.groups[part.train], records.groups[part.test])
        made.append(part)
    if not made:
        raise InputError("pairs of training and test positions", "found none", "give at least one")
    return made


def _patients(records: Records, labels: NDArray[np.object_], folds: int, repeats: int, seed: int) -> list[Part]:
    named = labels.astype(str)
    made = []
    for r in range(repeats):
        fold = grouped_folds(named, records.groups.astype(str), folds, seed + r)
        again = f", repeat {r + 1}" if repeats > 1 else ""
        made += [
            Part(f"fold {f + 1}{again}", np.flatnonzero(fold != f), np.flatnonzero(fold == f))
            for f in range(int(fold.max()) + 1)
        ]
    return made


def _units(records: Records, labels: NDArray[np.object_], by: str, folds: int, seed: int) -> Iterator[Part]:
    """Each site or group once; many groups in folds. Cases without one are only trained on."""
    names = records.column(by)
    has = np.array([name is not None for name in names], dtype=bool)
    distinct = sorted({str(name) for name in names[has]})
    if len(distinct) < 2:
        raise InputError(
            f"At least two values of `{by}` in cases, to hold each out once",
            f"found {len(distinct)}",
            f"fill the column {by}, or go by patient",
        )
    unit = np.where(has, names, "").astype(str)
    if by == "group" and len(distinct) > folds:
        fold = np.full(len(names), -1)
        fold[has] = grouped_folds(labels[has].astype(str), unit[has], folds, seed)
        sides = [(f"fold {f + 1}", fold == f) for f in range(int(fold.max()) + 1)]
    else:
        sides = [(name, has & (unit == name)) for name in distinct]
    for name, inside in sides:
        yield _apart(name, records.groups, ~inside, inside)


def _periods(records: Records, folds: int) -> Iterator[Part]:
    """The past and the next period, step by step; cases without a time are only trained on."""
    times = records.column("time").astype("datetime64[us]")
    timed = ~np.isnat(times)
    moments = np.unique(times[timed])
    if len(moments) < folds + 1:
        raise InputError(
            f"Cases at {folds + 1} different times or more, to go from the past to the future {folds} times",
            f"found {len(moments)}",
            "fill the column time, ask for fewer folds, or go by patient",
        )
    ranked = np.sort(times[timed])
    cuts = np.unique(ranked[[len(ranked) * k // (folds + 1) for k in range(1, folds + 1)]])
    for start, end in zip(cuts, [*cuts[1:], None], strict=True):
        inside = timed & (times >= start)
        if end is not None:
            inside &= times < end
        past = ~timed | (times < start)
        if past.any():
            yield _apart(f"from {np.datetime_as_string(start, unit='D')}", records.groups, past, inside)


def _apart(name: str, patients: NDArray[np.object_], train: NDArray[np.bool_], inside: NDArray[np.bool_]) -> Part:
    """Take the cases of patients who are trained on off the test side."""
    _, patient = np.unique(patients.astype(str), return_inverse=True)
    returning = inside & np.isin(patient, patient[train])
    return Part(name, np.flatnonzero(train), np.flatnonzero(inside & ~returning), int(returning.sum()))
