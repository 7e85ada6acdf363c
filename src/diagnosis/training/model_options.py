"""The options of a kind of model, as its class states them."""

from __future__ import annotations

import inspect

from diagnosis.errors import ConfigError, nearest
from diagnosis.training.schema import ModelChoice

__all__ = ["check_options", "model_options"]

# Given once for the whole run, at the top of the config.
_OF_THE_RUN = frozenset({"seed", "n_jobs", "knowledge"})


def model_options(kind: str) -> tuple[str, ...]:
    """Return the names of the options a kind of model takes in a config."""
    from diagnosis.models import MODELS

    if kind not in MODELS:  # the one kind that is none: the choice by the number of diagnoses
        return ()
    return tuple(name for name in inspect.signature(MODELS[kind]).parameters if name not in _OF_THE_RUN)


def check_options(choice: ModelChoice, *, where: str = "model") -> None:
    """Raise ConfigError if the config sets an option that its kind of model does not have."""
    if not choice.options:
        return
    known = model_options(choice.kind)
    unknown = [name for name in choice.options if name not in known]
    if unknown:
        raise ConfigError(
            f"{where} is of kind {choice.kind!r}, with {'the options ' + ', '.join(known) if known else 'no options'}",
            f"It has {', '.join(map(repr, unknown))}",
            "Correct or remove the option (seed and n_jobs stand at the top of the config).",
            near=[name for text in unknown for name in nearest(text, ["kind", *known])],
        )
