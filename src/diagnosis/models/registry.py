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
from diagnosis.models.scoring import ScoreClassifier

__all__ = ["MODELS", "make_model"]

MODELS: Mapping[str, type[ScoreClassifier]] = {"linear": LinearModel, "boosted": BoostedModel, "hybrid": HybridModel}


def make_model(model: str | Model, *, seed: int = 0, n_jobs: int = 1, options: Mapping[str, Any] | None = None) -> Any:
    """Return an unfitted model by name, or an unfitted copy of one that is given.

    Parameters
    ----------
    model : str or Model
        A name in `MODELS`, or an instance, whose own seed and threads are kept.
    seed, n_jobs : int
        For a model made by name, unless `options` say otherwise.
    options : mapping, optional
        Further options of a model made by name. The hybrid's `linear` and `boosted` may be mappings of their options.

    Raises
    ------
    UnknownNameError
        For a name or option that does not exist, with the nearest.
    InputError
        For an instance that is not a model, or options beside an instance.

    Examples
    --------
    >>> make_model("linear", options={"C": 0.5})
    LinearModel(C=0.5)
    """
    if not isinstance(model, str):
        return _copied(model, options)
    if model not in MODELS:
        raise UnknownNameError(
            "model must be a known name",
            f"{model!r} is none",
            f"use one of {', '.join(MODELS)}",
            near=nearest(model, MODELS),
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
