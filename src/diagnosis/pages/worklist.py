"""Many cases as one table, the most urgent and the most doubtful first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from diagnosis.pages import evidence, numbers
from diagnosis.pages.environment import environment, style
from diagnosis.pages.observations import Text, in_language
from diagnosis.pages.translations import check_language, counted, phrase

__all__ = ["WorklistRow", "render_worklist"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorklistRow:
    """One case of a worklist.

    Parameters
    ----------
    label : str or None
        An identifier, shown as it is; None keeps it off the page, and the place in the list is shown.
    href : str or None
        Where its page is.
    urgency : str
        ``red_flag``, ``must_not_miss`` or ``none``.
    urgent : tuple of Text
        What the red flags say, or which diagnoses must not be missed.
    first : Text or None
        The first suggestion; None where there is none.
    probability : float or None
    other : float or None
        The probability of none of the listed diagnoses, where it is above that of the first.
    n_set : int
        How many diagnoses the prediction set holds.
    abstained : bool
    n_flags : int
        Further flags.
    withheld : bool
        By choice it is shown without suggestions; the row says so.
    """

    label: str | None = None
    href: str | None = None
    age_years: float | None = None
    age_days: float | None = None
    sex: str | None = None
    urgency: str = "none"
    urgent: tuple[Text, ...] = ()
    first: Text | None = None
    probability: float | None = None
    other: float | None = None
    n_set: int = 0
    abstained: bool = False
    n_flags: int = 0
    withheld: bool = False


@dataclass(frozen=True, slots=True)
class _Shown:
    """A row in one language, ready for the template."""

    name: str
    href: str | None
    who: str
    urgency: str
    urgent: tuple[str, ...]
    first: str
    probability: str
    doubt: str


def render_worklist(
    rows: Sequence[WorklistRow],
    lang: str = "en",
    *,
    fragment: bool = False,
    synthetic: bool = False,
    folded: bool = False,
) -> str:
    """Return the worklist as HTML: no script, nothing from a network, every value escaped.

    Parameters
    ----------
    rows : sequence of WorklistRow
        In the order they are shown in.
    lang : {"en", "zh"}
    fragment : bool
        True gives an element with its own scoped style, for a notebook; False a whole file.
    synthetic : bool
        Say that the patients are invented.
    folded : bool
        The suggestions stand on the cases' pages alone: no column for them.

    Raises
    ------
    UnknownNameError
        The pages do not speak `lang`.
    """
    check_language(lang)
    name = "worklist_fragment.html.j2" if fragment else "worklist_document.html.j2"
    return (
        environment()
        .get_template(name)
        .render(
            rows=[_shown(row, place, lang) for place, row in enumerate(rows, 1)],
            t=lambda key, values=None: phrase(key, lang, values),
            count=counted("worklist.cases", len(rows), lang),
            title=phrase("worklist.title", lang),
            synthetic=synthetic,
            folded=folded,
            top=3 if fragment else 1,
            style=style(),
            lang=lang,
        )
    )


def _shown(row: WorklistRow, place: int, lang: str) -> _Shown:
    who = [numbers.age_text(row.age_years, row.age_days, lang), evidence.enumerated("sex", row.sex, lang)]
    doubt = [phrase("worklist.withheld", lang)] if row.withheld else []
    doubt += [phrase("worklist.abstained", lang)] if row.abstained else []
    if row.other is not None:
        doubt.append(phrase("worklist.other", lang, {"p": numbers.percent_text(row.other, lang)}))
    if row.n_set:
        doubt.append(counted("worklist.set", row.n_set, lang))
    if row.n_flags:
        doubt.append(counted("review.flags", row.n_flags, lang))
    return _Shown(
        name=row.label or phrase("review.number", lang, {"n": place}),
        href=row.href,
        who=" · ".join(part for part in who if part) or phrase("page.unknown_patient", lang),
        urgency=row.urgency,
        urgent=tuple(in_language(text, lang) for text in row.urgent),
        first=in_language(row.first, lang, "–"),
        probability="–" if row.probability is None else numbers.percent_text(row.probability, lang),
        doubt=phrase("comma", lang).join(doubt) or "–",
    )
