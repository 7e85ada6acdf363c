"""The panel of a notebook, by its widgets and without a browser: first idea, list, answer, next case."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.small import small_records

import diagnosis as dx
from diagnosis.errors import InputError
from diagnosis.review.panel import ReviewPanel, known_names
from diagnosis.suggestions import Differential


@pytest.fixture(scope="module")
def differentials() -> list[Differential]:
    records = small_records(150)
    return dx.Diagnoser(model="linear", folds=2).fit(records[:120]).suggest(records[120:123], top=3)


@pytest.fixture
def log(tmp_path: Path) -> dx.ReviewLog:
    return dx.ReviewLog(tmp_path / "reviews.db", wait=0.05)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def names_in(panel: ReviewPanel, one: Differential) -> list[str]:
    return [s.name for s in one.ranked if f"</span> <bdi>{s.name}</bdi>" in panel.widgets["page"].value]


def test_idea_then_list_then_answer_then_next(differentials: list[Differential], log: dx.ReviewLog) -> None:
    waiting, clock = dx.worklist(differentials), Clock()
    panel = ReviewPanel(waiting, log, "Dr Li", clock=clock)
    w = panel.widgets
    assert w["says"].value == "Case 1 of 3"
    assert names_in(panel, waiting[0]) == []
    assert w["save"].disabled
    w["reveal"].click()
    assert "first idea" in w["says"].value
    assert panel.revealed is None
    panel.save()
    assert len(log) == 0
    w["first_idea"].value = "Measles"
    w["reveal"].click()
    assert names_in(panel, waiting[0]) == [s.name for s in waiting[0].ranked]
    assert w["first_idea"].disabled
    assert not w["save"].disabled
    w["verdict"].value, w["basis"].value, w["comment"].value = "agree", "laboratory", "as seen"
    clock.now = 42.04
    w["save"].click()
    (kept,) = log.reviews()
    assert (kept.reviewer, kept.first_idea, kept.verdict, kept.diagnosis) == (
        *("Dr Li", "B05.9", "agree"),
        waiting[0].ranked[0].diagnosis,
    )
    assert (kept.basis, kept.comment, kept.seconds, kept.saw_model) == ("laboratory", "as seen", 42.0, True)
    assert (panel.place, w["first_idea"].value, w["comment"].value, w["basis"].value) == (1, "", "", "")
    assert names_in(panel, waiting[1]) == []
    w["first_idea"].value = "something rare"
    w["reveal"].click()
    w["verdict"].value = "other"
    w["save"].click()
    assert "names a diagnosis" in w["says"].value
    assert (panel.place, len(log), w["first_idea"].value) == (1, 1, "something rare")
    w["diagnosis"].value = "a disease nobody knows"
    w["save"].click()
    last = log.reviews()[-1]
    assert (last.first_idea, last.diagnosis, last.diagnosis_text) == (None, None, "a disease nobody knows")
    assert last.comment == "first idea: something rare"
    # Who comes back goes on where there is no answer yet; another reviewer starts at the first.
    assert dx.review_panel(waiting, log, reviewer="Dr Li").place == 2
    assert dx.review_panel(waiting, log, reviewer="Dr Wang", lang="zh").widgets["says"].value == "第 1 例，共 3 例"
    w["first_idea"].value = "measles"
    w["reveal"].click()
    w["verdict"].value = "cannot_say"
    w["save"].click()
    assert panel.place is None
    assert w["says"].value == "Every case is answered."
    panel.save()
    panel.reveal()
    assert len(log) == 3
    assert log.verify()


def test_a_withheld_case_is_answered_without_a_list(differentials: list[Differential], log: dx.ReviewLog) -> None:
    from dataclasses import replace

    calm = replace(differentials[0], flags=(), must_not_miss=())
    panel = dx.review_panel(dx.worklist([calm], withhold=1.0), log, reviewer="Dr Li")
    w = panel.widgets
    assert w["reveal"].disabled
    assert "Without suggestions, by choice" in w["page"].value
    panel.reveal()
    assert names_in(panel, calm) == []
    assert [value for _, value in w["verdict"].options] == ["other", "cannot_say"]
    w["verdict"].value, w["diagnosis"].value = "other", "influenza"
    w["save"].click()
    (kept,) = log.reviews()
    assert (kept.diagnosis, kept.saw_model, kept.first_idea) == ("J11.1", False, None)


def test_what_the_log_cannot_take_stays_in_the_form(differentials: list[Differential], log: dx.ReviewLog) -> None:
    import sqlite3

    panel = dx.review_panel(dx.worklist(differentials), log, reviewer="Dr Li")
    w = panel.widgets
    w["first_idea"].value, w["reason"].value = "asthma", "no wheeze"
    w["reveal"].click()
    w["verdict"].value = "cannot_say"
    held = sqlite3.connect(log.path, isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    w["save"].click()
    assert "held by another program" in w["says"].value
    assert (panel.place, w["reason"].value, len(log)) == (0, "no wheeze", 0)
    held.execute("ROLLBACK")
    held.close()
    w["save"].click()
    assert (panel.place, len(log)) == (1, 1)


def test_names_are_in_the_language_and_tell_apart(differentials: list[Differential]) -> None:
    assert known_names(differentials[0], "zh")["麻疹"] == "B05.9"
    assert sorted(known_names(differentials[0], "en").values()) == sorted(
        c for c in differentials[0].diagnoser.codes("posterior") if c != dx.OTHER
    )


def test_without_ipywidgets_the_error_names_the_extra(
    differentials: list[Differential], log: dx.ReviewLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(InputError, match=r"diagnosis\[notebook\].*log\.add"):
        dx.review_panel(dx.worklist(differentials), log, reviewer="Dr Li")
    with pytest.raises(InputError, match="reviewer"):
        dx.review_panel(dx.worklist(differentials), log, reviewer=" ")
