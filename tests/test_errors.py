"""Errors say what was asked, what was found and what to do, and survive the way from one process to another."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnosis import errors
from diagnosis.errors import (
    BundleError,
    ConfigError,
    DiagnosisError,
    DiagnosisWarning,
    InputError,
    RecordsError,
    UnknownCodeError,
    UnknownNameError,
    WorkError,
    nearest,
)
from diagnosis.records import Problem, Report

PARTS = ("asked for a model", "found none", "train one")


def test_the_message_has_the_three_parts_and_the_nearest_names() -> None:
    error = InputError(*PARTS, near=["linear", "hybrid"])
    assert str(error) == "asked for a model. found none. train one. Nearest: linear, hybrid."
    assert (error.asked, error.found, error.do) == PARTS
    assert error.near == ("linear", "hybrid")
    assert error.args == (str(error),)


def test_sentences_are_not_ended_twice() -> None:
    assert str(InputError("Asked?", "Found:\n", "Do!")) == "Asked? Found: Do!"
    assert str(InputError("", "found.", "do")) == " found. do."


@pytest.mark.parametrize("kind", [BundleError, ConfigError, InputError, UnknownNameError])
def test_bad_input_is_a_value_error(kind: type[InputError]) -> None:
    assert issubclass(kind, InputError)
    assert isinstance(kind(*PARTS), ValueError)


def test_the_tree() -> None:
    made = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, Exception)]
    assert {c.__name__ for c in made} <= set(errors.__all__)
    for kind in made:
        assert issubclass(kind, DiagnosisError) or kind is DiagnosisWarning
        assert not issubclass(kind, WorkError) or not issubclass(kind, InputError)
    assert issubclass(RecordsError, InputError)
    assert issubclass(UnknownCodeError, UnknownNameError)
    assert issubclass(DiagnosisWarning, UserWarning)


REPORT = Report((Problem("error", "unknown_status", "findings", "status", "must be known", (3,)),))


@pytest.mark.parametrize(
    ("error", "attributes"),
    [
        (DiagnosisError("plain"), {}),
        (WorkError("disk full"), {}),
        (InputError(*PARTS, near=["x"]), {"asked": PARTS[0], "near": ("x",)}),
        (UnknownCodeError(*PARTS, codes=["a", "b"], near=["c"]), {"codes": ("a", "b"), "near": ("c",), "do": PARTS[2]}),
        (RecordsError(*PARTS, report=REPORT), {"report": REPORT, "found": PARTS[1]}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_they_go_from_one_process_to_another(error: DiagnosisError, attributes: dict[str, Any]) -> None:
    again = copy.copy(error)
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.args == error.args
    assert {name: getattr(again, name) for name in attributes} == attributes


@pytest.mark.parametrize(
    ("name", "near"),
    [("presnt", "present"), ("ABSENT", "absent"), ("ａｂｓｅｎｔ", "absent"), ("uncertian", "uncertain")],
)
def test_nearest_ignores_case_and_width(name: str, near: str) -> None:
    assert nearest(name, ["present", "absent", "uncertain"])[0] == near


def test_nothing_near_is_nothing() -> None:
    assert nearest("xyz", ["present", "absent"]) == []
    assert nearest("", ["present"]) == []
    assert nearest("present", []) == []
    assert nearest("present" * 10_000, ["present"]) == []
    assert nearest("fever", ["fevers", "fever", "forever", "fervor"], n=2) == ["fever", "fevers"]


@settings(max_examples=50)
@given(name=st.text(max_size=20), known=st.lists(st.text(max_size=10), max_size=10), n=st.integers(1, 3))
def test_nearest_is_of_the_known(name: str, known: list[str], n: int) -> None:
    found = nearest(name, iter(known), n)
    assert set(found) <= set(known)
    assert len(found) <= n
