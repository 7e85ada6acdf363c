"""Several cases on one page: how the model did, a table of contents, then each case in full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from diagnosis.pages.environment import environment, style
from diagnosis.pages.observations import Text, in_language
from diagnosis.pages.screen import CaseScreen
from diagnosis.pages.tables import cell_text
from diagnosis.pages.translations import check_language, phrase
from diagnosis.pages.values import CasePage

__all__ = ["SummaryRow", "render_review"]


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One measure: its name, its value, and the interval around it.

    Parameters
    ----------
    label : Text
    value : float or str or None
        A float is shown with three decimals, a text as it is, None as a dash.
    interval : (float, float) or None
    """

    label: Text
    value: float | str | None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """A row of the table of measures, ready to be shown."""

    label: str
    value: str
    interval: str


def render_review(
    pages: Sequence[CasePage],
    title: Text,
    summary_rows: Sequence[SummaryRow] = (),
    lang: str = "en",
    intro: Text | None = None,
) -> str:
    """Return one HTML file with several cases.

    Parameters
    ----------
    pages : sequence of CasePage
        In the order they are shown in.
    title : Text
    summary_rows : sequence of SummaryRow
        How the model did on cases it had not seen; left away when empty.
    lang : {"en", "zh"}
    intro : Text or None
        A paragraph under the title: which cases these are and how they were chosen.

    Raises
    ------
    UnknownNameError
        The pages do not speak `lang`.
    """
    check_language(lang)
    screens = [CaseScreen(page, lang) for page in pages]
    return (
        environment()
        .get_template("review.html.j2")
        .render(
            screens=screens,
            t=lambda key, values=None: phrase(key, lang, values),
            title=in_language(title, lang),
            intro=in_language(intro, lang),
            measures=[_measure(row, lang) for row in summary_rows],
            synthetic=any(page.synthetic for page in pages),
            style=style(),
            lang=lang,
        )
    )


def _measure(row: SummaryRow, lang: str) -> Measure:
    low_high = "" if row.interval is None else f"{cell_text(row.interval[0])}–{cell_text(row.interval[1])}"
    return Measure(in_language(row.label, lang), cell_text(row.value), low_high)
