"""The diagnosis to learn of each case: by a declared rule, with rare ones pooled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.errors import InputError, nearest
from diagnosis.records.schema import TABLES

if TYPE_CHECKING:
    from diagnosis.records.records import Records

__all__ = ["OTHER", "Pooling", "Rest", "confirmed_diagnoses", "labels_of", "pool", "said_diagnoses"]

#: "None of the listed": the pool of rare and out-of-scope diagnoses.
OTHER = "OTHER"

Rest = Literal["other", "drop", "error"]

# Roles of diagnoses that are the case's own, not somebody's guess about it.
_OWN_ROLES = ("principal", "secondary", "complication", "comorbidity")


def said_diagnoses(diagnoses: Iterable[str | None]) -> str:
    """How many different diagnoses these are, in words: the pool is none of them and stands beside them.

    Examples
    --------
    >>> said_diagnoses(["flu", "measles", None, "flu", OTHER])
    '2 diagnoses and OTHER'
    """
    found = {one for one in diagnoses if one is not None}
    return f"{len(found - {OTHER}):,} diagnoses{f' and {OTHER}' if OTHER in found else ''}"


def labels_of(
    cases: pa.Table, labels: pa.Table | None = None, status: Sequence[str] = ("confirmed",)
) -> npt.NDArray[np.object_]:
    """Principal diagnosis of each case; None where there is none.

    ``cases.diagnosis`` counts first, being the principal confirmed diagnosis, wherever `status` takes confirmed ones.
    Else the case's row of `labels` with role ``principal`` and a status in `status`: of several, the lowest rank, then
    the latest, then the last row. A provisional or ruled-out judgement is never taken for a confirmed one.

    Parameters
    ----------
    cases, labels : pa.Table
        Of format 1.
    status : sequence of str
        Which judgements count.

    Returns
    -------
    ndarray of object, shape (n_cases,)

    Raises
    ------
    InputError
        A status that no label can have.

    Examples
    --------
    >>> labels_of(pa.table({"case_id": ["a", "b"], "diagnosis": ["flu", None]}))
    array(['flu', None], dtype=object)
    """
    status = _known_status(status)
    made = np.full(len(cases), None, object)
    if "diagnosis" in cases.column_names and "confirmed" in status:
        made[:] = cases["diagnosis"].cast(pa.string()).to_pylist()
    if labels is None or not len(labels) or not {"role", "status"} <= set(labels.column_names):
        return made
    counts = pc.and_(
        pc.equal(labels["role"].cast(pa.string()), "principal"),
        pc.is_in(labels["status"].cast(pa.string()), pa.array(list(status), pa.string())),
    )
    rows = labels.filter(pc.fill_null(counts, False))
    by_case = judged(rows)
    if by_case:
        ids = cases["case_id"].to_pylist()
        for i in np.flatnonzero(made == None):  # noqa: E711 - elementwise on an object array
            made[i] = by_case.get(ids[i])
    return made


def confirmed_diagnoses(records: Records) -> npt.NDArray[np.object_] | None:
    """Every confirmed diagnosis of each case that the table `labels` tells of.

    Those are its rows with status ``confirmed`` and role principal, secondary, complication or comorbidity. They are
    never counted as wrong in evaluation, and a case is no negative of them in training.

    Returns
    -------
    ndarray of object, shape (n_cases,), or None
        A sorted tuple of diagnoses a case, perhaps empty. None: there is no such table, or it has no roles or status.
    """
    if "labels" not in records.names:
        return None
    labels = records.arrow("labels")
    if not {"case_id", "diagnosis", "role", "status"} <= set(labels.column_names):
        return None
    found: dict[str, set[str]] = {}
    columns = (labels[name].to_pylist() for name in ("case_id", "diagnosis", "role", "status"))
    for case, diagnosis, role, status in zip(*columns, strict=True):
        if status == "confirmed" and role in _OWN_ROLES and diagnosis is not None:
            found.setdefault(case, set()).add(diagnosis)
    made = np.empty(len(records), dtype=object)
    made[:] = [tuple(sorted(found.get(case, ()))) for case in records.case_ids.tolist()]
    return made


def _known_status(status: Sequence[str]) -> tuple[str, ...]:
    status = (status,) if isinstance(status, str) else tuple(status)
    known = TABLES["labels"].columns["status"].choices
    for one in status:
        if one not in known:
            raise InputError(
                f"a status of labels: {', '.join(known)}",
                f"found {one!r}",
                "use one of these",
                near=nearest(str(one), known),
            )
    return status


def judged(rows: pa.Table, column: str = "diagnosis") -> dict[str, str]:
    """The judgement that counts for each case: they are put in order, worst first, and the last one stays."""
    last = np.iinfo(np.int64).max
    none = np.full(len(rows), last)
    rank = np.asarray(pc.fill_null(rows["rank"], last)) if "rank" in rows.column_names else none
    time = np.asarray(pc.fill_null(rows["time"].cast(pa.int64()), -last)) if "time" in rows.column_names else none
    order = pa.array(np.lexsort((np.arange(len(rows)), time, -rank)))
    cases, said = rows["case_id"].take(order), rows[column].cast(pa.string()).take(order)
    return dict(zip(cases.to_pylist(), said.to_pylist(), strict=True))


@dataclass(frozen=True, slots=True)
class Pooling:
    """Which diagnoses a model learns by name, and which share `OTHER`.

    Parameters
    ----------
    diagnoses : tuple of str
        The names, sorted, `OTHER` last where it is used.
    pooled : frozenset of str
        Seen in training and too rare to learn by name.
    rest : {"other", "drop", "error"}
    """

    diagnoses: tuple[str, ...]
    pooled: frozenset[str]
    rest: Rest

    def apply(self, y: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
        """Name each label as the model can: pooled ones as `OTHER`; never-seen ones and None stay as they are."""
        target = OTHER if self.rest == "other" else None
        return np.array([target if one in self.pooled else one for one in y], dtype=object)


def pool(y: npt.NDArray[np.object_], min_cases: int = 5, rest: Rest = "other") -> Pooling:
    """Decide which diagnoses of the training labels are learned by name.

    Parameters
    ----------
    y : ndarray of object, shape (n_cases,)
        Labels; None is left out.
    min_cases : int
        A diagnosis with fewer cases is rare.
    rest : {"other", "drop", "error"}
        Rare ones share `OTHER`, leave the training, or are refused.

    Raises
    ------
    InputError
        Fewer than two diagnoses remain, or there are rare ones and `rest` is ``"error"``.

    Examples
    --------
    >>> pool(np.array(["flu", "flu", "measles", "measles", "plague"], object), min_cases=2).diagnoses
    ('flu', 'measles', 'OTHER')
    """
    if rest not in ("other", "drop", "error"):
        near = nearest(str(rest), ("other", "drop", "error"))
        raise InputError("rest is other, drop or error", f"found {rest!r}", "use one of the three", near=near)
    counts = Counter(one for one in y if one is not None and one == one)  # NaN is not itself
    rare = frozenset(d for d, n in counts.items() if n < min_cases and d != OTHER)
    if rest == "error" and rare:
        raise InputError(
            f"every diagnosis with at least {min_cases} cases",
            f"{len(rare):,} of {len(counts):,} have fewer",
            'lower min_cases, or pool them with rest="other"',
        )
    named = sorted(d for d in counts if d not in rare and d != OTHER)
    if counts[OTHER] or (rare and rest == "other"):
        named.append(OTHER)
    if len(named) < 2:
        raise InputError(
            "at least two diagnoses to tell apart",
            f"found {len(named)} with {min_cases} or more cases among {sum(counts.values()):,} labelled cases",
            "add cases of another diagnosis, lower min_cases, or check which labels the rule takes",
        )
    return Pooling(tuple(named), rare, rest)
