"""The page of one case: what must be on it, what must never get through, and what it does with too much."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from diagnosis.pages import (
    CasePage,
    FlagView,
    LineView,
    ModelView,
    NotUsed,
    RecordedFinding,
    SuggestionView,
    render_case,
)

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'
Read = Callable[[str], Any]
Plain = Callable[..., CasePage]
Suggest = Callable[..., SuggestionView]


def test_who_what_and_the_fixed_lines_are_on_every_page(golden: Callable[[str], CasePage], read_html: Read) -> None:
    page = replace(golden("kawasaki"), policy=None)
    for fragment in (False, True):
        text = read_html(render_case(page, "en", fragment=fragment)).text.replace("~", " ")
        for said in (
            "3 years 3 months · female · emergency department",
            "Decision support for clinicians, not for patients and not for time-critical decisions.",
            "No treatment or dose is suggested.",
            "A reassuring list does not exclude a disease.",
            "Synthetic data",
            "This model knows 42 diagnoses; it cannot suggest others.",
            "No must-not-miss policy stands behind this page.",
            "Uses what was known by 14:20; 3 later results left out.",
            "Not understood",
            "The 90 % set ends here.",
            "None of the listed",
        ):
            assert said in text
        chinese = read_html(render_case(page, "zh", fragment=fragment)).text
        for said in (
            "不供患者",
            "不提供治疗或剂量建议",
            "本模型只认识 42 种诊断",
            "没有不可漏诊策略",
            "其后的 3 项结果未采用",
            "支持：",
            "不支持：",
        ):
            assert said in chinese


def test_both_languages_show_the_same_numbers(golden: Callable[[str], CasePage], read_html: Read) -> None:
    page = golden("kawasaki")
    for css_class in ("dx-p", "dx-num"):
        shown = []
        for lang in ("en", "zh"):
            found = read_html(render_case(page, lang)).all(css_class=css_class)
            shown.append([re.findall(r"[\d.]+", e.text) for e in found])
        assert shown[0] == shown[1]
        assert any(shown[0])


def test_a_finding_called_script_and_a_diagnosis_called_img_stay_text(
    suggest: Suggest, plain: Plain, read_html: Read
) -> None:
    line = LineView(name=SCRIPT, code=IMAGE, text=SCRIPT, subject=IMAGE, relative=1.0)
    page = plain(
        suggest(1, 0.6, line, name=IMAGE, code=IMAGE, n_train=3),
        suggest(2, 0.1, name={"en": SCRIPT, "zh": SCRIPT}),
        recorded=(
            RecordedFinding(name=SCRIPT, code=IMAGE, text=IMAGE, when=SCRIPT, known=IMAGE, unit=SCRIPT, value=1.0),
        ),
        case_label=SCRIPT,
        heading=IMAGE,
        site=IMAGE,
        sex=SCRIPT,
        setting=IMAGE,
        facts=((SCRIPT, IMAGE),),
        moment=SCRIPT,
        set_coverage=0.9,
        set_beyond=(IMAGE,),
        flags=(FlagView(kind=SCRIPT, says=IMAGE, diagnosis=SCRIPT),),
        abstained=True,
        abstain_reason=IMAGE,
        unknown_codes=(SCRIPT, IMAGE),
        policy=SCRIPT,
        trained_on=IMAGE,
        reading=SCRIPT,
        outcome=IMAGE,
    )
    page = replace(page, model=ModelView(name=SCRIPT, version=IMAGE, digest=SCRIPT))
    for lang in ("en", "zh"):
        for fragment in (False, True):
            found = read_html(render_case(page, lang, fragment=fragment))
            assert found.faults == []
            assert not found.all("script")
            assert not found.all("img")
            assert not [e for e in found.elements if any(name.startswith("on") for name in e.attributes)]
            assert SCRIPT in found.text
            assert IMAGE in found.text


def test_braces_and_percent_signs_in_names_are_only_text(suggest: Suggest, plain: Plain, read_html: Read) -> None:
    name = "{rival} {{ 7*7 }} %s {0}"
    page = plain(suggest(1, 0.5, LineView(name=name, relative=1.0), name=name), abstained=True, abstain_reason=name)
    text = read_html(render_case(page)).text
    assert name in text
    assert "49" not in text


def test_abstaining_stands_above_the_list_and_the_list_is_still_there(
    golden: Callable[[str], CasePage], read_html: Read
) -> None:
    lines = read_html(render_case(golden("abstains"))).lines
    assert lines.index("The model abstains") < lines.index("What it could be")
    assert any(line.startswith("Reason: only 3 recorded findings") for line in lines)
    assert "1 panic disorder" in lines


def test_a_diagnosis_not_to_be_missed_is_marked_by_words_and_skipped_ranks_are_said(
    golden: Callable[[str], CasePage], read_html: Read
) -> None:
    found = read_html(render_case(golden("kawasaki")))
    assert [e.text for e in found.all(css_class="dx-mnm")] == ["must not miss", "must not miss"]
    assert "Further down the model's list, shown because it must not be missed" in found.lines


def test_no_identifier_unless_given(plain: Plain) -> None:
    assert "Case " not in render_case(plain())
    assert "Case C-7" in render_case(plain(case_label="C-7"))


def test_the_record_s_diagnosis_is_folded_away(plain: Plain, read_html: Read) -> None:
    found = read_html(render_case(plain(outcome="measles")))
    assert [e for e in found.all("details") if "measles" in e.text and "open" not in e.attributes]
    assert "details" in next(e for e in found.all("bdi") if e.text == "measles").inside


def test_a_bar_is_as_long_as_its_probability_and_says_it_in_words(
    suggest: Suggest, plain: Plain, read_html: Read
) -> None:
    found = read_html(render_case(plain(suggest(1, 0.314), suggest(2, 0.008), other_probability=0.5)))
    assert [float(e.attributes["width"]) for e in found.all("rect", "dx-fill")] == [31.4, 0.8, 50]
    bars = found.all("svg", "dx-bar")
    assert [e.attributes["aria-label"].replace("\u00a0", " ") for e in bars] == [
        "Probability 31 %",
        "Probability under 1 %",
        "Probability 50 %",
    ]


def test_evidence_bars_go_right_for_and_left_against_on_one_scale(
    suggest: Suggest, plain: Plain, read_html: Read
) -> None:
    strong, weak = LineView(name="a", code="a", relative=4.0), LineView(name="b", code="b", relative=-1.0)
    found = read_html(render_case(plain(suggest(1, 0.5, strong, weak))))
    plus, minus = found.all("rect", "dx-plus")[0], found.all("rect", "dx-minus")[0]
    assert (plus.attributes["x"], float(plus.attributes["width"])) == ("0", 50)
    assert (minus.attributes["x"], float(minus.attributes["width"])) == ("-12.5", 12.5)


@pytest.mark.parametrize("fragment", [False, True])
def test_headings_descend_by_one_and_tables_have_captions_and_scopes(
    fragment: bool, golden: Callable[[str], CasePage], read_html: Read
) -> None:
    found = read_html(render_case(golden("kawasaki"), fragment=fragment))
    levels = [int(e.tag[1]) for e in found.elements if re.fullmatch(r"h[1-6]", e.tag)]
    assert levels[0] == (3 if fragment else 1)
    assert all(b <= a + 1 for a, b in pairwise(levels))
    assert len(found.all("caption")) == len(found.all("table"))
    assert all(e.attributes.get("scope") in ("col", "row", "rowgroup") for e in found.all("th"))
    assert all(e.attributes.get("role") == "img" and e.attributes.get("aria-label") for e in found.all("svg"))
    ids = [e.attributes["id"] for e in found.elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))


def test_a_file_says_its_language_and_a_fragment_brings_its_style_alone(golden: Callable[[str], CasePage]) -> None:
    page = golden("kawasaki")
    assert render_case(page, "zh").startswith('<!DOCTYPE html>\n<html lang="zh-Hans">')
    fragment = render_case(page, "en", fragment=True)
    assert fragment.startswith('<div class="dx-theme dx-shell"><style>')
    assert not re.search(r"<(html|head|body|main|meta)\b", fragment)
    assert "@page" not in fragment


def test_the_set_s_edge_is_where_the_set_ends(suggest: Suggest, plain: Plain, read_html: Read) -> None:
    ranked = (suggest(1, 0.5, in_set=True), suggest(2, 0.3, in_set=True), suggest(3, 0.1))
    lines = read_html(render_case(plain(*ranked, set_coverage=0.9))).lines
    assert lines.index("2 diagnosis 2") < lines.index("The 90~% set ends here.") < lines.index("3 diagnosis 3")
    beyond = read_html(render_case(plain(*ranked, set_coverage=0.9, set_beyond=("asthma", "croup")))).text
    assert "The 90~% set goes on beyond this list: asthma, croup." in beyond
    assert "ends here" not in beyond
    assert "set ends" not in read_html(render_case(plain(*ranked))).text
    with_other = plain(*ranked, set_coverage=0.9, other_probability=0.1, other_in_set=True)
    lines = read_html(render_case(with_other)).lines
    assert lines.index("The 90~% set ends here.") > lines.index("· None of the listed")


@pytest.mark.parametrize(
    ("moment", "later", "said"),
    [
        ("arrival", 0, "Uses what was known on arrival."),
        ("index", 1, "Uses what was known when the suggestion was asked for; 1 later result left out."),
        ("end", 0, "Uses everything recorded up to the end of the encounter."),
        ({"en": "6 h after arrival"}, 1200, "Uses what was known by 6 h after arrival; 1,200 later results left out."),
        (None, 0, "The moment of this list was not stated."),
    ],
)
def test_the_moment(moment: Any, later: int, said: str, plain: Plain, read_html: Read) -> None:
    text = read_html(render_case(plain(moment=moment, not_used=NotUsed(after_moment=later)))).text
    assert said in text


@pytest.mark.parametrize(
    ("flag", "en", "zh"),
    [
        (
            FlagView(kind="must_not_miss", diagnosis="measles", values={"probability": 0.03, "flag_at": 0.004}),
            "Must not be missed: measles (1~to~5~%, threshold 0.4~%)",
            "不可漏诊：measles（1%–5%，阈值 0.4%）",
        ),
        (
            FlagView(kind="out_of_range_age", values={"training_age_days": [0, 3652.5]}),
            "Age outside the training range: The model has learned from ages of 0 days to 10 years only.",
            "年龄超出训练数据范围：模型的训练病例年龄仅为 0 天 至 10 岁。",
        ),
        (
            FlagView(kind="unknown_codes", values={"n": 1}),
            "Not understood: 1 recorded finding is not known to the model and was not used.",
            "未能理解：1 项记录不为模型所知，未予使用。",
        ),
        (
            FlagView(kind="too_little_evidence", says="no finding"),
            "Too little evidence: No recorded finding can be used: none is known to the model, or a measured one lacks "
            "its value.",
            "依据不足：没有可用的记录：均不为模型所知，或测量项目缺少数值。",
        ),
        (FlagView(kind="must_not_miss", says="look again"), "Must not be missed: look again", "不可漏诊：look again"),
        (FlagView(kind="house_rule", says={"zh": "复查"}), "house_rule: 复查", "house_rule：复查"),
    ],
)
def test_flags_speak_both_languages(flag: FlagView, en: str, zh: str, plain: Plain, read_html: Read) -> None:
    assert en in read_html(render_case(plain(flags=(flag,)))).lines
    assert zh in read_html(render_case(plain(flags=(flag,)), "zh")).lines


def test_the_input_is_not_changed(golden: Callable[[str], CasePage]) -> None:
    page, again = golden("kawasaki"), golden("kawasaki")
    first = render_case(page)
    assert page == again
    assert render_case(page) == first


def test_pages_come_out_of_a_zip_as_out_of_a_folder(tmp_path: Path) -> None:
    package = Path(str(files("diagnosis.pages"))).parent
    archive = tmp_path / "wheel.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("diagnosis/__init__.py", "")
        made.write(package / "errors.py", "diagnosis/errors.py")
        for path in sorted((package / "pages").rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                made.write(path, path.relative_to(package.parent).as_posix())
    code = (
        "import diagnosis.pages as p;"
        "print(len(p.render_case(p.CasePage(model=p.ModelView(name='m'), suggestions=()))), p.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(archive)},
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert int(done.stdout.split()[0]) > 5_000
    assert str(archive) in done.stdout
