"""Pages read from JSON, and a reader of HTML that sees what a browser or a screen reader would."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from diagnosis.pages import (
    CasePage,
    ContrastView,
    FlagView,
    LineView,
    ModelView,
    NotUsed,
    RecordedFinding,
    SuggestionView,
    sides,
)

CASES = Path(__file__).parent / "cases"
VOID = frozenset({"meta", "br", "img", "input", "link", "hr"})
INLINE = frozenset({"span", "bdi", "strong", "em", "a", "svg", "rect", "b", "i"})


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    inside: tuple[str, ...]
    text: str = ""


@dataclass
class Document:
    """Elements in order, the text by lines, and what is wrong with the markup."""

    elements: list[Element] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def all(self, tag: str | None = None, css_class: str | None = None) -> list[Element]:
        return [
            e
            for e in self.elements
            if (tag is None or e.tag == tag)
            and (css_class is None or css_class in e.attributes.get("class", "").split())
        ]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.document = Document()
        self.open: list[Element] = []
        self.line = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(set(names)) != len(names):
            self.document.faults.append(f"attribute twice in <{tag}>")
        attributes = {name: value or "" for name, value in attrs}
        element = Element(tag, attributes, tuple(e.tag for e in self.open))
        self.document.elements.append(element)
        if tag not in INLINE:
            self._end_line()
        if tag == "svg":
            self.line += f" [{attributes.get('aria-label', '')}] "
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1].tag != tag:
            self.document.faults.append(f"</{tag}> closes {self.open[-1].tag if self.open else 'nothing'}")
            return
        self.open.pop()
        if tag in ("th", "td"):
            self.line += " | "
        elif tag not in INLINE:
            self._end_line()

    def handle_data(self, data: str) -> None:
        if any(e.tag in ("style", "title") for e in self.open):
            return
        self.line += data
        for element in self.open:
            element.text += data

    def _end_line(self) -> None:
        if self.open and self.open[-1].tag == "tr" and self.line.rstrip().endswith("|"):
            return
        text = " ".join(self.line.replace("\u00a0", "~").split())
        if text.strip(" |"):
            self.document.lines.append(text.removesuffix(" |"))
        self.line = ""


def _read(html: str) -> Document:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    reader._end_line()
    reader.document.faults += [f"<{e.tag}> is never closed" for e in reader.open]
    return reader.document


def _lines(values: list[dict[str, Any]]) -> tuple[LineView, ...]:
    return tuple(LineView(**line) for line in values)


def _reasons(values: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(values)
    for side in ("for_", "against", "neutral", "context"):
        if side in made:
            made[side] = _lines(made[side])
    made["unrecorded"] = LineView(**made["unrecorded"])
    return made


def _suggestion(values: Mapping[str, Any]) -> SuggestionView:
    made = _reasons(values)
    if made.get("contrast"):
        made["contrast"] = ContrastView(**_reasons(made["contrast"]))
    return SuggestionView(**made)


def _page(values: Mapping[str, Any]) -> CasePage:
    made = dict(values)
    made["model"] = ModelView(**made["model"])
    made["suggestions"] = tuple(_suggestion(s) for s in made["suggestions"])
    made["recorded"] = tuple(RecordedFinding(**r) for r in made.get("recorded", ()))
    made["flags"] = tuple(FlagView(**f) for f in made.get("flags", ()))
    made["not_used"] = NotUsed(**made.get("not_used", {}))
    made["facts"] = tuple((label, value) for label, value in made.get("facts", ()))
    for name in ("set_beyond", "unknown_codes"):
        made[name] = tuple(made.get(name, ()))
    return CasePage(**made)


def page_in(folder: Path) -> CasePage:
    """Return the page that a golden case's folder holds."""
    return _page(json.loads((folder / "page.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def read_html() -> Callable[[str], Document]:
    return _read


@pytest.fixture(scope="session")
def golden() -> Callable[[str], CasePage]:
    """The page of a golden case by its name."""
    return lambda name: page_in(CASES / name)


@pytest.fixture
def plain() -> Callable[..., CasePage]:
    """A page with the given suggestions and whatever else a test needs."""

    def make(*suggestions: SuggestionView, **others: Any) -> CasePage:
        return CasePage(model=ModelView(name="m"), suggestions=suggestions, **others)

    return make


@pytest.fixture
def suggest() -> Callable[..., SuggestionView]:
    """A suggestion from its rank, its probability and its lines."""

    def make(rank: int, p: float, *lines: LineView, **others: Any) -> SuggestionView:
        parts = sides(lines)
        given = {"code": f"D{rank}", "name": f"diagnosis {rank}"} | others
        return SuggestionView(
            rank=rank, probability=p, for_=parts.for_, against=parts.against, unrecorded=parts.unrecorded, **given
        )

    return make
