"""Which diagnosis of a case is learned, and which ones share OTHER."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnosis.errors import InputError
from diagnosis.readers import read_records, write_records
from diagnosis.records import OTHER, Records, pool


def judged(
    *rows: tuple[Any, ...], diagnosis: str | None = None, columns: str = "role status diagnosis rank time"
) -> Records:
    """Records of one case with these rows of labels."""
    names = columns.split()
    labels = {"case_id": ["a"] * len(rows), **{n: [r[i] for r in rows] for i, n in enumerate(names)}}
    cases: dict[str, list[Any]] = {"case_id": ["a"]}
    if diagnosis:
        cases["diagnosis"] = [diagnosis]
    findings: dict[str, list[Any]] = {"case_id": [], "code": [], "status": []}
    return Records.from_tables({"cases": cases, "findings": findings, "labels": labels})


FLU = ("principal", "confirmed", "flu", None, None)


def test_the_diagnosis_of_the_case_comes_first() -> None:
    assert judged(FLU, diagnosis="measles").y.tolist() == ["measles"]


def test_else_the_principal_confirmed_judgement() -> None:
    assert judged(("secondary", "confirmed", "asthma", 1, None), FLU).y.tolist() == ["flu"]


@pytest.mark.parametrize("status", ["provisional", "differential", "ruled_out", None])
def test_nothing_else_is_taken_for_confirmed(status: str | None) -> None:
    records = judged(("principal", status, "flu", 1, None))
    assert records.y.tolist() == [None]
    if status:
        assert records.labels([status]).tolist() == ["flu"]
        assert records.labels(status).tolist() == ["flu"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "role", ["secondary", "complication", "admission", "referral", "differential", "reviewer", None]
)
def test_no_other_role_is_taken_for_the_principal(role: str | None) -> None:
    assert judged((role, "confirmed", "flu", 1, None)).y.tolist() == [None]


def test_the_diagnosis_of_the_case_is_confirmed_and_counts_only_where_those_do() -> None:
    records = judged(("principal", "provisional", "flu", None, None), diagnosis="measles")
    assert records.labels(["provisional"]).tolist() == ["flu"]
    assert records.labels(["provisional", "confirmed"]).tolist() == ["measles"]


def test_of_several_the_lowest_rank_then_the_latest_then_the_last_row() -> None:
    early, late = "2024-01-01T00:00Z", "2024-01-02T00:00Z"

    def principal(name: str, rank: int | None, time: str | None) -> tuple[Any, ...]:
        return ("principal", "confirmed", name, rank, time)

    assert judged(principal("a", 2, late), principal("b", 1, early), principal("c", None, late)).y.tolist() == ["b"]
    assert judged(principal("a", 1, late), principal("b", 1, early), principal("c", 1, None)).y.tolist() == ["a"]
    assert judged(principal("a", 1, late), principal("b", 1, late)).y.tolist() == ["b"]
    assert judged(principal("a", None, None), principal("b", None, None)).y.tolist() == ["b"]


def test_labels_alone_work_from_end_to_end(tmp_path: Path) -> None:
    """Without the column cases.diagnosis, as a hospital exports judgements."""
    n = 24
    ids = [f"c{i}" for i in range(n)]
    names = ["flu" if i % 2 else "measles" for i in range(n)]
    records = Records.from_tables(
        {
            "cases": {"case_id": ids},
            "findings": {
                "case_id": ids,
                "code": ["rash"] * n,
                "status": ["absent" if i % 2 else "present" for i in range(n)],
            },
            "labels": {
                "case_id": [*ids, *ids],
                "diagnosis": ["wrong"] * n + names,
                "role": ["principal"] * 2 * n,
                "status": ["ruled_out"] * n + ["confirmed"] * n,
            },
        }
    )
    assert records.y.tolist() == names
    for form in ("csv", "parquet"):
        again = read_records(write_records(records, tmp_path / form, form))  # type: ignore[arg-type]
        assert again.y.tolist() == names
        assert again[[3, 2]].y.tolist() == [names[3], names[2]]
    assert "diagnoses have fewer" not in str(records.report)
    assert "24 findings (1 codes), 2 diagnoses" in repr(records)


def test_a_status_that_is_none() -> None:
    with pytest.raises(InputError) as caught:
        judged(FLU).labels(["confirmd"])
    assert caught.value.near == ("confirmed",)


def of(**counts: int) -> np.ndarray:
    return np.array([name for name, n in counts.items() for _ in range(n)], dtype=object)


def test_rare_ones_share_other() -> None:
    y = np.append(of(flu=5, measles=7, plague=4, rabies=1), [None, float("nan")])
    made = pool(y, min_cases=5)
    assert made.diagnoses == ("flu", "measles", OTHER)
    assert made.pooled == {"plague", "rabies"}
    assert made.apply(np.array(["flu", "plague", "never seen", None], object)).tolist() == [
        "flu",
        OTHER,
        "never seen",
        None,
    ]


def test_rare_ones_leave_or_are_refused() -> None:
    y = of(flu=5, measles=7, plague=4)
    dropped = pool(y, rest="drop")
    assert dropped.diagnoses == ("flu", "measles")
    assert dropped.apply(y).tolist().count(None) == 4
    with pytest.raises(InputError, match="1 of 3 have fewer"):
        pool(y, rest="error")
    assert pool(of(flu=5, measles=7), rest="error").diagnoses == ("flu", "measles")
    with pytest.raises(InputError) as caught:
        pool(y, rest="othr")  # type: ignore[arg-type]
    assert caught.value.near == ("other",)


def test_a_label_that_is_other_already_stays() -> None:
    made = pool(np.append(of(zika=5, flu=5), [OTHER] * 2), min_cases=5)
    assert made.diagnoses == ("flu", "zika", OTHER)
    assert made.pooled == frozenset()


@pytest.mark.parametrize("y", [of(), of(flu=9), of(flu=4), np.array([None, None], object)])
def test_one_diagnosis_is_not_enough(y: np.ndarray) -> None:
    with pytest.raises(InputError, match="at least two"):
        pool(y, min_cases=5, rest="drop")


@settings(max_examples=50)
@given(
    y=st.lists(st.sampled_from(["a", "b", "c", "发热", OTHER, None]), min_size=20, max_size=60),
    least=st.integers(1, 6),
    rest=st.sampled_from(["other", "drop"]),
)
def test_every_label_has_a_place(y: list[str | None], least: int, rest: Any) -> None:
    labels = np.array(y, dtype=object)
    try:
        made = pool(labels, least, rest)
    except InputError:
        return
    assert {n for n in made.apply(labels) if n is not None} == set(made.diagnoses)
    assert OTHER not in made.diagnoses[:-1]
    assert list(made.diagnoses[:-1]) == sorted(made.diagnoses[:-1])
    for name in made.diagnoses:
        assert name == OTHER or (labels == name).sum() >= least
    assert labels.tolist() == y
