"""The report: its numbers are the evaluation's, it needs nothing from outside, and it says what it does not know."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import diagnosis as dx
from diagnosis.errors import UnknownNameError
from diagnosis.evaluation import EvaluationReport
from diagnosis.evaluation.model_card import FOR_A_PERSON, card_items
from diagnosis.evaluation.site_matrix import SiteCell
from diagnosis.evaluation.suspicions import between_sides
from diagnosis.pages import ReportFigure, ReportPage, ReportSection, ReportTable, render_report
from diagnosis.pages.evaluation_plots import (
    burden_plot,
    decision_plot,
    groups_plot,
    matrix_plot,
    reliability_plot,
    risk_coverage_plot,
)


@pytest.fixture(scope="module")
def made(sample: dx.Records) -> EvaluationReport:
    train, test = dx.split(sample[:500], by="patient", test_size=0.3, seed=0)
    diagnoser = dx.Diagnoser(model="linear", folds=2).fit(train)
    row = tuple(SiteCell(100, 50, 0, value, None) for value in (0.71, 0.66))
    matrix = dx.SiteMatrix("top.1", ("children", "county"), (row, row, row))
    return dx.report(diagnoser, test, train=train, title="Ward 5 <b>", site_matrix=matrix, n_boot=10)


@pytest.fixture(scope="module")
def text(made: EvaluationReport) -> str:
    return made.to_html()


class _Page(HTMLParser):
    """Collects tags, ids, links and the cells of the tables."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        self.ids += [one for one in (given.get("id"),) if one]
        self.links += [one for one in (given.get("href"), given.get("src")) if one]


def test_the_page_is_whole_small_and_needs_nothing_from_outside(text: str) -> None:
    assert len(text.encode()) < 2_000_000
    page = _Page()
    page.feed(text)
    assert not {"script", "iframe", "img", "link", "object"} & set(page.tags)
    assert "http" not in text
    assert len(page.ids) == len(set(page.ids)), "ids of pictures do not meet"
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert "Ward 5 &lt;b&gt;" in text
    assert page.tags.count("svg") >= 5
    for name in ("suspicions", "results", "calibration", "use", "groups", "stages", "sites", "participants", "card"):
        assert f'id="dx-{name}"' in text, name


def test_its_numbers_are_the_evaluation_s(made: EvaluationReport, text: str) -> None:
    values = made.evaluation.overall.values
    for name in ("top.1", "top.5", "log_loss", "ece", "set.coverage"):
        assert f"{values[name]:.3f}" in text
    for one in made.evaluation.suspicions:
        assert one.says[:40] in text.replace("&#39;", "'").replace("&#34;", '"')
    assert json.loads(json.dumps(made.to_json(), allow_nan=False))["evaluation"]["n"] == made.evaluation.n
    assert repr(made).startswith("<EvaluationReport 'Ward 5 <b>'")


def test_in_chinese_it_has_the_same_numbers_and_nothing_is_left_in_english(made: EvaluationReport, text: str) -> None:
    chinese = made.to_html("zh")
    seen = [[unescape(one) for one in re.findall(r">([^<>]+)<", page.split("</style>")[1])] for page in (text, chinese)]
    names = {*made.names.values(), *made.names_zh.values()}
    told = ["\n".join(one for one in texts if one not in names) for texts in seen]
    assert len({tuple(sorted(re.findall(r"\d+(?:[.,]\d+)*", one))) for one in told}) == 1
    known = {*names, *made.names, *made.card["n_by_place"]["site"], "Ward 5 <b>", "NDCG", "TRIPOD", "top"}
    known |= {"ICD", "Brier", "Riley", "Nagelkerke", "Austin", "Vickers", "Elkin", "Collins", "BMJ", "softmax", "OTHER"}
    plain = [re.sub(r"\b[0-9a-f]{12}\b", "", one) for one in seen[1] if one not in known]  # but the fingerprint
    words = {word for one in plain for word in re.findall("[A-Za-z]{3,}", one)}
    left = {"linear", "diagnosis", "sample", "generator", "seed", "Ward", "set", "mean", "size", "index", "arrival"}
    assert words - known - left == set()
    assert "在未见过的患者上的结果" in chinese
    with pytest.raises(UnknownNameError, match="en, zh"):
        made.to_html("fr")


def test_the_card_holds_every_item_once_and_does_not_make_up_what_it_cannot_know(
    made: EvaluationReport, text: str
) -> None:
    items = card_items(made)
    assert len(items) == len({one.item for one in items}) == 52  # TRIPOD+AI: 27 items, 52 with their parts
    said = {one.item: one.says for one in items}
    assert [k for k in ("17", "18a", "18b", "18c", "18d", "19", "25", "27c") if said[k] is not None] == []
    assert f"{made.evaluation.overall.values['top.1']:.3f}" in str(said["23a"])
    assert str(made.card["n_cases"]) in str(said["21"]).replace(",", "")
    least = min(made.card["n_by_diagnosis"].values())
    assert least < 10
    assert "too few to show" in text, "how many cases of what the model knows there were"
    assert text.count(FOR_A_PERSON) == sum(one.says is None for one in items)


