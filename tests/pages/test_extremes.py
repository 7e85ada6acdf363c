"""Too much, too little, too long: the page stays readable and nothing is dropped in silence."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from diagnosis.pages import CasePage, FlagView, LineView, NotUsed, RecordedFinding, SuggestionView, render_case

Read = Callable[[str], Any]
Plain = Callable[..., CasePage]
Suggest = Callable[..., SuggestionView]


def test_four_hundred_findings_stay_readable_and_are_all_accounted_for(
    suggest: Suggest, plain: Plain, read_html: Read
) -> None:
    lines = [
        LineView(
            name=f"finding {i}", code=f"F{i}", state="absent" if i % 2 else "present", relative=(-1) ** i * (i + 1) / 80
        )
        for i in range(400)
    ]
    recorded = tuple(RecordedFinding(name=line.name, code=line.code, state=line.state) for line in lines)
    page = plain(*(suggest(r, 0.2, *lines) for r in range(1, 6)), recorded=recorded)
    html = render_case(page)
    assert len(html.encode()) < 200_000
    found = read_html(html)
    assert "and 184 more in the full table" in found.lines
    assert sum(line.startswith("192 weaker findings together") for line in found.lines) == 10
    full = found.lines[found.lines.index("Everything recorded") :]
    assert sum(re.match(r"finding \d+ \|", line) is not None for line in full) == 400


def test_names_of_300_characters_and_in_arabic(suggest: Suggest, plain: Plain, read_html: Read) -> None:
    long = "pneumonoultramicroscopic" * 12 + "silicosis end"
    arabic = "التهاب رئوي"
    page = plain(
        suggest(1, 0.5, LineView(name=arabic, code="A", relative=1.0), name=long),
        suggest(2, 0.3, name={"ar": arabic}),
        recorded=(RecordedFinding(name=arabic, code="A"), RecordedFinding(name=long, code="B")),
    )
    found = read_html(render_case(page))
    isolated = {e.text.strip() for e in found.all("bdi")}
    assert {arabic, long} <= isolated
    assert f"2 {arabic}" in found.lines


def test_an_empty_page_and_one_diagnosis(suggest: Suggest, plain: Plain, read_html: Read) -> None:
    empty = read_html(render_case(plain()))
    assert empty.faults == []
    assert "No suggestion was made." in empty.lines
    assert "No finding was recorded." in empty.text
    assert "Age and sex not recorded" in empty.lines
    one = read_html(render_case(plain(suggest(1, 1.0, LineView(name="a", code="a", relative=0.0)))))
    assert "For: no recorded finding sets it above the rest of the list." in one.lines
    assert "over~99~%" in one.text


def test_equal_probabilities_are_said_aloud(suggest: Suggest, plain: Plain, read_html: Read) -> None:
    said = "All shown probabilities are equal: the records do not tell these diagnoses apart."
    assert said in read_html(render_case(plain(suggest(1, 0.25), suggest(2, 0.25)))).lines
    assert said not in read_html(render_case(plain(suggest(1, 0.26), suggest(2, 0.25)))).lines


def test_many_unknown_codes_are_counted(plain: Plain, read_html: Read) -> None:
    page = plain(unknown_codes=tuple(f"X{i}" for i in range(60)), not_used=NotUsed(unknown=75))
    text = read_html(render_case(page)).text
    assert "75 records with codes this model does not know" in text
    assert "and 36 more codes" in text


def test_many_must_not_miss_flags_stand_in_one_line(plain: Plain, read_html: Read) -> None:
    flags = tuple(
        FlagView(kind="must_not_miss", diagnosis=name, values={"probability": 0.2, "flag_at": 0.1}) for name in "abc"
    )
    lines = read_html(render_case(plain(flags=flags))).lines
    assert "Must not be missed: a (20~%, threshold 10~%), b (20~%, threshold 10~%), c (20~%, threshold 10~%)" in lines
