"""Laws of the sentences: a reason stands on its own side, strongest first, and what has no record is no reason."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnosis.errors import InputError
from diagnosis.pages import ContrastView, LineView, RecordedFinding, SuggestionView, sides
from diagnosis.pages.findings import finding_parts, state_text
from diagnosis.pages.words import (
    LEAST_RELATIVE,
    against_sentence,
    context_sentence,
    contrast_sentences,
    for_sentence,
    unrecorded_sentence,
)

NBSP = "\u00a0"
states = st.sampled_from(["present", "absent", "uncertain", "unrecorded", "context"])
relatives = st.one_of(st.just(0.0), st.floats(-30, 30), st.floats(-0.1, 0.1))


@st.composite
def evidence(draw: st.DrawFn) -> list[LineView]:
    drawn = draw(st.lists(st.tuples(states, relatives, st.none() | st.floats(-1e4, 1e4)), max_size=12))
    return [
        LineView(name=f"finding {i}", code=f"F{i}", state=state, relative=relative, value=value)  # type: ignore[arg-type]
        for i, (state, relative, value) in enumerate(drawn)
    ]


@given(lines=evidence(), lang=st.sampled_from(["en", "zh"]), top=st.integers(1, 5))
def test_reasons_stand_on_their_own_side_strongest_first(lines: list[LineView], lang: str, top: int) -> None:
    by_code = {line.code: line for line in lines}
    for sentence, sign in ((for_sentence(lines, lang, top), 1), (against_sentence(lines, lang, top), -1)):
        named = [by_code[code] for code in sentence.codes]
        assert all(line.relative * sign > 0 for line in named)
        assert all(line.state in ("present", "absent", "uncertain") for line in named)
        sizes = [abs(line.relative) for line in named]
        assert sizes == sorted(sizes, reverse=True)
        passed_over = [
            abs(line.relative)
            for line in lines
            if line.state in ("present", "absent", "uncertain")
            and line.relative * sign >= LEAST_RELATIVE
            and line.code not in sentence.codes
        ]
        assert len(named) == top or not passed_over
        assert all(size <= sizes[-1] for size in passed_over)


@given(lines=evidence())
def test_both_languages_name_the_same_findings_with_the_same_factors(lines: list[LineView]) -> None:
    for build in (for_sentence, against_sentence):
        en, zh = build(lines, "en"), build(lines, "zh")
        assert en.codes == zh.codes
        assert str(en).count("×") == str(zh).count("×")


@given(lines=evidence())
def test_sorting_into_sides_keeps_every_line_and_its_sum(lines: list[LineView]) -> None:
    found = sides(lines)
    kept = [*found.for_, *found.against, *found.neutral, *found.context]
    assert sorted(line.code or "" for line in kept) == sorted(
        line.code or "" for line in lines if line.state != "unrecorded"
    )
    assert math.fsum([*(line.relative for line in kept), found.unrecorded.relative]) == pytest.approx(
        math.fsum(line.relative for line in lines), abs=1e-9
    )
    SuggestionView(
        rank=1, code="A", name="a", probability=0.5, unrecorded=found.unrecorded, for_=found.for_, against=found.against
    )


@given(relative=st.floats(-30, 30), lang=st.sampled_from(["en", "zh"]))
def test_what_has_no_record_has_its_own_line_always(relative: float, lang: str) -> None:
    line = LineView(state="unrecorded", relative=relative)
    assert str(unrecorded_sentence(line, lang)).startswith({"en": "Not recorded: ", "zh": "未记录："}[lang])
    assert unrecorded_sentence(line, lang).codes == ()
    assert for_sentence([line], lang).codes == against_sentence([line], lang).codes == ()


FEVER = LineView(name={"en": "temperature", "zh": "体温"}, code="T", value=39.4, unit="Cel", relative=1.163)
COUGH = LineView(name={"en": "cough", "zh": "咳嗽"}, code="C", relative=0.588)
WHEEZE = LineView(name={"en": "wheeze", "zh": "喘息"}, code="W", state="absent", relative=-0.7)


def test_the_sentences_read_as_a_clinician_would_write_them() -> None:
    lines = [COUGH, WHEEZE, FEVER]
    assert str(for_sentence(lines, "en")).replace(NBSP, " ") == (
        "For: temperature 39.4 °C (×3.2 versus the list's average) and cough present (×1.8)."
    )
    assert str(against_sentence(lines, "en")) == "Against: no wheeze (×0.50 versus the list's average)."
    assert (
        str(for_sentence(lines, "zh")).replace(NBSP, " ") == "支持：体温 39.4 °C（相对列表平均 ×3.2）、有咳嗽（×1.8）。"
    )
    assert str(against_sentence(lines, "zh")) == "不支持：无喘息（相对列表平均 ×0.50）。"


def test_no_reason_is_said_so() -> None:
    assert str(for_sentence([WHEEZE], "en")) == "For: no recorded finding sets it above the rest of the list."
    assert str(against_sentence([], "zh")) == "不支持：记录中没有依据使其低于列表中的其他诊断。"


def test_a_contrast_names_its_rival_in_every_sentence() -> None:
    contrast = ContrastView(
        rival={"en": "measles", "zh": "麻疹"}, rival_code="B05.9", ratio=2.3, for_=(FEVER,), against=(WHEEZE,)
    )
    assert [str(s).replace(NBSP, " ") for s in contrast_sentences(contrast, "en")] == [
        "Beside measles: 2.3 times as likely.",
        "In its favour: temperature 39.4 °C (×3.2 versus measles).",
        "In favour of measles: no wheeze (×2.0).",
    ]
    behind = ContrastView(rival="measles", rival_code="B05.9", ratio=0.1)
    assert str(contrast_sentences(behind, "en")[0]) == "Beside measles: measles is 10 times as likely."
    assert str(contrast_sentences(contrast, "zh")[2]) == "支持麻疹：无喘息（×2.0）。"


def test_context_is_named_apart_and_without_its_value() -> None:
    age = LineView(name="age", code="age", state="context", value=4.0, text="4 years", relative=0.3)
    assert str(context_sentence([age], "en")) == "Patient: age (×1.3 versus the list's average)."
    sex = LineView(name="sex", code="sex", state="context", relative=-0.01)
    assert str(context_sentence([sex, age], "en")) == "Patient: age (×1.3 versus the list's average)."
    assert context_sentence([sex], "en") is None


@pytest.mark.parametrize(
    ("seen", "en", "zh"),
    [
        (RecordedFinding(name="rash"), "rash present", "有 rash"),
        (RecordedFinding(name={"zh": "皮疹"}, state="absent"), "皮疹 absent", "无皮疹"),
        (RecordedFinding(name={"zh": "皮疹"}, state="uncertain"), "皮疹 uncertain", "皮疹不确定"),
        (RecordedFinding(name={"en": "Murphy's sign"}, state="absent"), "Murphy's sign absent", "无 Murphy's sign"),
        (RecordedFinding(name={"en": "no appetite"}, state="absent"), "no appetite: no", "无 no appetite"),
        (RecordedFinding(name={"zh": "有创通气史"}, state="absent"), "有创通气史 absent", "有创通气史：否"),
        (
            RecordedFinding(name={"zh": "流感抗原"}, state="absent", interpretation="NEG"),
            "流感抗原 negative",
            "流感抗原阴性",
        ),
        (
            RecordedFinding(name={"zh": "喘息"}, subject={"en": "mother", "zh": "母亲"}),
            "mother: 喘息 present",
            "母亲：有喘息",
        ),
        (RecordedFinding(name="CRP", value=86.0, unit="mg/L", ref_high=8), "CRP 86~mg/L (high)", "CRP 86~mg/L（偏高）"),
        (
            RecordedFinding(name="Na", value=128, unit="mmol/L", comparator="<", interpretation="LL"),
            "Na <128~mmol/L (very low)",
            "Na <128~mmol/L（极低）",
        ),
        (RecordedFinding(name="perfusion", text={"en": "raised"}), "perfusion: raised", "perfusion：raised"),
        (
            RecordedFinding(name="shadow", text="left", state="uncertain"),
            "shadow: left (uncertain)",
            "shadow：left（不确定）",
        ),
        (RecordedFinding(code="X:1"), "X:1 present", "有 X:1"),
    ],
)
def test_a_finding_is_said_with_its_state(seen: RecordedFinding, en: str, zh: str) -> None:
    for lang, expected in (("en", en), ("zh", zh)):
        assert "".join(part.text for part in finding_parts(seen, lang)).replace(NBSP, "~") == expected


def test_the_four_states_are_told_apart_in_both_languages() -> None:
    for lang in ("en", "zh"):
        said = {state_text(LineView(state=s), lang) for s in ("present", "absent", "uncertain", "unrecorded")}  # type: ignore[arg-type]
        assert len(said) == 4


@pytest.mark.parametrize(
    "wrong",
    [
        {"for_": (WHEEZE,)},
        {"against": (FEVER,)},
        {"for_": (LineView(state="unrecorded", relative=2.0),)},
        {"for_": (LineView(code="age", state="context", relative=2.0),)},
        {"for_": (LineView(relative=math.nan),)},
        {"unrecorded": FEVER},
        {"probability": 1.2},
        {"probability": math.nan},
    ],
)
def test_a_page_with_a_reason_on_the_wrong_side_cannot_be_made(wrong: dict[str, object]) -> None:
    right: dict[str, object] = {"probability": 0.5, "unrecorded": LineView(state="unrecorded")}
    with pytest.raises(InputError):
        SuggestionView(rank=1, code="A", name="a", **(right | wrong))  # type: ignore[arg-type]


def test_a_contrast_needs_a_ratio() -> None:
    with pytest.raises(InputError, match="ratio"):
        ContrastView(rival="b", rival_code="B", ratio=0.0)
