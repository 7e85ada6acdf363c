"""Learning on: new confirmed cases change the model a little, and nothing of the one they started from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.small import small_records

from diagnosis.errors import InputError
from diagnosis.suggestions import Diagnoser, load_bundle


@pytest.fixture(scope="module")
def halves():
    records = small_records(240, seed=9)
    patients = np.unique(records.groups.astype(str))
    first = np.isin(records.groups.astype(str), patients[: len(patients) * 2 // 3])
    return records[first], records[~first]


@pytest.mark.parametrize("kind", ["linear", "hybrid"])
def test_it_comes_nearer_to_what_it_was_shown_and_the_old_one_stays(kind, halves, tmp_path: Path) -> None:
    old, new = halves
    before = Diagnoser(model=kind, folds=2).fit(old)
    kept = before.predict_proba(new)
    after = before.update(new)
    np.testing.assert_array_equal(before.predict_proba(new), kept)
    index = {str(c): k for k, c in enumerate(before.classes_)}
    true = np.array([index[str(one)] for one in new.y])
    rows = np.arange(len(new))
    assert np.log(after.predict_proba(new)[rows, true]).mean() > np.log(kept[rows, true]).mean()
    assert after.card_["n_cases"] == len(old) + len(new)
    assert after.card_["n_patients"] == len({*old.groups, *new.groups})
    assert after.card_["updates"][0]["n_cases"] == len(new)
    assert after.training_ids_.seen(new).all()
    assert not before.training_ids_.seen(new).any()
    assert before.name != after.name
    back = load_bundle(after.save(tmp_path / kind))
    np.testing.assert_array_equal(back.predict_proba(new), after.predict_proba(new))


def test_cases_trained_on_and_unknown_diagnoses_are_refused(halves) -> None:
    old, new = halves
    fitted = Diagnoser(model="linear", folds=2).fit(old)
    with pytest.raises(InputError, match="id of a training case"):
        fitted.update(old[:3])
    with pytest.raises(InputError, match="none of 2 is one"):
        fitted.update(new[:2], y=["plague", "plague"])
