"""One small diagnoser for all who explain, change and ask."""

from __future__ import annotations

import pytest
from tests.small import small_records

from diagnosis.suggestions import Diagnoser


@pytest.fixture(scope="session")
def linear_diagnoser() -> Diagnoser:
    return Diagnoser(model="linear", folds=2).fit(small_records(160, seed=3))
