"""Models by name."""

from __future__ import annotations

import pytest

from diagnosis.errors import InputError, UnknownNameError
from diagnosis.models import MODELS, BoostedModel, HybridModel, LinearModel, Model, make_model


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_name_makes_an_unfitted_model_with_the_seed(name):
    model = make_model(name, seed=7, n_jobs=2)
    assert type(model) is MODELS[name]
    assert model.get_params()["seed"] == 7
    assert model.get_params().get("n_jobs", 2) == 2
    assert not hasattr(model, "classes_")


def test_an_instance_is_copied_with_its_own_seed(cohort):
    cases = cohort()
    given = LinearModel(C=0.3, seed=5).fit(cases.X, cases.y)
    assert isinstance(given, Model)
    made = make_model(given, seed=1)
    assert made is not given
    assert (made.C, made.seed) == (0.3, 5)
    assert not hasattr(made, "classes_")


def test_options_reach_the_parts_of_a_hybrid():
    model = make_model("hybrid", seed=3, n_jobs=2, options={"folds": 4, "boosted": {"leaves": 7}})
    assert isinstance(model, HybridModel)
    assert model.folds == 4
    assert isinstance(model.boosted, BoostedModel)
    assert (model.boosted.leaves, model.boosted.seed, model.boosted.n_jobs) == (7, 3, 2)
    assert model.linear is None


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(UnknownNameError) as error:
        make_model("hybird")
    assert error.value.near == ("hybrid",)
    with pytest.raises(UnknownNameError) as error:
        make_model("boosted", options={"leafs": 3})
    assert "leaves" in error.value.near


@pytest.mark.parametrize("given", [None, 3, LinearModel, object()])
def test_what_is_no_model_is_refused(given):
    with pytest.raises(InputError, match="name or an instance"):
        make_model(given)


def test_options_beside_an_instance_are_refused():
    with pytest.raises(InputError, match="options"):
        make_model(LinearModel(), options={"C": 2.0})
