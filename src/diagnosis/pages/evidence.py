"""The evidence table of one suggestion: the strongest findings by name, the rest added up, and the sum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from diagnosis.pages.bars import factor_bar
from diagnosis.pages.findings import full_name, mark_text, reference_text, state_text
from diagnosis.pages.numbers import age_text, factor_text
from diagnosis.pages.observations import LineView
from diagnosis.pages.translations import counted, has_phrase, phrase
from diagnosis.pages.values import CasePage, ContrastView, SuggestionView

__all__ = ["Measured", "Row", "chart_scale", "context_lines", "enumerated", "evidence_groups", "total_relative"]

# A page stays readable with 400 findings: what comes after these is counted and added up, never dropped.
MAX_LINES = 8
# The least half-width of the charts, so that a factor of 1.1 does not look like a strong one.
LEAST_SCALE = math.log(4)


#: The lines of a suggestion, relative to the list or to its rival.
Measured = SuggestionView | ContrastView


@dataclass(frozen=True, slots=True)
class Row:
    """One row of an evidence table, ready to be shown."""

    name: str
    recorded: str
    factor: str
    bar: str
    is_sum: bool = False


def chart_scale(page: CasePage) -> float:
    """Return half the width of the charts on the log scale: one for the whole page, so that bars compare."""
    shown: list[Measured] = [page.rival_of(s) or s for s in page.suggestions]
    lines = [line for s in shown for line in (*s.for_, *s.against, *s.context, s.unrecorded)]
    bases = [s.base_relative for s in shown if s.base_relative is not None]
    return max([LEAST_SCALE, *(abs(line.relative) for line in lines), *(abs(base) for base in bases)])


def total_relative(s: Measured) -> float:
    """Return the sum of base and lines: the log of the probability less the list's weighted mean, or the rival's."""
    lines = (*s.for_, *s.against, *s.context, s.unrecorded)
    return math.fsum([s.base_relative or 0.0, *(line.relative for line in lines)])


def enumerated(kind: str, value: str | None, lang: str) -> str:
    """Return the words for a value of an enumeration, the value itself where the pages have none."""
    key = f"{kind}.{value}"
    return "" if not value else phrase(key, lang) if has_phrase(key) else value


def context_lines(page: CasePage, s: Measured, lang: str) -> tuple[LineView, ...]:
    """Return the context lines; age and sex get the words of the page's head where it has them."""
    own = {"age": age_text(page.age_years, page.age_days, lang), "sex": enumerated("sex", page.sex, lang)}
    lines = []
    for line in s.context:
        if line.code and own.get(line.code):
            name = phrase(f"context.{line.code}", lang)
            lines.append(replace(line, name=name, text=own[line.code], value=None, unit=None))
        else:
            lines.append(line)
    return tuple(lines)


def evidence_groups(
    page: CasePage, s: SuggestionView, scale: float, lang: str
) -> tuple[tuple[str, tuple[Row, ...]], ...]:
    """Return the groups *for*, *against* and *apart from the findings*, each with its rows; `scale`: half a chart."""
    shown = page.rival_of(s) or s
    return (
        (phrase("evidence.for", lang), _side(page, shown.for_, scale, lang)),
        (phrase("evidence.against", lang), _side(page, shown.against, scale, lang)),
        (phrase("evidence.apart", lang), _apart(page, shown, scale, lang)),
    )


def _side(page: CasePage, lines: Sequence[LineView], scale: float, lang: str) -> tuple[Row, ...]:
    ordered = sorted(lines, key=lambda line: -abs(line.relative))
    rows = [_line_row(page, line, scale, lang) for line in ordered[:MAX_LINES]]
    if rest := ordered[MAX_LINES:]:
        together = math.fsum(line.relative for line in rest)
        rows.append(_row(counted("evidence.more", len(rest), lang), "", together, scale, lang))
    return tuple(rows)


def _apart(page: CasePage, s: Measured, scale: float, lang: str) -> tuple[Row, ...]:
    rows = [_line_row(page, line, scale, lang) for line in context_lines(page, s, lang)]
    if s.neutral:
        rows.append(_row(counted("evidence.neutral", len(s.neutral), lang), "", 0.0, scale, lang))
    rows.append(_row(phrase("evidence.unrecorded", lang), "", s.unrecorded.relative, scale, lang))
    if s.base_relative is not None:
        rows.append(_row(phrase("evidence.base", lang), "", s.base_relative, scale, lang))
        rows.append(Row(phrase("evidence.sum", lang), "", factor_text(total_relative(s), lang), "", is_sum=True))
    return tuple(rows)


def _line_row(page: CasePage, line: LineView, scale: float, lang: str) -> Row:
    said = state_text(line, lang)
    # The reference range stands with the record; a line repeats it where it shows the same value.
    record = next((r for r in page.recorded if r.code == line.code and r.value == line.value), None)
    mark = mark_text(record if record and line.value is not None else line, lang)
    said += phrase("parenthesis", lang, {"text": mark}) if mark else ""
    if record and line.value is not None and (span := reference_text(record, lang)):
        said += phrase("semicolon", lang) + phrase("evidence.reference", lang, {"range": span})
    return _row(full_name(line, lang), said, line.relative, scale, lang)


def _row(name: str, recorded: str, relative: float, scale: float, lang: str) -> Row:
    factor = factor_text(relative, lang)
    return Row(name, recorded, factor, factor_bar(relative, scale, factor))
