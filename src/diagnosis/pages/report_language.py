"""A report in another language: its English sentences are the keys of a catalogue (`report_zh.json`).

A key holds places in braces. One letter, `{n}`, stands for a number and is carried over as it is, so that no number can
differ between languages; a word, `{finding}`, stands for a text, which is said in the other language where that is
known. What the catalogue does not hold stays in English.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from string import Formatter

__all__ = ["ReportLanguage", "catalogue"]

_NUMBER = r"[-−+]?[\d,]*\.?\d+(?:e[-+]\d+)? ?%?|–|nan"
_REST = ".+"
_ANY = r"(?:(?!; |\. ).)+?"  # within a sentence, or a half of one
_ENDS = re.compile(r"(?<=\.)(?<!al\.) ")


@dataclass(frozen=True, slots=True)
class ReportLanguage:
    """A language, and what diagnoses and findings are called in it.

    Parameters
    ----------
    lang : {"en", "zh"}
    names : mapping of str to str
        Their English names to those in this language.

    Examples
    --------
    >>> chinese = ReportLanguage("zh", {"measles": "麻疹"})
    >>> chinese("measles"), chinese("cases"), chinese("0.642 to 0.701"), chinese("ward 5")
    ('麻疹', '例数', '0.642 至 0.701', 'ward 5')
    """

    lang: str = "en"
    names: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, text: str) -> str:
        """Return a text of the report in this language."""
        if self.lang == "en" or not any(letter.isalpha() for letter in text):
            return text
        return self._whole(text) or "".join(map(self._sentence, _ENDS.split(text))).rstrip()

    def _whole(self, text: str) -> str:
        """Return what a whole text is, empty where it is not known."""
        known, patterns = _catalogue()
        stop = "。" if text.endswith(".") else ""
        bare = text.removesuffix(".")
        found = self.names.get(text) or known.get(bare) or self._cut(text) or self._list(bare)
        if found:
            return found + stop
        for pattern, said in patterns:
            if match := pattern.fullmatch(bare):
                values = {k: v.replace(" %", "%") if len(k) == 1 else self(v) for k, v in match.groupdict().items()}
                return said.format_map(values) + stop
        return ""

    def _cut(self, text: str) -> str:
        """Return a name of which a plot shows the beginning."""
        if not text.endswith("…"):
            return ""
        said = next((said for name, said in self.names.items() if name.startswith(text[:-1])), "")
        return said if len(said) <= len(text) else f"{said[: len(text) - 1]}…"

    def _list(self, text: str) -> str:
        """Return a list of which every part is known."""
        parts = text.split(", ")
        said = [self._whole(part) for part in parts] if len(parts) > 1 else []
        return "、".join(said) if said and all(said) else ""

    def _sentence(self, text: str) -> str:
        if whole := self._whole(text):
            return whole
        halves = [self._whole(half) or half for half in text.split("; ")]
        return "；".join(halves) + ("" if halves[-1].endswith("。") else " ")


@cache
def catalogue() -> Mapping[str, str]:
    """Return the English texts of a report with what they are in Chinese."""
    text = files("diagnosis.pages").joinpath("report_zh.json").read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text)
    return found


@cache
def _catalogue() -> tuple[Mapping[str, str], tuple[tuple[re.Pattern[str], str], ...]]:
    """Return the texts without a place, and a pattern for each that has one, the longest first."""
    plain = {key: said for key, said in catalogue().items() if "{" not in key}
    placed = sorted((key for key in catalogue() if "{" in key), key=lambda key: (-len(key), key))
    return plain, tuple((_pattern(key), catalogue()[key]) for key in placed)


def _pattern(key: str) -> re.Pattern[str]:
    parts = []
    for literal, name, _, _ in Formatter().parse(key):
        parts.append(re.escape(literal))
        if name:
            parts.append(f"(?P<{name}>{_NUMBER if len(name) == 1 else _REST if name == 'rest' else _ANY})")
    return re.compile("".join(parts), re.DOTALL)
