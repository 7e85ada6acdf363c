"""`SmallestChange`: the fewest findings that would have to be otherwise for another diagnosis to come first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias, overload
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from diagnosis.errors import InputError
from diagnosis.explanation.answered_rows import Answers, state_columns
from diagnosis.explanation.observed import value_of
from diagnosis.explanation.smallest_change import Margin, flipping_answers
from diagnosis.features import FindingEncoder
from diagnosis.models.scoring import scores_near
from diagnosis.records import OTHER, Finding
from diagnosis.suggestions.answers import probabilities_of
from diagnosis.suggestions.askable import measured_cells, phase_of
from diagnosis.suggestions.edits import Change, changed_records, recorded_findings
from diagnosis.suggestions.kin import kin_of
from diagnosis.suggestions.what_if import WhatIf, changed_row, what_if

if TYPE_CHECKING:
    from diagnosis.suggestions.diagnoser import Diagnoser
    from diagnosis.suggestions.differential import Differential

__all__ = ["PossibleChanges", "SmallestChange", "possible_changes", "smallest_change"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
#: A finding by its place among the keys, and what it would be: a state, or a value as measured again.
_Place: TypeAlias = tuple[int, str | Finding]

# Of a value that is measured again: from low to high as training has seen it.
_AGAIN = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
# Sets that the fast way finds and the whole way does not confirm (a hierarchy, a reference range) are passed over.
_MOST_VERIFIED = 8
_WORDS = {
    "en": {
        "one": "{target} would come before {first} if {changes}.",
        "none": "No change of up to {most} findings puts {target} before {first} ({tried} were tried).",
        "state": "{name} were {after}",
        "again": "{name} were {after} when measured again",
        "and": " and ",
    },
    "zh": {
        "one": "如果{changes}，{target}将排在{first}之前。",
        "none": "改变至多 {most} 项发现都不能使{target}排在{first}之前（已尝试 {tried} 项）。",
        "state": "{name}为“{after}”",
        "again": "{name}复测为“{after}”",
        "and": "且",
    },
}


@dataclass(frozen=True, slots=True)
class SmallestChange:
    """What would have to be otherwise for `target` to come before `first`.

    Parameters
    ----------
    first, target : str
        Codes of the diagnosis that comes first, and of the one that would come before it.
    changes : tuple of Change or None
        The smallest change, verified by encoding and scoring the changed case; None where no change of up to `most`
        findings is enough.
    n_tried : int
        Single answers that were tried, and combined.
    most : int
    """

    first: str
    target: str
    changes: tuple[Change, ...] | None
    n_tried: int
    most: int
    differential: Differential

    @property
    def found(self) -> WhatIf | None:
        """The change with the list as it is and as it would be, worked out when asked for; None where there is none."""
        return None if self.changes is None else what_if(self.differential, self.changes)

    def __str__(self) -> str:
        return self.words()

    def __repr__(self) -> str:
        n = "none" if self.changes is None else len(self.changes)
        return f"<SmallestChange: {n} of {self.n_tried} single changes tried>"

    def words(self, lang: str = "en") -> str:
        """One sentence, in English (``en``) or Chinese (``zh``)."""
        words, names = _WORDS[lang], self.differential.records.vocabulary
        said: dict[str, Any] = {"first": names.diagnosis_name(self.first, lang)}
        said |= {"target": names.diagnosis_name(self.target, lang), "most": self.most, "tried": self.n_tried}
        if self.changes is None:
            return words["none"].format(**said)
        parts = []
        for change in self.changes:
            again = change.before is not None and change.after is not None and change.after.value is not None
            said_of = {"name": change.name_zh if lang == "zh" else change.name, "after": change.after_words(lang)}
            parts.append(words["again" if again else "state"].format(**said_of))
        return words["one"].format(changes=words["and"].join(parts), **said)

    def to_json(self) -> dict[str, Any]:
        """The change as plain values."""
        changes = None if self.changes is None else [change.to_json() for change in self.changes]
        return {"first": self.first, "target": self.target, "changes": changes, "n_tried": self.n_tried}


def smallest_change(differential: Differential, target: int | None, most: int) -> SmallestChange:
    """Look for the smallest change; see `Differential.smallest_change`. `target` is a place among the diagnoses."""
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise InputError("at least one finding to change", f"most is {most!r}", "use a whole number from 1")
    diagnoser, case = differential.diagnoser, differential.records
    encoder, classes = diagnoser.encoder_, diagnoser.codes(differential.reading)
    order = [k for k in np.argsort(-differential.proba, kind="stable").tolist() if classes[k] != OTHER]
    if len(order) < 2:
        raise InputError("two diagnoses to change the order of", "the model knows one by name", "nothing to ask")
    wanted = order[1] if target is None else target
    first = next(k for k in order if k != wanted) if order[0] == wanted else order[0]
    if order[0] == wanted:
        raise InputError(
            "a diagnosis that does not come first, to put first",
            f"{classes[wanted]} is first already",
            "name another one",
        )
    rivals = np.array([first] if target is None else [k for k in order if k != wanted])
    row = encoder.transform(case) if differential.row is None else differential.row
    margin, settled = _margins(differential, row, wanted, rivals)
    there = recorded_findings(case)
    possible, answers = possible_changes(differential, there)
    kin, found = kin_of(diagnoser, case), None
    for n, places in enumerate(flipping_answers(row, encoder.lineage_, answers, margin, most, kin, settled)):
        changes = tuple(possible[i] for i in places)
        seen = changed_row(differential, changed_records(case, changes))
        after = probabilities_of(diagnoser, seen, differential.reading)[0]
        if after[wanted] > after[rivals].max():
            found = changes
            break
        if n + 1 >= _MOST_VERIFIED * most:
            break
    return SmallestChange(str(classes[first]), str(classes[wanted]), found, len(answers), most, differential)


def _margins(differential: Differential, row: csr_matrix, wanted: int, rivals: IntArray) -> tuple[Margin, Margin]:
    """How far the wanted diagnosis is ahead of its rivals in the calibrated scores of rows near the case's own.

    The first says only whether it is, where that hangs on no case's own factor and this need not be worked out.
    """
    model, _, scale = differential.diagnoser.part(differential.reading)
    which = np.array([wanted, *rivals], np.int64)

    def ahead(scores: FloatArray) -> FloatArray:
        found: FloatArray = scores[:, wanted] - scores[:, rivals].max(axis=1)
        return found

    def settled(X: csr_matrix) -> FloatArray:
        return ahead(scale.apply(scores_near(model, row, X)))

    def raw(X: csr_matrix) -> FloatArray:
        scores = scores_near(model, row, X, which)
        found: FloatArray = scores[:, 0] - scores[:, 1:].max(axis=1)
        return found

    return (settled if scale.shift else raw), settled


class PossibleChanges(Sequence[Change]):
    """Single changes, each made when it is looked at."""

    def __init__(self, differential: Differential, there: Mapping[str, Finding], places: list[_Place]) -> None:
        self._differential, self._there, self._places = differential, there, places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> Change: ...
    @overload
    def __getitem__(self, place: slice) -> list[Change]: ...
    def __getitem__(self, place: int | slice) -> Change | list[Change]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        key, after = self._places[place]
        lineage, words = self._differential.diagnoser.encoder_.lineage_, self._differential.records.vocabulary
        code, before = str(lineage.key_code[key]), self._there.get(str(lineage.keys[key]))
        if isinstance(after, str):
            after = (
                Finding(code, after, subject=lineage.key_subject[key])
                if before is None
                else replace(before, status=after, text=None, interpretation=None, severity=None)
            )
        return Change(str(lineage.keys[key]), words.name(code), words.name(code, "zh"), before, after)


def possible_changes(
    differential: Differential, there: Mapping[str, Finding] | None = None
) -> tuple[PossibleChanges, Answers]:
    """Every single change that may be proposed, and the cells that it sets, in the same order.

    Recorded findings in words: the other states. Recorded values: others, as if measured again. What is not recorded
    and can be asked for: present or absent. Never age, sex or another part of the context.

    Parameters
    ----------
    differential : Differential
    there : mapping of str to Finding, optional
        What the case records, by key, where that is known already.
    """
    diagnoser, case = differential.diagnoser, differential.records
    there = recorded_findings(case) if there is None else there
    places: list[_Place] = []
    keys, columns = [], []
    able = _changeable(diagnoser)
    for place, after, column, askable in able.states:
        before = there.get(able.keys[place])
        if askable if before is None else before.value is None and before.status != after:
            places.append((place, after))
            keys.append(place)
            columns.append(column)
    more, measured = _measured_again(differential, able, there)
    in_words = Answers.of_states(np.array(keys, np.int64), np.array(columns, np.int64))
    return PossibleChanges(differential, there, [*places, *more]), Answers.together([in_words, measured])


@dataclass(frozen=True, slots=True, eq=False)
class _Changeable:
    """What of an encoder's findings can be changed: place, state, its column, and whether it can be asked for."""

    keys: list[str]
    place: dict[str, int]
    states: list[tuple[int, str, int, bool]]


