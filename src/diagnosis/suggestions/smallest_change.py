"""`SmallestChange`: the fewest findings that would have to be otherwise for another diagnosis to come first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from diagnosis.errors import InputError
from diagnosis.explanation.answered_rows import Answers
from diagnosis.explanation.observed import value_of
from diagnosis.explanation.smallest_change import flipping_answers
from diagnosis.features import FindingEncoder
from diagnosis.records import OTHER, Finding
from diagnosis.suggestions.askable import measured_cells, phase_of
from diagnosis.suggestions.edits import Change, recorded_findings
from diagnosis.suggestions.kin import kin_of
from diagnosis.suggestions.what_if import WhatIf, what_if

if TYPE_CHECKING:
    from diagnosis.suggestions.differential import Differential

__all__ = ["SmallestChange", "smallest_change"]

FloatArray = npt.NDArray[np.float64]

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
    found : WhatIf or None
        The smallest change and both differentials, verified by scoring the changed case; None where no change of up to
        `most` findings is enough.
    n_tried : int
        Single answers that were tried, and combined.
    most : int
    """

    first: str
    target: str
    found: WhatIf | None
    n_tried: int
    most: int
    differential: Differential

    def __str__(self) -> str:
        return self.words()

    def __repr__(self) -> str:
        n = "none" if self.found is None else len(self.found.changes)
        return f"<SmallestChange: {n} of {self.n_tried} single changes tried>"

    def words(self, lang: str = "en") -> str:
        """One sentence, in English (``en``) or Chinese (``zh``)."""
        words, names = _WORDS[lang], self.differential.records.vocabulary
        said: dict[str, Any] = {"first": names.diagnosis_name(self.first, lang)}
        said |= {"target": names.diagnosis_name(self.target, lang), "most": self.most, "tried": self.n_tried}
        if self.found is None:
            return words["none"].format(**said)
        parts = []
        for change in self.found.changes:
            again = change.before is not None and change.after is not None and change.after.value is not None
            said_of = {"name": change.name_zh if lang == "zh" else change.name, "after": change.after_words(lang)}
            parts.append(words["again" if again else "state"].format(**said_of))
        return words["one"].format(changes=words["and"].join(parts), **said)

    def to_json(self) -> dict[str, Any]:
        """The change as plain values."""
        changes = None if self.found is None else [change.to_json() for change in self.found.changes]
        return {"first": self.first, "target": self.target, "changes": changes, "n_tried": self.n_tried}


def smallest_change(differential: Differential, target: int | None, most: int) -> SmallestChange:
    """Look for the smallest change; see `Differential.smallest_change`. `target` is a place among the diagnoses."""
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise InputError("at least one finding to change", f"most is {most!r}", "use a whole number from 1")
    diagnoser, case = differential.diagnoser, differential.records
    encoder, (model, classes, scale) = diagnoser.encoder_, diagnoser.part(differential.reading)
    order = [k for k in np.argsort(-differential.proba, kind="stable").tolist() if classes[k] != OTHER]
    if len(order) < 2:
        raise InputError("two diagnoses to change the order of", "the model knows one by name", "nothing to ask")
    whole = target is not None
    wanted = order[1] if target is None else target
    first = next(k for k in order if k != wanted) if order[0] == wanted else order[0]
    if order[0] == wanted:
        raise InputError(
            "a diagnosis that does not come first, to put first",
            f"{classes[wanted]} is first already",
            "name another one",
        )
    rivals = np.array([k for k in order if k != wanted] if whole else [first])

    def margin(X: csr_matrix) -> FloatArray:
        scores = scale.apply(model.scores(X))
        found: FloatArray = scores[:, wanted] - scores[:, rivals].max(axis=1)
        return found

    changes, answers = possible_changes(differential)
    row = encoder.transform(case) if differential.row is None else differential.row
    found = None
    for n, places in enumerate(flipping_answers(row, encoder.lineage_, answers, margin, most, kin_of(diagnoser, case))):
        made = what_if(differential, tuple(changes[i] for i in places))
        if made.after.proba[wanted] > made.after.proba[rivals].max():
            found = made
            break
        if n + 1 >= _MOST_VERIFIED * most:
            break
    return SmallestChange(str(classes[first]), str(classes[wanted]), found, len(answers), most, differential)


def possible_changes(differential: Differential) -> tuple[list[Change], Answers]:
    """Every single change that may be proposed, and the cells that it sets, in the same order.

    Recorded findings in words: the other states. Recorded values: others, as if measured again. What is not recorded
    and can be asked for: present or absent. Never age, sex or another part of the context.
    """
    diagnoser, case = differential.diagnoser, differential.records
    there = recorded_findings(case)
    lineage, words = diagnoser.encoder_.lineage_, case.vocabulary
    column = {str(name): i for i, name in enumerate(lineage.names)}
    changes, keys, columns = [], [], []
    again: list[tuple[int, str, Finding]] = []
    for place, key in enumerate(map(str, lineage.keys)):
        if lineage.context[place]:
            continue
        code, subject, before = str(lineage.key_code[place]), lineage.key_subject[place], there.get(key)
        if before is not None and before.value is not None:
            again.append((place, key, before))
            continue
        if before is None and phase_of(diagnoser.vocabulary_, code, measured=False) is None:
            continue
        for after in _states(code, subject, before):
            at = column.get(f"{after.status}:{key}")
            if at is not None:
                changes.append(Change(key, words.name(code), words.name(code, "zh"), before, after))
                keys.append(place)
                columns.append(at)
    in_words = Answers.of_states(np.array(keys, np.int64), np.array(columns, np.int64))
    more, measured = _measured_again(differential, again)
    return [*changes, *more], Answers.together([in_words, measured])


def _states(code: str, subject: str | None, before: Finding | None) -> Iterator[Finding]:
    for status in ("present", "absent"):
        if before is None:
            yield Finding(code, status, subject=subject)
        elif before.status != status:
            yield replace(before, status=status, text=None, interpretation=None, severity=None)


def _measured_again(differential: Differential, again: list[tuple[int, str, Finding]]) -> tuple[list[Change], Answers]:
    encoder: FindingEncoder = differential.diagnoser.encoder_
    words, case = differential.records.vocabulary, differential.records
    made, keys, scaled = [], [], []
    for place, key, before in again:
        if (scale := encoder.values_.get(key)) is None:
            continue
        for x, value in zip(_AGAIN.tolist(), value_of(scale, _AGAIN).tolist(), strict=True):
            # In three figures, as a clinician would read it off.
            value = float(f"{value:.3g}")
            after = Finding(before.code, value=value, unit=scale.unit, subject=before.subject)
            made.append(Change(key, words.name(before.code), words.name(before.code, "zh"), before, after))
            keys.append(place)
            scaled.append(x)
    if not keys:
        return [], Answers.together([])
    return made, measured_cells(case, encoder, np.array(keys, np.int64), np.array(scaled))
