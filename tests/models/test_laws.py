"""Laws that every model keeps."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

from diagnosis.errors import BundleError, InputError
from diagnosis.models import CrossFitted, Model, fit_with_cross_scores, log_softmax

TRICKY = np.array(["肺炎", '流感 "A"', "a,b: [x] {y}", "手足口病（重症）", "1e5", " "], dtype=object)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def top(scores: np.ndarray, m: int) -> np.ndarray:
    return np.argsort(-scores, axis=1, kind="stable")[:, :m]


@pytest.mark.parametrize("dense", [False, True], ids=["sparse", "dense"])
@pytest.mark.parametrize("k", [2, 3, 11, 40])
def test_scores_are_sums_and_their_differences_are_log_odds(model, cohort, k, dense):
    cases = cohort(n=max(80, 4 * k), k=k, seed=k, dense=dense)
    model.fit(cases.X, cases.y, groups=cases.groups)
    scores, proba = model.scores(cases.X), model.predict_proba(cases.X)
    assert scores.shape == proba.shape == (cases.y.size, k)
    assert scores.dtype == proba.dtype == np.float64
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        scores[:, 0] - scores[:, 1], np.log(proba[:, 0]) - np.log(proba[:, 1]), rtol=0, atol=1e-9
    )
    which = top(scores, min(k, 4))
    parts = model.contributions(cases.X, which)
    assert parts.base.shape == which.shape
    assert parts.phi.shape == (*which.shape, cases.X.shape[1])
    np.testing.assert_allclose(
        parts.base + parts.phi.sum(axis=-1), np.take_along_axis(scores, which, axis=1), rtol=0, atol=1e-9
    )


def test_the_same_diagnoses_for_all_cases_may_be_asked_for_once(model, cohort):
    cases = cohort(k=4)
    model.fit(cases.X, cases.y)
    short = model.contributions(cases.X, [2, 0])
    long = model.contributions(cases.X, np.tile([2, 0], (cases.y.size, 1)))
    np.testing.assert_array_equal(short.phi, long.phi)
    np.testing.assert_array_equal(short.base, long.base)


@pytest.mark.parametrize("which", [[3], [-1], [0.5], [[0]], 0], ids=["high", "negative", "float", "rows", "scalar"])
def test_class_indices_that_do_not_exist_are_refused(model, cohort, which):
    cases = cohort(k=3)
    model.fit(cases.X, cases.y)
    with pytest.raises(InputError):
        model.contributions(cases.X, which)


def test_no_diagnosis_asked_for_is_no_work(model, cohort):
    cases = cohort(k=3)
    model.fit(cases.X, cases.y)
    assert model.contributions(cases.X, np.empty((cases.y.size, 0), dtype=int)).phi.shape == (120, 0, 12)


def test_models_follow_the_protocol(model, cohort):
    cases = cohort()
    model.fit(cases.X, cases.y)
    assert isinstance(model, Model)
    assert isinstance(model, CrossFitted) == (type(model).__name__ != "LinearModel")


def test_storage_of_the_matrix_changes_no_score(model, cohort):
    cases = cohort(k=3)
    model.fit(cases.X, cases.y)
    scores = model.scores(cases.X)
    np.testing.assert_allclose(model.scores(cases.X.toarray()), scores, rtol=0, atol=1e-12)
    n, p = cases.X.shape
    every = sparse.csr_matrix((cases.X.toarray().ravel(), np.tile(np.arange(p), n), np.arange(n + 1) * p), (n, p))
    assert every.nnz == n * p
    np.testing.assert_allclose(model.scores(every), scores, rtol=0, atol=1e-12)


def test_float32_cases_are_scored_in_float64(model, cohort):
    cases = cohort(k=3)
    single = cases.X.astype(np.float32)
    model.fit(single, cases.y)
    np.testing.assert_array_equal(model.scores(single), model.scores(single.astype(np.float64)))


def test_each_case_is_scored_alone(model, cohort):
    cases = cohort(k=5)
    model.fit(cases.X, cases.y)
    together = model.scores(cases.X)
    alone = np.vstack([model.scores(cases.X[i]) for i in range(8)])
    np.testing.assert_array_equal(alone, together[:8])


def test_input_is_not_changed(model, cohort):
    cases = cohort()
    before = copy.deepcopy(cases)
    model.fit(cases.X, cases.y, sample_weight=cases.weight, groups=cases.groups)
    model.contributions(cases.X, [0])
    model.predict_proba(cases.X)
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(cases.X, name), getattr(before.X, name))
    for name in ("y", "groups", "weight"):
        np.testing.assert_array_equal(getattr(cases, name), getattr(before, name))


def test_read_only_input_is_enough(model, cohort):
    cases = cohort(dense=True)
    for array in (cases.X, cases.y, cases.groups, cases.weight):
        array.flags.writeable = False
    model.fit(cases.X, cases.y, sample_weight=cases.weight, groups=cases.groups)
    assert np.isfinite(model.scores(cases.X)).all()


def test_clone_and_seed_give_byte_equal_files(model, cohort, tmp_path):
    cases = cohort()
    for name in ("first", "second"):
        fitted = clone(model).fit(cases.X, cases.y, sample_weight=cases.weight, groups=cases.groups)
        fitted.to_files(tmp_path / name)
    assert files_of(tmp_path / "first") == files_of(tmp_path / "second")


@pytest.mark.parametrize("k", [2, 6])
def test_saved_and_loaded_scores_are_the_same_bits(model, cohort, tmp_path, k):
    cases = cohort(k=k)
    y = TRICKY[np.unique(cases.y, return_inverse=True)[1]]
    model.fit(cases.X, y)
    model.to_files(tmp_path / "model")
    loaded = type(model).from_files(tmp_path / "model")
    np.testing.assert_array_equal(loaded.scores(cases.X), model.scores(cases.X))
    np.testing.assert_array_equal(loaded.classes_, model.classes_)
    np.testing.assert_array_equal(loaded.contributions(cases.X, [0, 1]).phi, model.contributions(cases.X, [0, 1]).phi)
    loaded.to_files(tmp_path / "again")
    assert files_of(tmp_path / "model") == files_of(tmp_path / "again")
    assert repr(loaded) == repr(model)


def test_pickled_and_copied_models_score_the_same(model, cohort):
    cases = cohort()
    model.fit(cases.X, cases.y)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(other.scores(cases.X), model.scores(cases.X))


def test_a_damaged_or_foreign_file_is_refused(model, cohort, tmp_path):
    cases = cohort()
    model.fit(cases.X, cases.y).to_files(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        with pytest.raises(BundleError):
            type(model).from_files(tmp_path)
        path.unlink()
        with pytest.raises(BundleError):
            type(model).from_files(tmp_path)
        path.write_bytes(content)
    type(model).from_files(tmp_path)


@pytest.mark.parametrize("k", [2, 6])
def test_labels_may_be_any_text(model, cohort, k):
    cases = cohort(k=k)
    y = TRICKY[np.unique(cases.y, return_inverse=True)[1]]
    model.fit(cases.X, y)
    assert set(model.classes_) == set(TRICKY[:k])
    assert set(model.predict(cases.X)) <= set(TRICKY[:k])
    assert model.score(cases.X, y) > 1 / k


def test_names_of_labels_change_no_score(model, cohort):
    cases = cohort(k=3)
    renamed = np.array([label.replace("diagnosis", "病") for label in cases.y], dtype=object)
    np.testing.assert_array_equal(
        clone(model).fit(cases.X, cases.y).scores(cases.X), model.fit(cases.X, renamed).scores(cases.X)
    )


@pytest.mark.parametrize("name", ["linear", "boosted"])
def test_a_case_that_weighs_nothing_is_not_there(named_model, cohort, name):
    # Not the hybrid: its folds are cut over all cases, so that each has an out-of-fold score.
    model, cases = named_model(name), cohort(n=90, k=3)
    weight = np.where(np.arange(90) % 3 == 0, 0.0, 1.0)
    kept = weight > 0
    weighted = clone(model).fit(cases.X, cases.y, sample_weight=weight)
    without = clone(model).fit(cases.X[kept], cases.y[kept])
    np.testing.assert_allclose(weighted.scores(cases.X), without.scores(cases.X), rtol=0, atol=1e-9)


def test_a_diagnosis_without_weight_keeps_its_column_and_is_never_suggested(model, cohort):
    cases = cohort(k=4)
    weight = np.where(cases.y == "diagnosis 01", 0.0, 1.0)
    model.fit(cases.X, cases.y, sample_weight=weight)
    assert model.classes_.tolist() == [f"diagnosis {i:02d}" for i in range(4)]
    assert model.predict_proba(cases.X)[:, 1].max() < 1e-3
    parts = model.contributions(cases.X, [1])
    np.testing.assert_allclose(parts.base + parts.phi.sum(-1), model.scores(cases.X)[:, [1]], rtol=0, atol=1e-9)


def test_signal_is_found_and_noise_is_near_the_prior(model, cohort):
    cases = cohort(n=300, k=3)
    model, scores = fit_with_cross_scores(model, cases.X, cases.y, folds=3)
    index = np.searchsorted(model.classes_, cases.y)
    assert -log_softmax(scores)[np.arange(300), index].mean() < 0.8 * np.log(3)
    noise = np.random.default_rng(0).permutation(index)
    model, scores = fit_with_cross_scores(model, cases.X, noise, folds=3)
    assert -log_softmax(scores)[np.arange(300), noise].mean() < 1.1 * np.log(3)


@pytest.mark.parametrize("k", [1, 0])
def test_fewer_than_two_diagnoses_are_refused(model, cohort, k):
    cases = cohort(k=2)
    weight = np.where(cases.y == cases.y[0], float(k), 0.0)
    with pytest.raises(InputError, match=r"two diagnoses|positive weight"):
        model.fit(cases.X, cases.y, sample_weight=weight)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("y", None),
        ("sample_weight", -1.0),
        ("sample_weight", np.nan),
        ("groups", None),
    ],
)
def test_bad_rows_are_named_by_number_only(model, cohort, name, value):
    cases = cohort()
    given = {"y": cases.y, "sample_weight": cases.weight, "groups": cases.groups}
    given[name][7] = value
    with pytest.raises(InputError, match="row 7"):
        model.fit(cases.X, given["y"], sample_weight=given["sample_weight"], groups=given["groups"])


@pytest.mark.parametrize("name", ["sample_weight", "groups"])
def test_wrong_lengths_are_refused(model, cohort, name):
    cases = cohort()
    with pytest.raises(InputError, match="each of the 120 cases"):
        model.fit(cases.X, cases.y, **{name: np.ones(7)})


def test_duplicate_entries_of_a_sparse_matrix_are_added_up(model, cohort):
    cases = cohort()
    model.fit(cases.X, cases.y)
    one = sparse.csr_matrix((np.array([0.5, 0.5]), np.array([3, 3]), np.array([0, 2])), shape=(1, 12))
    whole = sparse.csr_matrix((np.array([1.0]), np.array([3]), np.array([0, 1])), shape=(1, 12))
    np.testing.assert_array_equal(model.scores(one), model.scores(whole))
    assert one.nnz == 2
