"""One reviewer's answer to one case: what was shown, what was thought before, what was said after."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Literal, get_args

from diagnosis.errors import InputError, UnknownNameError, nearest
from diagnosis.records.schema import TABLES

__all__ = ["BASES", "CONFIRMING", "Review", "Verdict", "checked_review"]

Verdict = Literal["agree", "other", "cannot_say"]

#: What an answer can rest on, as in the table `labels`.
BASES: tuple[str, ...] = TABLES["labels"].columns["basis"].choices
#: What confirms a diagnosis independently of the list that was shown: a test, or how it went on.
CONFIRMING = frozenset({"laboratory", "microbiology", "imaging", "pathology", "genetic", "follow_up"})

_LONGEST = 10_000  # characters of a comment


@dataclass(frozen=True, slots=True)
class Review:
    """One reviewer's answer to one case.

    Parameters
    ----------
    reviewer, case_id : str
    model, record : str
        Which model (as its differentials name it), and the digest of the case's records: what was judged.
    shown : tuple of (str, float)
        The diagnoses of the list with their probabilities, in the order in which they were shown.
    verdict : {"agree", "other", "cannot_say"}
        With the first of the list, with another diagnosis, or neither.
    diagnosis : str or None
        Code of what the reviewer takes it to be: the first of the list where they agree.
    diagnosis_text : str
        The same in free words, where no code fits; never becomes a label.
    first_idea : str or None
        Code of what the reviewer took it to be before the list was revealed.
    revealed : str or None
        When the list was revealed, ISO 8601; None: it never was.
    basis : str or None
        What the answer rests on, as in `labels`: ``clinical``, ``laboratory`` ...
    reason, comment : str
        Why the list was overridden; anything else.
    seconds : float or None
        Time spent.
    time : str
        When the answer was given, ISO 8601, UTC; set by the log.
    seq : int
        Its place in the log, from 1; set by the log.
    """

    reviewer: str
    case_id: str
    model: str
    record: str
    shown: tuple[tuple[str, float], ...]
    verdict: Verdict
    diagnosis: str | None = None
    diagnosis_text: str = ""
    first_idea: str | None = None
    revealed: str | None = None
    basis: str | None = None
    reason: str = ""
    comment: str = ""
    seconds: float | None = None
    time: str = ""
    seq: int = 0

    @property
    def saw_model(self) -> bool:
        """Whether the list was in view before the answer."""
        return self.revealed is not None

    @property
    def confirmed(self) -> bool:
        """Whether a test or the follow-up stands behind the diagnosis."""
        return self.diagnosis is not None and self.basis in CONFIRMING

    def to_json(self) -> dict[str, Any]:
        """The answer as plain values."""
        return {**asdict(self), "shown": [list(one) for one in self.shown]}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Review:
        """Make an answer again from `to_json`; keys of a later release are left out."""
        known = {f.name for f in fields(cls)}
        given = {name: value for name, value in values.items() if name in known}
        return cls(**{**given, "shown": tuple((str(d), float(p)) for d, p in values["shown"])})


def checked_review(review: Review) -> Review:
    """Return the answer if it says what an answer must.

    Raises
    ------
    InputError
        No reviewer, no diagnosis where one is meant, a time that is none, or a text too long.
    UnknownNameError
        A verdict or a basis that is none.
    """
    _is_one_of("verdict", review.verdict, get_args(Verdict))
    if review.basis is not None:
        _is_one_of("basis", review.basis, BASES)
    if not review.reviewer.strip():
        raise InputError("an answer has a reviewer", "the name is empty", "give reviewer=, a name or a staff number")
    named = review.diagnosis is not None or bool(review.diagnosis_text.strip())
    if review.verdict == "other" and not named:
        raise InputError('the verdict "other" names a diagnosis', "found none", "give diagnosis= or diagnosis_text=")
    if review.verdict == "agree" and review.shown and review.diagnosis != review.shown[0][0]:
        found = "found another diagnosis"
        raise InputError('the verdict "agree" is with the first of the list', found, 'leave it away, or say "other"')
    if review.verdict == "other" and review.shown and review.diagnosis == review.shown[0][0]:
        raise InputError('the verdict "other" names another diagnosis', "found the first of the list", 'say "agree"')
    if review.verdict == "cannot_say" and named:
        raise InputError('the verdict "cannot_say" names no diagnosis', "found one", 'leave it away, or say "other"')
    if review.revealed is not None:
        _is_time(review.revealed)
    if review.seconds is not None and not (math.isfinite(review.seconds) and review.seconds >= 0):
        raise InputError("seconds is a number of seconds, at least 0", "found another", "measure it anew, or leave it")
    for name in ("reason", "comment", "diagnosis_text", "reviewer"):
        if len(getattr(review, name)) > _LONGEST:
            found = f"found {len(getattr(review, name)):,}"
            raise InputError(f"{name} has at most {_LONGEST:,} characters", found, "shorten it")
    return review


def _is_one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        near = nearest(str(value), allowed)
        raise UnknownNameError(f"{name} is one of {', '.join(allowed)}", f"found {value!r}", "use one", near=near)


def _is_time(text: str) -> None:
    try:
        zone = datetime.fromisoformat(text).tzinfo
    except ValueError:
        zone = None
    if zone is None:
        asked = "revealed is a time in ISO 8601 with its zone"
        raise InputError(asked, "found another", "give a datetime with a zone, such as datetime.now(timezone.utc)")
