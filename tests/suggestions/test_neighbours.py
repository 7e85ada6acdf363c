"""A case unlike any trained on is flagged; usual ones rarely; nothing of it leaves the site."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from tests.small import small_records

from diagnosis.records import Case, Finding, Records
from diagnosis.suggestions import Diagnoser, load_bundle
from diagnosis.suggestions.neighbours import Neighbours

# Findings that no disease of the small cohort brings together.
ODD = Case(
    [Finding("asthma_history", "absent", subject="family"), Finding("stool", text="watery"), Finding("stiff_neck")]
)


@pytest.fixture(scope="module")
def train() -> Records:
    return small_records(600, seed=21)


@pytest.fixture(scope="module")
def fitted(train: Records) -> Diagnoser:
    return Diagnoser(model="linear", folds=2).fit(train)


def flagged(diagnoser: Diagnoser, cases: Records | list[Case]) -> list[bool]:
    return ["unlike_training" in {f.kind for f in one.flags} for one in diagnoser.suggest(cases)]


def test_a_case_unlike_any_is_flagged_and_one_in_a_hundred_of_the_usual_ones(fitted: Diagnoser) -> None:
    assert flagged(fitted, [ODD]) == [True]
    assert np.mean(flagged(fitted, small_records(400, seed=22))) < 0.04
    page = fitted.suggest(ODD).to_html()
    assert "No training case resembles this one" in page


def test_a_training_case_has_itself_for_a_neighbour_and_values_do_not_matter(fitted: Diagnoser, train: Records) -> None:
    assert fitted.neighbours_ is not None
    near = fitted.neighbours_.similarity(fitted.encoder_.transform(train[:50]))
    has = np.diff(train[:50].coded.offsets) > 0
    np.testing.assert_allclose(near[has], 1.0, atol=1e-6)
    one, other = (
        fitted.neighbours_.similarity(
            fitted.encoder_.transform(Records.from_cases([Case([Finding("wheeze")], age_years=a)]))
        )
        for a in (2.0, 40.0)
    )
    assert one == other


def test_cases_that_record_much_are_compared_as_the_others_to_the_last_bit() -> None:
    rng = np.random.default_rng(0)
    full = sparse.csr_matrix((rng.random((300, 40)) < 0.5).astype(np.float32))
    length = np.sqrt(full.getnnz(axis=1))
    kept = Neighbours(sparse.csr_matrix(sparse.diags_array(1 / length) @ full, dtype=np.float32).T.tocsr(), np.ones(40))
    asked = sparse.csr_matrix((rng.random((250, 40)) < 0.5).astype(np.float32))
    alone = np.concatenate([kept.similarity(asked[[i]]) for i in range(asked.shape[0])])
    np.testing.assert_array_equal(kept.similarity(asked), alone)


def test_it_is_kept_at_the_site_alone_and_repeats(fitted: Diagnoser, train: Records, tmp_path) -> None:
    folder = fitted.save(tmp_path / "model")
    again = load_bundle(folder)
    assert flagged(again, [ODD]) == [True]
    assert again.fingerprint == fitted.fingerprint
    whole = (folder / "local" / "neighbours.npz").read_bytes()
    other = Diagnoser(model="linear", folds=2).fit(train).save(tmp_path / "other")
    assert (other / "local" / "neighbours.npz").read_bytes() == whole
    (folder / "local" / "neighbours.npz").unlink()
    assert flagged(load_bundle(folder), [ODD]) == [False]


def test_too_few_cases_flag_nothing() -> None:
    few = Diagnoser(model="linear", folds=2).fit(small_records(100, seed=23))
    assert few.neighbours_ is not None
    assert few.neighbours_.far == 0.0
    assert flagged(few, [ODD]) == [False]
