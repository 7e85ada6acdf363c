"""The report of an evaluation as one HTML file: sections of paragraphs, tables and pictures, all plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from diagnosis.pages.environment import environment, style
from diagnosis.pages.inline_svg import inline_svg
from diagnosis.pages.plot import Plot
from diagnosis.pages.report_language import ReportLanguage
from diagnosis.pages.translations import check_language, phrase

__all__ = ["ReportFigure", "ReportPage", "ReportSection", "ReportTable", "render_report"]

_WIDE = 5.0  # inches: from here on a picture would be too small to read on a telephone


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table; the first column names the row.

    Parameters
    ----------
    caption : str
    head : sequence of str
    rows : sequence of sequence of str
        Each as long as the head.
    numbers : bool
        Whether all columns but the first hold numbers, which stand to the right.
    folded : bool
        Long tables open on a click.
    """

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: bool = True
    folded: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ReportFigure:
    """A picture with what it shows, in a sentence."""

    caption: str
    plot: Plot


@dataclass(frozen=True, slots=True, eq=False)
class ReportSection:
    """A part of the report.

    Parameters
    ----------
    name : str
        Letters, for links.
    title : str
    says : sequence of str
        Paragraphs.
    alerts : sequence of str
        What the reader must not overlook.
    blocks : sequence of ReportTable or ReportFigure
    """

    name: str
    title: str
    says: Sequence[str] = ()
    alerts: Sequence[str] = ()
    blocks: Sequence[ReportTable | ReportFigure] = ()


@dataclass(frozen=True, slots=True, eq=False)
class ReportPage:
    """Everything the report says.

    Parameters
    ----------
    title : str
    lead : sequence of str
        What a reader in a hurry must know.
    sections : sequence of ReportSection
    synthetic : bool
        Whether the patients are invented.
    names : mapping of str to str
        What diagnoses and findings are called in Chinese, by their English names.
    """

    title: str
    lead: Sequence[str]
    sections: Sequence[ReportSection]
    synthetic: bool = False
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Block:
    """A block as the template takes it: a picture has markup, a table has rows."""

    caption: str
    svg: Markup | None = None
    table: ReportTable | None = None
    wide: bool = False


@dataclass(frozen=True, slots=True)
class _Part:
    section: ReportSection
    blocks: list[_Block] = field(default_factory=list)


def render_report(page: ReportPage, lang: str = "en", *, fragment: bool = False) -> str:
    """Return the report as HTML: no script, nothing from a network, every value escaped.

    Parameters
    ----------
    page : ReportPage
        In English.
    lang : {"en", "zh"}
        The same numbers in either; what no translation is known of, such as the name of a site, stays as it is.
    fragment : bool
        True gives an element with its own scoped style, for a notebook; False a whole file.

    Raises
    ------
    UnknownNameError
        The pages do not speak `lang`.
    """
    says = ReportLanguage(check_language(lang), page.names)
    parts = [
        _Part(section, [_block(one, f"s{i}b{j}-", says) for j, one in enumerate(section.blocks)])
        for i, section in enumerate(page.sections)
    ]
    return (
        environment()
        .get_template("report_fragment.html.j2" if fragment else "report_document.html.j2")
        .render(
            page=page,
            parts=parts,
            title=says(page.title),
            says=says,
            t=lambda key: phrase(key, lang),
            top=3 if fragment else 1,
            style=style(),
            lang=lang,
        )
    )


def _block(block: ReportTable | ReportFigure, prefix: str, says: ReportLanguage) -> _Block:
    if isinstance(block, ReportTable):
        return _Block(block.caption, table=block)
    wide = block.plot.figure.get_figwidth() > _WIDE
    return _Block(block.caption, svg=inline_svg(block.plot, block.caption, prefix, says), wide=wide)
