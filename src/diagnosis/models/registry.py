"""The models by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.base import clone

from diagnosis.errors import InputError, UnknownNameError, nearest
from diagnosis.models.boosted import BoostedModel
from diagnosis.models.hybrid import HybridModel
from diagnosis.models.linear import LinearModel
from diagnosis.models.protocol import Model
from diagnosis.models.ranker import RankerModel
from diagnosis.models.scoring import ScoreClassifier

__all__ = ["AUTO", "MANY_DIAGNOSES", "MODELS", "choose_kind", "make_model"]

MODELS: Mapping[str, type[ScoreClassifier]] = {
    "linear": LinearModel,
    "boosted": BoostedModel,
    "hybrid": HybridModel,
    "ranker": RankerModel,
}
#: The name that stands for a choice by the number of diagnoses.
AUTO = "auto"
#: From so many diagnoses on, ``"auto"`` is the ranker: the hybrid grows a tree a diagnosis and round.
MANY_DIAGNOSES = 150


def choose_kind(n_diagnoses: int) -> tuple[str, str]:
    """Return the kind of model for a number of diagnoses, and why.

    Examples
    --------
    >>> choose_kind(49)
    ('hybrid', '49 diagnoses, fewer than 150')
    """
    if n_diagnoses >= MANY_DIAGNOSES:
        return "ranker", f"{n_diagnoses} diagnoses, {MANY_DIAGNOSES} or more: trees for each would take too long"
    return "hybrid", f"{n_diagnoses} diagnoses, fewer than {MANY_DIAGNOSES}"


def make_model(
    model: str | Model,
    *,
    seed: int = 0,
    n_jobs: int = 1,
    options: Mapping[str, Any] | None = None,
    n_diagnoses: int | None = None,
) -> Any:
    """Return an unfitted model by name, or an unfitted copy of one that is given.

    Parameters
    ----------
    model : str or Model
        A name in `MODELS`, or ``"auto"``, or an instance, whose own seed and threads are kept.
    seed, n_jobs : int
        For a model made by name, unless `options` say otherwise.
    options : mapping, optional
        Further options of a model made by name. The hybrid's `linear` and `boosted` may be mappings of their options.
    n_diagnoses : int, optional
        What ``"auto"`` decides by; see `choose_kind`.

    Raises
    ------
    UnknownNameError
        For a name or option that does not exist, with the nearest.
    InputError
        For an instance that is not a model, options beside an instance or ``"auto"``, or ``"auto"`` without
        `n_diagnoses`.

    Examples
    --------
    >>> make_model("linear", options={"C": 0.5})
    LinearModel(C=0.5)
    """
    if not isinstance(model, str):
        return _copied(model, options)
    if model == AUTO:
        model = _chosen(n_diagnoses, options)
    if model not in MODELS:
        raise UnknownNameError(
            "model must be a known name",
            f"{model!r} is none",
            f"use one of {', '.join(MODELS)}, or {AUTO}",
            near=nearest(model, [*MODELS, AUTO]),
        )
    made = MODELS[model]()
    known = made.get_params(deep=False)
    given = {name: value for name, value in (("seed", seed), ("n_jobs", n_jobs)) if name in known}
    for name, value in (options or {}).items():
        if name not in known:
            raise UnknownNameError(
                f"the {model} model has no option {name!r}",
                "it is not known",
                f"use some of {', '.join(known)}",
                near=nearest(name, known),
            )
        part = name in MODELS and isinstance(value, Mapping)
        given[name] = make_model(name, seed=seed, n_jobs=n_jobs, options=value) if part else value
    return made.set_params(**given)


def _chosen(n_diagnoses: int | None, options: Mapping[str, Any] | None) -> str:
    if n_diagnoses is None or options:
        raise InputError(
            f"the model {AUTO!r} is chosen by the number of diagnoses, and takes no options",
            "options were given" if options else "the number is not known",
            "name a kind of model for its options" if options else "give n_diagnoses, or name a kind of model",
        )
    return choose_kind(n_diagnoses)[0]


def _copied(model: Any, options: Mapping[str, Any] | None) -> Any:
    if isinstance(model, type) or not all(hasattr(model, name) for name in ("fit", "scores", "contributions")):
        raise InputError(
            "model must be a name or an instance with fit, scores and contributions",
            f"it is {model.__name__ if isinstance(model, type) else type(model).__name__}",
            f"use one of {', '.join(MODELS)}, or an instance such as LinearModel()",
        )
    if options:
        raise InputError("options belong to a model made by name", "an instance was given", "set them on the instance")
    return clone(model)
