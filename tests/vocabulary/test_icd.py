"""ICD-10 codes: one way of writing each, their edition always kept, groups that do not overlap."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnosis.errors import InputError
from diagnosis.vocabulary import IcdCode, parse_icd10, roll_up
from diagnosis.vocabulary.icd import Edition, Level, _blocks

EDITIONS = get_args(Edition)


@st.composite
def codes(draw: st.DrawFn, edition: str) -> str:
    """A code as its edition writes it, of a category that exists."""
    _, first, last = draw(st.sampled_from([b for b in _blocks() if b[1][0] == b[2][0]]))
    category = f"{first[0]}{draw(st.integers(int(first[1:]), int(last[1:]))):02d}"
    if edition == "who":
        rest = draw(st.from_regex(r"[0-9]{0,2}", fullmatch=True))
    elif edition == "cm":
        rest = draw(st.from_regex(r"([0-9][0-9X]{0,2})?", fullmatch=True))
    else:
        rest = draw(st.from_regex(r"([0-9x][0-9]{2}(x[0-9]{3})?)?", fullmatch=True))
    return f"{category}.{rest}" if rest else category


@pytest.mark.parametrize("edition", EDITIONS)
@given(data=st.data())
def test_a_code_is_read_the_same_however_it_is_written(edition: Any, data: st.DataObject) -> None:
    code = data.draw(codes(edition))
    other = data.draw(st.sampled_from([str.lower, str.upper, lambda c: c.replace(".", ""), lambda c: f" {c} "]))
    assert parse_icd10(code, edition) == IcdCode(code, edition)
    assert parse_icd10(other(code), edition) == IcdCode(code, edition)


@given(data=st.data())
def test_each_level_holds_the_one_below(data: st.DataObject) -> None:
    code = data.draw(codes("who"))
    chapter, block, category, subcategory = (roll_up(code, level, edition="who") for level in get_args(Level))
    assert chapter[:3] <= block[:3] <= category <= block[4:] <= chapter[4:]
    assert subcategory.startswith(category)
    assert code.startswith(subcategory)
    assert roll_up(subcategory, "category", edition="who") == category


def test_blocks_are_in_order_inside_their_chapters_and_do_not_overlap() -> None:
    by_letter = sorted(_blocks(), key=lambda b: b[1])
    for (_, _, last), (_, first, _) in pairwise(by_letter):
        assert last < first
    for chapter, first, last in _blocks():
        assert chapter[:3] <= first <= last <= chapter[4:]
    assert len({chapter for chapter, _, _ in _blocks()}) == 22


@pytest.mark.parametrize(
    ("code", "chapter", "block"),
    [
        ("A09", "A00-B99", "A00-A09"),
        ("B05.9", "A00-B99", "B00-B09"),
        ("C50.9", "C00-D48", "C50-C50"),
        ("D50.9", "D50-D89", "D50-D53"),
        ("G00.9", "G00-G99", "G00-G09"),
        ("H60.9", "H60-H95", "H60-H62"),
        ("I21.9", "I00-I99", "I20-I25"),
        ("J18.9", "J00-J99", "J09-J18"),
        ("K35.8", "K00-K93", "K35-K38"),
        ("P36.9", "P00-P96", "P35-P39"),
        ("T78.2", "S00-T98", "T66-T78"),
        ("X60", "V01-Y98", "X60-X84"),
        ("U07.1", "U00-U85", "U00-U49"),
    ],
)
def test_known_diseases_stand_where_they_belong(code: str, chapter: str, block: str) -> None:
    assert roll_up(code, "chapter", edition="who") == chapter
    assert roll_up(code, "block", edition="who") == block


@pytest.mark.parametrize(
    ("text", "edition", "code"),
    [
        ("i10.x", "who", "I10"),
        ("A00.-", "who", "A00"),
        ("M00.06", "who", "M00.06"),
        ("t360x1a", "cm", "T36.0X1A"),
        ("S72.001A", "cm", "S72.001A"),
        ("C4A.9", "cm", "C4A.9"),
        ("I10.X00", "cn_clinical", "I10.x00"),
        ("J18.900X001", "cn_clinical", "J18.900x001"),
        ("Ｊ１８．９００", "cn_insurance", "J18.900"),
    ],
)
def test_written_as_the_edition_does(text: str, edition: Any, code: str) -> None:
    assert parse_icd10(text, edition).code == code


def test_daggers_and_asterisks() -> None:
    assert parse_icd10("A17.0+", "who").mark == "dagger"
    assert parse_icd10("G01*", "who").mark == "asterisk"
    pair = parse_icd10("a17.000†g01*", "cn_clinical")
    assert (pair.code, pair.manifestation) == ("A17.000", "G01")
    assert roll_up(pair, "block") == "A15-A19"
    for wrong in ("G01*A17.0*", "A17.0†B20†", "A17.0†G01*J18*"):
        with pytest.raises(InputError):
            parse_icd10(wrong, "who")


def test_editions_are_never_taken_for_one_another() -> None:
    assert len({parse_icd10("J18.9", edition) for edition in ("who", "cm")}) == 2
    assert parse_icd10("J18.900", "cn_clinical") != parse_icd10("J18.900", "cn_insurance")
    with pytest.raises(InputError, match="never taken for one another"):
        roll_up(parse_icd10("J18.9", "cm"), "block", edition="who")
    with pytest.raises(InputError, match="Say which it is"):
        roll_up("J18.9", "block")
    with pytest.raises(InputError, match="ICD-10-CM differs"):
        roll_up("J18.9", "block", edition="cm")
    assert roll_up("C4A.9", "category", edition="cm") == "C4A"


def test_subcategory_of_the_chinese_editions() -> None:
    assert roll_up("J18.900x001", "subcategory", edition="cn_insurance") == "J18.9"
    assert roll_up("I10.x00", "subcategory", edition="cn_clinical") == "I10"


@pytest.mark.parametrize(
    "text", ["", "J", "J1", "18.9", "J18.9.1", "J18.900", "fever", "J18.A", "J18-9", "x" * 100, "咳嗽"]
)
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"edition 'who'"):
        parse_icd10(text, "who")


@given(st.text(max_size=60), st.sampled_from(EDITIONS))
def test_no_text_crashes(text: str, edition: Any) -> None:
    try:
        found = parse_icd10(text, edition)
    except InputError:
        return
    assert parse_icd10(found.code, edition).code == found.code


def test_outside_of_every_block_is_said() -> None:
    with pytest.raises(InputError, match="none of WHO's blocks"):
        roll_up("E99", "block", edition="who")
    with pytest.raises(InputError, match="Nearest: category"):
        roll_up("J18", "categry", edition="who")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="Nearest: who"):
        parse_icd10("J18", "whoo")  # type: ignore[arg-type]
