"""An absent finding never raises a diagnosis it is cardinal for: a law, by the linear model and by the hybrid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.small import FINDINGS, small_records

from diagnosis.errors import InputError
from diagnosis.models import BoostedModel, HybridModel, LinearModel
from diagnosis.models.monotone import lowest
from diagnosis.records import Records
from diagnosis.suggestions import Diagnoser, Policy, load_bundle

SMALL = BoostedModel(rounds=12, min_cases_leaf=2, early_stopping=0)
PAIRS = [(0, 1), (2, 3), (4, 5)]


def cases(n: int = 240) -> tuple[np.ndarray, np.ndarray]:
    """Four diagnoses; finding 0 is typical of two, 1 of a third, 2 of none. Denial is written down perversely often."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 4
    X = np.zeros((n, 8))
    for j, typical in enumerate(((0.9, 0.8, 0.1, 0.1), (0.1, 0.1, 0.7, 0.1), (0.3, 0.3, 0.3, 0.3))):
        present = rng.random(n) < np.array(typical)[y]
        denied = ~present & (rng.random(n) < np.where(np.array(typical)[y] > 0.5, 1.0, 0.2))
        X[present, 2 * j], X[denied, 2 * j + 1] = 1, 1
    X[:, 6] = rng.random(n) < 0.5
    X[:, 7] = np.where(rng.random(n) < 0.9, X[:, 6] == y % 2, rng.random(n) < 0.5)  # only trees can see this
    return X, y


@settings(max_examples=50)
@given(arrays(np.float64, st.integers(1, 8), elements=st.floats(-5, 5)), st.data())
def test_the_lowest_are_equal_nothing_is_below_and_the_sum_stays(values, data):
    among = data.draw(arrays(bool, len(values)))
    found = lowest(values, among)
    assert found.sum() == pytest.approx(values.sum(), abs=1e-9)
    if among.any():
        assert np.ptp(found[among]) == 0
        assert found.min() >= found[among][0] - 1e-12
    np.testing.assert_allclose(lowest(found, among), found, atol=1e-12)


@pytest.mark.parametrize(
    "model",
    [LinearModel(monotone=PAIRS), HybridModel(boosted=SMALL, folds=2, monotone=PAIRS)],
    ids=["linear", "hybrid"],
)
def test_absence_of_a_cardinal_finding_never_raises_its_diagnosis(model, tmp_path):
    X, y = cases()
    free = LinearModel().fit(X, y).coef_
    assert free[0, 1] > free[:, 1].min(), "nothing to mend"
    fitted = model.fit(X, y)
    rng = np.random.default_rng(1)
    without = (rng.random((300, 8)) < 0.4).astype(float)
    for diagnosis, column in ((0, 1), (1, 1), (2, 3)):
        without[:, column] = 0.0
        denied = without.copy()
        denied[:, column] = 1.0
        before, after = (fitted.predict_proba(one)[:, diagnosis] for one in (without, denied))
        assert (after <= before * (1 + 1e-12)).all()
    fitted.to_files(tmp_path)
    np.testing.assert_array_equal(type(model).from_files(tmp_path).scores(X), fitted.scores(X))
    if isinstance(fitted, HybridModel):
        assert fitted.weights_[1] > 0
        assert fitted.boosted_.left_out == [1, 3]
        return
    assert {tuple(rule) for rule in fitted.cardinal_.astype(int)} == {(0, 1), (1, 1), (2, 3)}
    # Every other coefficient is the best beside those that are held.
    assert np.abs(fitted.coef_[:, 5] - free[:, 5]).max() > 1e-6
    later = fitted.update(X[:40], y[:40])
    assert later.coef_[[0, 1], 1] == pytest.approx(later.coef_[:, 1].min())


def with_systems(records: Records, systems: dict[str, str]) -> Records:
    """Name the body system of some findings."""
    words = records.frame("vocabulary").assign(body_system=[systems.get(c) for c in FINDINGS])
    tables = {name: records.arrow(name) for name in records.names if name != "vocabulary"}
    return Records.from_tables({**tables, "vocabulary": words}, dict(records.info))


def test_a_diagnoser_looks_up_systems_and_cardinal_findings_and_its_bundle_keeps_them(tmp_path):
    systems = {"cough": "respiratory", "wheeze": "respiratory", "vomiting": "digestive", "stool": "digestive"}
    records = with_systems(small_records(200, seed=4), systems)
    model = HybridModel(boosted=SMALL, folds=2, interactions="body_system", monotone="cardinal")
    made = Diagnoser(model=model, policy=Policy(calibration="temperature")).fit(records)
    names, context = made.encoder_.lineage_.names, made.encoder_.lineage_.context[made.encoder_.lineage_.finding]
    groups = [{str(names[c]) for c in group if not context[c]} for group in made.model_.interactions]
    assert {"present:cough", "absent:cough", "present:wheeze"} <= max(groups, key=lambda g: "present:cough" in g)
    assert not any({"present:cough", "present:rash"} <= group for group in groups)
    assert all(set(np.flatnonzero(context)) <= set(group) for group in made.model_.interactions)
    left_out = {str(names[c]) for c in made.model_.boosted_.left_out}
    assert "absent:rash" in left_out  # typical of measles
    again = load_bundle(made.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.predict_proba(records), made.predict_proba(records))


def test_what_speaks_of_findings_needs_findings():
    X, y = cases(40)
    for option in ({"interactions": "body_system"}, {"monotone": "cardinal"}):
        with pytest.raises(InputError, match="only a Diagnoser can look up"):
            HybridModel(**option).fit(X, y)
    with pytest.raises(InputError, match="interactions of HybridModel must be one of"):
        HybridModel(interactions="organ").fit(X, y)
    with pytest.raises(InputError, match="monotone of HybridModel holds column numbers"):
        HybridModel(monotone=[(0, 8)]).fit(X, y)
    with pytest.raises(InputError, match="no finding has one"):
        Diagnoser(model=HybridModel(interactions="body_system")).fit(small_records(60))
