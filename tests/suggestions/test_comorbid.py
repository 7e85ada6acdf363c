"""Further confirmed diagnoses of a case: learned as no negatives, from the records to the answer."""

from __future__ import annotations

import numpy as np
import pytest
from tests.small import small_records

from diagnosis.models import softmax
from diagnosis.records import OTHER, Records
from diagnosis.records.labels import confirmed_diagnoses
from diagnosis.suggestions import Diagnoser
from diagnosis.suggestions.learned import label

OWN, TOO = "B05.9", "G00.9"


def with_labels(records: Records, rows: list[tuple[str, str, str, str]]) -> Records:
    tables = {name: records.arrow(name) for name in records.names}
    columns = zip(("case_id", "diagnosis", "role", "status"), zip(*rows, strict=True), strict=True)
    return Records.from_tables(tables | {"labels": {name: list(cells) for name, cells in columns}}, records.info)


@pytest.fixture(scope="module")
def plain() -> Records:
    return small_records(260, seed=3)


@pytest.fixture(scope="module")
def comorbid(plain: Records) -> Records:
    """Six in ten cases of measles have meningitis as well."""
    ids = plain.case_ids[plain.y == OWN].tolist()
    return with_labels(plain, [(one, TOO, "comorbidity", "confirmed") for i, one in enumerate(ids) if i % 5 < 3])


@pytest.mark.parametrize("kind", ["linear", "ranker"])
def test_what_a_case_has_too_is_more_probable_than_if_it_were_a_negative(kind, plain, comorbid) -> None:
    told, untold = (Diagnoser(model=kind, folds=2).fit(records) for records in (comorbid, plain))
    cases = np.flatnonzero([TOO in codes for codes in confirmed_diagnoses(comorbid)])
    at = told.codes().tolist().index(TOO)
    after, before = (d.predict_proba(plain[cases])[:, at].mean() for d in (told, untold))
    assert after > 1.05 * before
    # No answer is changed by what the asked case's own judgements say.
    np.testing.assert_array_equal(told.predict_proba(comorbid), told.predict_proba(plain))


def test_learning_on_takes_them_for_no_negatives_either(plain, comorbid) -> None:
    patients = np.unique(plain.groups.astype(str))
    first = np.isin(plain.groups.astype(str), patients[: len(patients) // 2])
    fitted = Diagnoser(model="linear", folds=2).fit(plain[first])
    told, untold = (fitted.update(records[~first]) for records in (comorbid, plain))
    cases = plain[~first][plain[~first].y == OWN]
    at = fitted.codes().tolist().index(TOO)
    scores = [softmax(d.model_.scores(d.encoder_.transform(cases)))[:, at].mean() for d in (told, untold)]
    assert scores[0] > scores[1]


def test_which_judgements_count_and_under_which_name() -> None:
    records = small_records(60, seed=3, rare=2)
    first, second, third = records.case_ids[:3].tolist()
    own = records.y.tolist()
    records = with_labels(
        records,
        [
            (first, own[0], "principal", "confirmed"),
            (first, "rare-1", "complication", "confirmed"),
            (second, TOO, "secondary", "provisional"),
            (second, TOO, "differential", "confirmed"),
            (third, TOO, "secondary", "confirmed"),
        ],
    )
    assert [set(one) for one in confirmed_diagnoses(records)[:3]] == [{own[0], "rare-1"}, set(), {TOO}]
    pooled = label(records, records.y, records.groups, 5, "other")
    assert [set(one) for one in pooled.also[:3]] == [{OTHER}, set(), {TOO}]
    assert pooled.also_at(np.array([2, 2])) == [(TOO,), (TOO,)]
    left = label(records, records.y, records.groups, 5, "drop")
    assert len(left.also) == len(left.y) == 58
    assert left.also[0] == (TOO,)