def test_it_does_not_say_what_was_not_done(sample: dx.Records) -> None:
    train = sample[:350]
    rules: dict[str, Any] = {"min_cases": 15, "rest": "drop", "as_of": None, "weighted": True}
    diagnoser = dx.Diagnoser(model="linear", folds=2, **rules).fit(train)
    made = dx.report(diagnoser, train, train=train, n_boot=0, on_seen="report")
    n, said = diagnoser.card_["n_cases"], {one.item: str(one.says) for one in card_items(made)}
    assert made.sample_size is not None
    assert made.flow is not None
    assert made.sample_size.n == n
    assert len(train) - sum(s.cases for s in made.flow.steps if s.kind == "leave") == n, "no visit leaves by itself"
    assert "are of patients who were trained on" in said["12a"]
    assert "No moment was set" in said["9b"]
    assert "by their weights" in said["13"]
    assert "interval" not in said["12e"]
    assert "drawn" not in said["12d"]
    compared = dx.report(diagnoser, train, train=train, evaluation=made.evaluation, again=False).evaluation.suspicions
    assert compared == made.evaluation.suspicions, "what was found between both sides before is named once"
    assert between_sides(train, train, None, None), "and there is something to name"
    assert said["12f"] == "Not updated."
    assert "some of whom were learned from" in made.to_html()
    assert "unseen patients" not in made.to_html()
    updated = replace(made, card={**made.card, "updates": [{"n_cases": 12}], "adapted": {"to": "site a"}})
    again = {one.item: str(one.says) for one in card_items(updated)}
    assert "12 later cases" in again["12f"]
    assert "site a" in again["13"]
    bare = {one.item: one.says for one in card_items(replace(made, card={}, facts={"knows_patients": False}))}
    unchecked = dx.evaluate(diagnoser, sample[350:400], suspicions=False, n_boot=0, on_seen="leave_out")
    page = replace(made, evaluation=unchecked).to_html()
    assert page.count("Nothing was looked for") == 2
    assert "The checks" not in page
    assert [bare[item] for item in ("11", "12b", "12g", "13", "15", "27a")] == [None] * 6
    for one in (said["12a"], str(bare["12a"])):
        assert "a patient is never on two sides" not in one


def test_a_set_with_nothing_but_findings_has_a_report_too(sample: dx.Records, tmp_path: Path) -> None:
    plain = sample[:350].frame("cases")[["case_id", "diagnosis"]]
    findings = sample[:350].frame("findings")[["case_id", "code", "status"]]
    bare = dx.Records.from_tables({"cases": plain, "findings": findings})
    diagnoser = dx.Diagnoser(model="linear", folds=2).fit(bare[:250])
    made = dx.report(diagnoser, bare[250:], n_boot=0)
    assert (made.flow, made.stages, made.site_matrix, made.shift) == (None, None, None, None)
    assert "Results on unseen patients" in made.save(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<!DOCTYPE" not in made._repr_html_()
    json.dumps(made.to_json(), allow_nan=False)


def test_what_is_given_to_the_page_is_text() -> None:
    evil = "<script>x</script>"
    table = ReportTable(evil, (evil, evil), [(evil, evil)])
    plot = groups_plot({evil: (0.5, (0.4, 0.6)), "中文组": (0.5, None)}, evil)
    section = ReportSection("a", evil, [evil], [evil], [table, ReportFigure(evil, plot)])
    page = render_report(ReportPage(evil, [evil], [section], synthetic=True))
    assert "<script" not in page
    assert "Synthetic" in page


def test_plots_show_their_numbers() -> None:
    matrix = matrix_plot(["a", "b"], ["a", "b"], np.array([[0.7, np.nan], [0.25, 0.8]]), "top.1", low_is_good=False)
    assert sorted(t.get_text() for t in matrix.figure.axes[0].texts) == ["0.25", "0.70", "0.80"]
    curve = reliability_plot([0.2, 0.8], [0.25, 0.7], [5, 10], [(0.1, 0.4), None]).figure.axes[0]
    assert curve.collections[0].get_offsets().tolist() == [[0.2, 0.25], [0.8, 0.7]]
    risk = risk_coverage_plot([0.5, 1.0], [0.1, 0.3], [0.0, 0.3]).figure.axes[0]
    assert risk.lines[0].get_ydata().tolist() == [0.1, 0.3]
    burden = burden_plot([0.1, 1.0], [0.5, 0.9], [None, (0.8, 0.95)], 0.7).figure.axes[0]
    assert burden.lines[0].get_xydata().tolist() == [[0.1, 0.5], [1.0, 0.9]]
    panels = decision_plot([0.1, 0.5], ["x", "y"], np.array([[0.2, 0.1], [0.1, 0.0]]), np.zeros((2, 2))).figure.axes
    assert [axes.get_title(loc="left") for axes in panels] == ["x", "y"]
    assert re.fullmatch(rb"\x89PNG.*", matrix.to_png(50)[:8], re.DOTALL)