_KNOWN: WeakKeyDictionary[FindingEncoder, _Changeable] = WeakKeyDictionary()


def _changeable(diagnoser: Diagnoser) -> _Changeable:
    encoder = diagnoser.encoder_
    if encoder not in _KNOWN:
        lineage, words = encoder.lineage_, diagnoser.vocabulary_
        keys = lineage.keys.tolist()
        own = np.flatnonzero(~lineage.context).tolist()
        column = {state: state_columns(lineage, state).tolist() for state in ("present", "absent")}
        askable = {i: phase_of(words, str(lineage.key_code[i]), measured=False) is not None for i in own}
        states = [(i, state, column[state][i], askable[i]) for i in own for state in column if column[state][i] >= 0]
        _KNOWN[encoder] = _Changeable(keys, {keys[i]: i for i in own}, states)
    return _KNOWN[encoder]


def _measured_again(
    differential: Differential, able: _Changeable, there: Mapping[str, Finding]
) -> tuple[list[_Place], Answers]:
    encoder: FindingEncoder = differential.diagnoser.encoder_
    made: list[_Place] = []
    keys, scaled = [], []
    for place, key in sorted((able.place[key], key) for key in there if key in able.place):
        before, scale = there[key], encoder.values_.get(key)
        if before.value is None or scale is None:
            continue
        for x, value in zip(_AGAIN.tolist(), value_of(scale, _AGAIN).tolist(), strict=True):
            # In three figures, as a clinician would read it off.
            value = float(f"{value:.3g}")
            made.append((place, Finding(before.code, value=value, unit=scale.unit, subject=before.subject)))
            keys.append(place)
            scaled.append(x)
    if not keys:
        return [], Answers.together([])
    return made, measured_cells(differential.records, encoder, np.array(keys, np.int64), np.array(scaled))
