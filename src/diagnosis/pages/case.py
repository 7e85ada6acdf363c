"""One case on one page: who, what was recorded, the list with its reasons, and how far to trust it."""

from __future__ import annotations

from diagnosis.pages.environment import environment, style
from diagnosis.pages.observations import LineView, Observation, RecordedFinding, Sides, sides
from diagnosis.pages.screen import CaseScreen
from diagnosis.pages.translations import check_language, phrase
from diagnosis.pages.values import CasePage, ContrastView, FlagView, ModelView, NotUsed, QuestionView, SuggestionView

__all__ = [
    "CasePage",
    "ContrastView",
    "FlagView",
    "LineView",
    "ModelView",
    "NotUsed",
    "Observation",
    "QuestionView",
    "RecordedFinding",
    "Sides",
    "SuggestionView",
    "render_case",
    "sides",
]


def render_case(page: CasePage, lang: str = "en", fragment: bool = False) -> str:
    """Return the page of one case as HTML: no script, nothing from a network, every value escaped.

    Parameters
    ----------
    page : CasePage
    lang : {"en", "zh"}
        The same numbers in either.
    fragment : bool
        True gives an element with its own scoped style, for a notebook; False a whole file.

    Raises
    ------
    UnknownNameError
        The pages do not speak `lang`.
    """
    screen = CaseScreen(page, check_language(lang))
    template = environment().get_template("fragment.html.j2" if fragment else "document.html.j2")
    label = phrase("page.case", lang, {"label": page.case_label}) if page.case_label else ""
    title = " · ".join(part for part in (phrase("page.title", lang), label) if part)
    return template.render(screen=screen, top=3 if fragment else 1, anchor=None, title=title, style=style(), lang=lang)
