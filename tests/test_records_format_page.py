"""The page on the format of records says what the code does: every table, column, type, choice and bound."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from diagnosis.records.schema import TABLES

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_records_format", DOCS / "make_records_format.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_is_up_to_date(maker: ModuleType) -> None:
    shown = (DOCS / "records-format.md").read_text(encoding="utf-8")
    assert shown == maker.page(), "run `make records-format`"


def test_page_shows_every_column_choice_and_bound(maker: ModuleType) -> None:
    text = maker.page()
    for table in TABLES.values():
        section = text.split(f"## `{table.name}`")[1].split("\n## ")[0]
        for column in table.columns.values():
            row = next(line for line in section.splitlines() if line.startswith(f"| `{column.name}`"))
            assert ("*required*" in row) == column.required
            assert all(f"`{choice}`" in row for choice in column.choices)
            assert all(f"{bound:,g}" in row for bound in (column.low, column.high) if bound is not None)


def test_a_column_without_a_meaning_stops_it(maker: ModuleType) -> None:
    with pytest.raises(SystemExit, match="columns of sites: altitude_m"):
        maker.page(
            {"sites": TABLES["sites"]},
            {"sites": {"about": "x", "columns": {c: c for c in TABLES["sites"].columns if c != "altitude_m"}}},
        )
