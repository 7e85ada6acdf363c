"""The answer back in a notebook: first idea, then the list, then what the reviewer takes it to be."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from diagnosis.errors import DiagnosisError, InputError
from diagnosis.pages.translations import check_language, phrase
from diagnosis.records import OTHER
from diagnosis.review.answer import BASES

if TYPE_CHECKING:
    from diagnosis.review.answer import Verdict
    from diagnosis.review.log import ReviewLog
    from diagnosis.review.worklists import Worklist
    from diagnosis.suggestions import Differential

__all__ = ["ReviewPanel", "known_names", "review_panel"]

_ASKED = ("first_idea", "verdict", "diagnosis", "basis", "reason", "comment")
_VERDICTS: tuple[Verdict, ...] = ("agree", "other", "cannot_say")


class ReviewPanel:
    """The cases of a worklist one after the other, each with its form; made by `review_panel`.

    Parameters
    ----------
    worklist : Worklist
    log : ReviewLog
    reviewer : str
    lang : {"en", "zh"}
    clock : callable
        Seconds, for the time spent.

    Attributes
    ----------
    place : int or None
        Of the case in view, from 0; None when none is left.
    widgets : dict of str to ipywidgets.Widget
        ``page``, ``first_idea``, ``reveal``, ``verdict``, ``diagnosis``, ``basis``, ``reason``, ``comment``, ``save``,
        ``says``.
    box : ipywidgets.VBox
        All of them together.
    """

    def __init__(
        self,
        worklist: Worklist,
        log: ReviewLog,
        reviewer: str,
        lang: str = "en",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not reviewer.strip():
            raise InputError("a panel has a reviewer", "the name is empty", "give reviewer=, a name or a staff number")
        self.worklist, self.log, self.reviewer, self.lang = worklist, log, reviewer, check_language(lang)
        self.place: int | None = None
        self.revealed: datetime | None = None
        self._clock, self._began = clock, clock()
        self._names: Mapping[str, str] = {}
        self.widgets = _widgets(self.lang)
        self.widgets["reveal"].on_click(lambda _: self.reveal())
        self.widgets["save"].on_click(lambda _: self.save())
        self.box = _widget_kind("VBox")(list(self.widgets.values()))
        self._open(self._next(0))

    def __repr__(self) -> str:
        return f"<ReviewPanel of {len(self.worklist):,} cases>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return self.box._repr_mimebundle_(include=include, exclude=exclude)

    @property
    def withheld(self) -> bool:
        """Whether the case in view is shown without suggestions."""
        return self.place in self.worklist.withheld

    def reveal(self) -> None:
        """Show the list, once a first idea stands in its field."""
        if self.place is None or self.withheld or self.revealed is not None:
            return
        if not self.widgets["first_idea"].value.strip():
            self._say("panel.idea_first")
            return
        self.revealed = datetime.now(UTC)
        self._say(None)
        self.widgets["page"].value = self.worklist.page(self.place, self.lang, fragment=True, questions=3)
        self._ready(True)

    def save(self) -> None:
        """Keep the answer and open the next case; where it cannot be kept, say why and leave everything as it is."""
        if self.place is None:
            return
        if self.revealed is None and not self.withheld:
            self._say("panel.idea_first")
            return
        try:
            self._add(self.worklist[self.place])
        except DiagnosisError as error:
            self._says(str(error))
            return
        self._open(self._next(self.place + 1))

    def _add(self, one: Differential) -> None:
        given = {name: self.widgets[name].value or "" for name in _ASKED}
        idea, unknown_idea = self._code(given["first_idea"])
        code, words = self._code(given["diagnosis"])
        other = given["verdict"] == "other"
        comment = f"first idea: {unknown_idea}\n{given['comment']}".rstrip() if unknown_idea else given["comment"]
        self.log.add(
            one,
            reviewer=self.reviewer,
            verdict=cast("Verdict", given["verdict"]),
            diagnosis=code if other else None,
            diagnosis_text=words if other else "",
            first_idea=idea,
            revealed=self.revealed or False,
            basis=given["basis"] or None,
            reason=given["reason"],
            comment=comment,
            seconds=round(self._clock() - self._began, 1),
        )

    def _code(self, text: str) -> tuple[str | None, str]:
        """Return the code of a diagnosis as it was chosen, or none and the words as they were written."""
        text = text.strip()
        folded = {name.casefold(): code for name, code in self._names.items()}
        code = self._names.get(text) or folded.get(text.casefold())
        return (code, "") if code or not text else (None, text)

    def _next(self, start: int) -> int | None:
        """Return the place of the next case that this reviewer has not answered as it stands now."""
        done = {(r.case_id, r.record, r.model) for r in self.log.reviews() if r.reviewer == self.reviewer}
        for place in range(start, len(self.worklist)):
            one = self.worklist[place]
            if (one.case_id, one.records.digest(), one.model) not in done:
                return place
        return None

    def _open(self, place: int | None) -> None:
        self.place, self.revealed, self._began = place, None, self._clock()
        for name in ("first_idea", "diagnosis", "basis", "reason", "comment"):
            self.widgets[name].value = ""
        self._ready(False)
        if place is None:
            self.widgets["page"].value = ""
            self._say("panel.done")
            return
        self._say("panel.place", {"n": place + 1, "of": len(self.worklist)})
        self._names = known_names(self.worklist[place], self.lang)
        for name in ("first_idea", "diagnosis"):
            self.widgets[name].options = tuple(self._names)
        verdicts = _VERDICTS[1:] if self.withheld else _VERDICTS
        self.widgets["verdict"].options = [(phrase(f"panel.verdict.{one}", self.lang), one) for one in verdicts]
        self.widgets["page"].value = self.worklist.page(place, self.lang, fragment=True, reveal="not_yet")
        if self.withheld:
            self._ready(True)

    def _ready(self, answering: bool) -> None:
        """Open the part of the form that is due: first idea and reveal, or the answer."""
        for name in ("verdict", "diagnosis", "basis", "reason", "comment", "save"):
            self.widgets[name].disabled = not answering
        for name in ("first_idea", "reveal"):
            self.widgets[name].disabled = answering or self.place is None

    def _say(self, key: str | None, values: Mapping[str, object] | None = None) -> None:
        self._says(phrase(key, self.lang, values) if key else "")

    def _says(self, text: str) -> None:
        self.widgets["says"].value = text


def review_panel(worklist: Worklist, log: ReviewLog, *, reviewer: str, lang: str = "en") -> ReviewPanel:
    """Review the cases of a worklist in a notebook: own first idea, then the list, then the answer, which `log` keeps.

    Cases that this reviewer has answered already are left out, so that one can stop and go on. Without ipywidgets,
    `log.add` keeps the same answers.

    Parameters
    ----------
    worklist : Worklist
        Cases that it withholds are answered without a list.
    log : ReviewLog
    reviewer : str
        A name or a staff number.
    lang : {"en", "zh"}

    Raises
    ------
    InputError
        Without ipywidgets, or without a reviewer.
    UnknownNameError
        A language that the pages do not speak.
    """
    return ReviewPanel(worklist, log, reviewer, lang)


def known_names(one: Differential, lang: str) -> dict[str, str]:
    """Return the diagnoses that the model knows, name to code, by name; a shared name has its code beside it."""
    words = one.records.vocabulary
    named = [(words.diagnosis_name(str(c), lang), str(c)) for c in one.diagnoser.codes(one.reading) if c != OTHER]
    counts: dict[str, int] = {}
    for name, _ in named:
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted((f"{name} ({code})" if counts[name] > 1 else name, code) for name, code in named))


def _widget_kind(name: str) -> Any:
    try:
        ipywidgets = import_module("ipywidgets")
    except ImportError:
        raise InputError(
            "the review panel needs ipywidgets",
            "it is not installed",
            'install the extra: pip install "diagnosis[notebook]"; or keep answers with log.add(...)',
        ) from None
    return getattr(ipywidgets, name)


def _widgets(lang: str) -> dict[str, Any]:
    wide = {"layout": _widget_kind("Layout")(width="min(100%, 46em)"), "style": {"description_width": "12em"}}
    said = {name: phrase(f"panel.{name}", lang) for name in (*_ASKED, "reveal", "save")}
    combo, area = _widget_kind("Combobox"), _widget_kind("Textarea")
    bases = [("", ""), *((phrase(f"panel.basis.{one}", lang), one) for one in BASES)]
    return {
        "says": _widget_kind("Label")(),
        "page": _widget_kind("HTML")(),
        "first_idea": combo(description=said["first_idea"], ensure_option=False, **wide),
        "reveal": _widget_kind("Button")(description=said["reveal"], layout=wide["layout"]),
        "verdict": _widget_kind("RadioButtons")(description=said["verdict"], options=[], **wide),
        "diagnosis": combo(description=said["diagnosis"], ensure_option=False, **wide),
        "basis": _widget_kind("Dropdown")(description=said["basis"], options=bases, value="", **wide),
        "reason": area(description=said["reason"], rows=2, **wide),
        "comment": area(description=said["comment"], rows=2, **wide),
        "save": _widget_kind("Button")(description=said["save"], button_style="primary", layout=wide["layout"]),
    }
