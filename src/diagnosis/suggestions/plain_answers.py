"""Differentials of many cases as an Arrow table, column by column, without an object for each: for files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from diagnosis.records import OTHER
from diagnosis.suggestions.answers import asked_for, batch_of, probabilities_of
from diagnosis.suggestions.facts import facts_of, flag_texts, raised_by_policy
from diagnosis.suggestions.flags import TOO_LITTLE, UNSURE
from diagnosis.suggestions.inputs import implausible_rows, plausible
from diagnosis.suggestions.neighbours import NearEnough

if TYPE_CHECKING:
    from diagnosis.models.batch import Batch
    from diagnosis.records import Records
    from diagnosis.suggestions.diagnoser import Diagnoser

__all__ = ["SCHEMA", "PlainAnswers"]

_TEXTS = pa.list_(pa.string())
_NOT_USED = ("after_moment", "unknown", "values")
#: One row a case; flags as JSON.
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("case_id", "model", "reading", "as_of")),
        ("ranked", pa.list_(pa.struct([("diagnosis", pa.string()), ("probability", pa.float64())]))),
        ("other", pa.float64()),
        *((name, _TEXTS) for name in ("set", "must_not_miss")),
        ("flags", pa.string()),
        ("abstained", pa.bool_()),
        ("abstain_reason", pa.string()),
        ("unknown_codes", _TEXTS),
        ("not_used", pa.struct([(name, pa.int64()) for name in _NOT_USED])),
    ]
)


class PlainAnswers:
    """Answers many cases with what `Differential.to_json` says of each.

    Parameters
    ----------
    diagnoser : Diagnoser
    top : int, optional
    reading : str, optional
        As in `Diagnoser.suggest`.
    """

    def __init__(self, diagnoser: Diagnoser, top: int | None = None, reading: str | None = None) -> None:
        self.top, self.reading = asked_for(diagnoser, top, reading)
        self.diagnoser = diagnoser
        self._near = None if diagnoser.neighbours_ is None else NearEnough(diagnoser.neighbours_)

    def __call__(self, records: Records) -> pa.Table:
        """Answer some cases; their order is kept. The columns are those of `SCHEMA`."""
        d = self.diagnoser
        given = records.with_vocabulary(d.vocabulary_)
        seen = d.as_known(given)
        rows = implausible_rows(seen)
        X, unknown = d.encoder_.transform(plausible(seen, rows)), d.encoder_.unknown(seen)
        batch = batch_of(d, seen, X)
        facts = facts_of(d, seen, X, unknown, batch.proba, rows=rows, index=self._near)
        shown = batch.proba if self.reading == "posterior" else probabilities_of(d, X, self.reading)
        codes, other = np.array([str(c) for c in d.codes(self.reading)]), d.codes(self.reading) == OTHER
        order = _order(batch.proba, np.array([str(c) for c in batch.diagnoses]))
        ranked = order if self.reading == "posterior" else _order(shown, codes)
        in_set = np.take_along_axis(batch.in_set, order, axis=1)
        later = np.diff(given.coded.offsets) - np.diff(seen.coded.offsets)
        not_used = (later, np.fromiter(map(len, unknown), np.int64, len(unknown)), facts.n_values_not_used)
        reason = np.where(facts.understood, UNSURE, TOO_LITTLE)
        flag_at, n = d.calibration_.flag_at, len(seen)
        columns = {
            "case_id": pa.array(batch.case_ids, pa.string()),
            **{name: pa.repeat(said, n) for name, said in self._same_in_all(batch).items()},
            "ranked": _ranked(shown, codes, other, ranked[:, : self.top + 1], self.top),
            "other": pa.array(shown[:, other][:, 0]) if other.any() else pa.nulls(n, pa.float64()),
            "set": pa.ListArray.from_arrays(_ends(in_set), _words(batch.diagnoses, order[in_set])),
            "must_not_miss": _must_not_miss(batch, flag_at),
            "flags": pa.array(flag_texts(batch, flag_at, facts), pa.string()),
            "abstained": pa.array(batch.abstained),
            "abstain_reason": pa.array(reason, pa.string(), mask=~batch.abstained),
            "unknown_codes": pa.array([*map(list, unknown)], _TEXTS),
            "not_used": pa.StructArray.from_arrays([pa.array(v, pa.int64()) for v in not_used], names=_NOT_USED),
        }
        return pa.table(columns, schema=SCHEMA)

    def _same_in_all(self, batch: Batch) -> dict[str, str]:
        return {"model": self.diagnoser.name, "reading": self.reading, "as_of": batch.as_of}


def _order(proba: npt.NDArray[np.float64], codes: npt.NDArray[np.str_]) -> npt.NDArray[np.intp]:
    """Columns by probability, ties by code, shape (n_cases, n_diagnoses)."""
    by_code = np.argsort(codes)
    order: npt.NDArray[np.intp] = by_code[np.argsort(-proba[:, by_code], axis=1, kind="stable")]
    return order


def _ranked(
    proba: npt.NDArray[np.float64],
    codes: npt.NDArray[np.str_],
    other: npt.NDArray[np.bool_],
    order: npt.NDArray[np.intp],
    top: int,
) -> pa.ListArray:
    """The first `top` diagnoses, `OTHER` left out unless it is all there is; `order` holds one more."""
    listed = ~other[order] if not other.all() else np.ones(order.shape, bool)
    listed &= np.cumsum(listed, axis=1) <= top
    found = np.take_along_axis(proba, order, axis=1)[listed]
    members = _words(codes, order[listed]), pa.array(found)
    return pa.ListArray.from_arrays(_ends(listed), pa.StructArray.from_arrays(members, ["diagnosis", "probability"]))


def _must_not_miss(batch: Batch, flag_at: npt.NDArray[np.float64]) -> pa.ListArray:
    row, column = raised_by_policy(batch.proba, flag_at)
    ends = np.append(0, np.cumsum(np.bincount(row, minlength=len(batch)))).astype(np.int32)
    return pa.ListArray.from_arrays(ends, _words(batch.diagnoses, column))


def _ends(chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    return np.append(0, np.cumsum(chosen.sum(axis=1))).astype(np.int32)


def _words(codes: npt.NDArray[np.str_ | np.object_], which: npt.NDArray[np.intp]) -> pa.Array:
    return pa.array([str(code) for code in codes], pa.string()).take(pa.array(which))
