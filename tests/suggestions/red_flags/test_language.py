"""The rule language: what it takes, what it refuses and where, and that nothing makes it fall over."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnosis.suggestions.red_flags import RuleError, parse
from diagnosis.suggestions.red_flags.rule import KEYWORDS, NUMBERS, All, Compared, Either, Is, Known, Not

codes = st.one_of(
    st.from_regex(r"[A-Za-z]{1,6}:[\w.-]{1,8}", fullmatch=True),
    st.text(st.characters(codec="utf-8", exclude_characters='"', exclude_categories=("Cs",)), min_size=1, max_size=12),
).filter(lambda c: c.strip() and c not in KEYWORDS and c.isprintable())
numbers = st.floats(-1e6, 1e6, allow_nan=False)
leaves = st.one_of(
    st.builds(Is, st.sampled_from(["present", "absent", "uncertain"]), codes),
    st.builds(Known, codes, st.just(False)),
    st.builds(Known, st.sampled_from([*NUMBERS, "sex"]), st.just(True)),
    st.builds(
        Compared, st.sampled_from(NUMBERS), st.just(True), st.sampled_from(["<", "<=", ">", ">=", "=", "!="]), numbers
    ),
    st.builds(
        Compared, st.just("sex"), st.just(True), st.sampled_from(["=", "!="]), st.sampled_from(["male", "female"])
    ),
    st.builds(
        Compared,
        codes,
        st.just(False),
        st.sampled_from(["<", "<=", ">", ">="]),
        numbers,
        st.sampled_from([None, "Cel", "%", "mmol/L", "mm[Hg]", "10*9/L", "/min"]),
    ),
)
rules = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(All, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Either, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


@settings(max_examples=60)
@given(rules)
def test_a_rule_written_out_reads_as_itself(rule):
    assert parse(str(rule)) == rule


@settings(max_examples=80)
@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(
            st.sampled_from(
                [*KEYWORDS, "(", ")", ",", "<=", "=", "38", "Cel", "HP:1", '"x y"', '"', "age_days", "sex"]
            ),
            max_size=14,
        ).map(" ".join),
    )
)
def test_any_text_is_a_rule_or_an_error_with_a_place(text):
    caught = None
    try:
        rule = parse(text)
    except RuleError as error:
        caught = error
    if caught is None:
        assert parse(str(rule)) == rule
    else:
        assert 1 <= caught.at <= len(text) + 1
        assert f"at character {caught.at}" in str(caught)


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ("age_day <= 28", 1, "Nearest: age_days"),
        ("present HP:1 an present HP:2", 14, "Nearest: and"),
        ("sex = mael", 7, "Nearest: male"),
        ("sex <= male", 5, "one of = !="),
        ("LOINC:8310-5 >= warm", 17, "a number"),
        ("LOINC:8310-5 >= 38 Cell", 20, "Nearest: Cel"),
        ("LOINC:8310-5 = 38 Cel", 14, "one of < <= > >="),
        ("present fever", 9, "double quotes"),
        ('present "fever', 9, "not closed"),
        ("(present HP:1", 14, "the rule ends there"),
        ("present HP:1)", 13, "the end of the rule"),
        ("", 1, "the rule ends there"),
        ("age_days <= 1e999", 13, "a number"),
        ("present HP:1; import os", 15, "found 'import'"),
        ("(" * 60 + "present HP:1" + ")" * 60, 42, "40 deep"),
        ("not " * 100 + "present HP:1", 165, "40 deep"),
        ("present HP:1 or " * 400, 4000, "several rules"),
    ],
)
def test_an_error_says_where_and_what_could_stand_there(text, at, says):
    with pytest.raises(RuleError) as caught:
        parse(text)
    assert (caught.value.at, says in str(caught.value)) == (at, True), str(caught.value)


def test_not_binds_stronger_than_and_and_and_stronger_than_or():
    one, two, three = (Is("present", f"HP:{i}") for i in (1, 2, 3))
    assert parse("present HP:1 or present HP:2 and not present HP:3") == Either((one, All((two, Not(three)))))
    assert parse("present any(HP:1, HP:2) and present HP:3") == All((Either((one, two)), three))
    assert parse('any(HP:1, "body temperature") > 38 Cel') == Either(
        (Compared("HP:1", False, ">", 38.0, "Cel"), Compared("body temperature", False, ">", 38.0, "Cel"))
    )
