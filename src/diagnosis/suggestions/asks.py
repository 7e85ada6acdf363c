"""What would change a list, as its page shows it: a few questions, and the smallest change that flips the order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from diagnosis.pages import QuestionView
from diagnosis.pages.observations import Text
from diagnosis.suggestions.questions import Question, next_questions
from diagnosis.suggestions.smallest_change import smallest_change

if TYPE_CHECKING:
    from diagnosis.suggestions.differential import Differential

__all__ = ["Asks", "asks_json", "asks_of", "asks_words"]


@dataclass(frozen=True, slots=True)
class Asks:
    """Up to a few questions, why none is worth asking, and the smallest change in one sentence a language."""

    questions: tuple[QuestionView, ...] = ()
    enough: str | None = None
    change: Text | None = None


def asks_of(differential: Differential, questions: int) -> Asks:
    """Work out what would change a list; nothing where none is asked for, the model cannot say, or it abstains."""
    if not _can_say(differential, questions):
        return Asks()
    asked = next_questions(differential, questions)
    return Asks(tuple(_view(one) for one in asked), asked.enough, _change(differential))


def asks_words(differential: Differential, questions: int, lang: str) -> str:
    """The same in lines, for a terminal; empty where there is nothing to say."""
    if not _can_say(differential, questions):
        return ""
    change = _change(differential)
    return "\n".join([next_questions(differential, questions).words(lang), *([change[lang]] if change else [])])


def asks_json(differential: Differential, questions: int) -> dict[str, Any]:
    """The same as plain values: ``questions`` and ``enough`` as `Questions.to_json` has them; empty likewise."""
    return next_questions(differential, questions).to_json() if _can_say(differential, questions) else {}


def _can_say(differential: Differential, questions: int) -> bool:
    return questions > 0 and differential.diagnoser.answers_ is not None and not differential.abstained


def _view(one: Question) -> QuestionView:
    return QuestionView(
        name={"en": one.name, "zh": one.name_zh},
        phase=one.phase,
        why={lang: one.why(lang) for lang in ("en", "zh")},
    )


def _change(differential: Differential) -> dict[str, str] | None:
    """The smallest change that puts the second before the first; None where there is none, or no second."""
    if len(differential) < 2:
        return None
    found = smallest_change(differential, None, 2)
    return None if found.changes is None else {lang: found.words(lang) for lang in ("en", "zh")}
