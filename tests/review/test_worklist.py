"""A worklist: urgent cases first, doubtful ones before sure ones, every value escaped, every page there."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from joblib import parallel_config

import diagnosis as dx
from diagnosis.errors import InputError, UnknownNameError
from diagnosis.pages import WorklistRow, render_worklist
from diagnosis.suggestions import Differential, Flag


@pytest.fixture(scope="module")
def differentials(sample: dx.Records) -> list[Differential]:
    return dx.Diagnoser(model="linear").fit(sample[:400]).suggest(sample[500:512], top=3)


def plain(one: Differential) -> Differential:
    return replace(one, flags=(), must_not_miss=(), abstained=False)


def test_urgent_first_then_doubtful(differentials: list[Differential]) -> None:
    some = [plain(one) for one in differentials]
    by_doubt = sorted(some, key=lambda one: one.ranked[0].probability)
    assert [one.case_id for one in dx.worklist(some)] == [one.case_id for one in by_doubt]
    sure = by_doubt[-1]
    raised = replace(by_doubt[-2], must_not_miss=(by_doubt[-2].ranked[0].diagnosis,))
    red = replace(sure, flags=(Flag("red_flag", "fever under 28 days", None, {"says_zh": "新生儿发热"}),))
    shy = replace(by_doubt[-3], abstained=True)
    made = dx.worklist([*by_doubt[:-3], shy, raised, red])
    assert [one.case_id for one in made][:3] == [red.case_id, raised.case_id, shy.case_id]
    assert made[0] is red
    assert made.frame()["urgency"].tolist()[:3] == ["red_flag", "must_not_miss", "none"]
    assert repr(made) == "<Worklist of 12 cases: 1 with a red flag, 1 not to be missed>"
    english, chinese = made.to_html(), made.to_html("zh")
    assert "fever under 28 days" in english
    assert "新生儿发热" in chinese
    unlisted = dx.worklist([replace(sure, other=0.9999)])
    assert "none of the listed: over" in unlisted.to_html()
    assert "none of the listed" not in dx.worklist([replace(sure, other=0.0001)]).to_html()
    assert "none of the listed" not in dx.worklist([replace(sure, other=0.9999)], withhold=1.0).to_html()
    assert "fever" not in chinese


def test_identifiers_only_where_asked_for(differentials: list[Differential]) -> None:
    ids = [one.case_id for one in differentials]
    assert not [one for one in ids if one in dx.worklist(differentials).to_html()]
    assert all(one in dx.worklist(differentials, ids=True).to_html() for one in ids)


def test_each_row_opens_its_page(differentials: list[Differential], tmp_path: Path) -> None:
    made = dx.worklist(differentials[:3])
    index = made.save(tmp_path / "list", "zh")
    links = re.findall(r'href="([^"]+)"', index.read_text(encoding="utf-8"))
    assert len(links) == 3
    for link, one in zip(links, made, strict=True):
        assert (index.parent / link).read_text(encoding="utf-8") == one.to_html("zh", questions=0)
    with pytest.raises(InputError, match="holds something"):
        made.save(tmp_path / "list")
    with pytest.raises(UnknownNameError):
        made.to_html("fr")
    assert len(dx.worklist([])) == 0
    assert "No case is waiting" in dx.worklist([]).to_html()


def test_a_share_is_withheld_by_choice(differentials: list[Differential], tmp_path: Path) -> None:
    some = [plain(one) for one in differentials]
    red = replace(some[0], flags=(Flag("red_flag", "fever under 28 days", None, {}),))
    cases = [red, *some[1:]]
    made = dx.worklist(cases, withhold=0.5, seed=3)
    drawn = {made[place].case_id for place in made.withheld}
    assert len(drawn) == round(0.5 * (len(cases) - 1))
    assert red.case_id not in drawn
    again = dx.worklist(cases[::-1], withhold=0.5, seed=3)
    assert {again[place].case_id for place in again.withheld} == drawn
    assert not dx.worklist(cases).withheld
    assert dx.worklist([red], withhold=1.0).withheld == frozenset()
    assert made.frame()["withheld"].sum() == len(drawn)
    with parallel_config(backend="threading"):
        index = made.save(tmp_path / "list", n_jobs=2)
    table = index.read_text(encoding="utf-8")
    assert table.count("without suggestions, by choice") == len(drawn)
    for place, one in enumerate(made):
        page = (tmp_path / "list" / "cases" / f"{place + 1:05d}.html").read_text(encoding="utf-8")
        held = place in made.withheld
        assert ("Without suggestions, by choice" in page) == held
        assert (not any(f"<bdi>{s.name}</bdi>" in page for s in one.ranked)) == held
        assert "Everything recorded" in page
    for share in (-0.1, 1.1, float("nan")):
        with pytest.raises(InputError, match="from 0 to 1"):
            dx.worklist(cases, withhold=share)


def test_folded_away_the_table_names_no_suggestion(differentials: list[Differential], tmp_path: Path) -> None:
    raised = replace(plain(differentials[0]), must_not_miss=(differentials[0].ranked[0].diagnosis,))
    red = replace(plain(differentials[1]), flags=(Flag("red_flag", "fever under 28 days", None, {}),))
    made = dx.worklist([raised, red, plain(differentials[2])])
    index = made.save(tmp_path / "list", reveal="after_answer")
    table = index.read_text(encoding="utf-8")
    assert not [s.name for one in made for s in one.ranked if f"<bdi>{s.name}</bdi>" in table]
    assert "fever under 28 days" in table
    assert "after your own first idea" in table
    assert 'class="dx-idea"' in (tmp_path / "list" / "cases" / "00001.html").read_text(encoding="utf-8")
    with pytest.raises(UnknownNameError, match="after_answer"):
        made.save(tmp_path / "other", reveal="after_anser")  # type: ignore[arg-type]
    assert not (tmp_path / "other").exists()


def test_a_hostile_value_is_text() -> None:
    evil = "<script>alert(1)</script>"
    row = WorklistRow(label=evil, urgent=(evil,), urgency="red_flag", first=evil, sex=evil, probability=0.5)
    page = render_worklist([row])
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("http-equiv", "")
