"""One small diagnoser for all who explain, change and ask."""

from __future__ import annotations

import pytest
from tests.small import small_records

from diagnosis.features import FindingEncoder
from diagnosis.records import Records
from diagnosis.suggestions import Diagnoser
from diagnosis.vocabulary import Vocabulary


@pytest.fixture(scope="session")
def linear_diagnoser() -> Diagnoser:
    return Diagnoser(model="linear", folds=2).fit(small_records(160, seed=3))


@pytest.fixture(scope="session")
def related() -> Records:
    """Cases whose findings are kinds of others; for the sake of the tests: wheeze of cough, rash of vomiting."""
    parents = {"wheeze": "cough", "rash": "vomiting", "stiff_neck": "vomiting"}
    records = small_records(120, seed=3)
    rows = [{**row, "parents": parents.get(row["code"])} for row in records.vocabulary.finding_rows()]
    return records.with_vocabulary(Vocabulary.from_rows(rows, records.vocabulary.diagnosis_rows()))


@pytest.fixture(scope="session")
def hierarchical_diagnoser(related: Records) -> Diagnoser:
    return Diagnoser(model="linear", folds=2, encoder=FindingEncoder(hierarchy=True)).fit(related)
