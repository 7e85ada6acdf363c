"""A config's choices as an unfitted diagnoser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagnosis.features import FindingEncoder
from diagnosis.models import make_model
from diagnosis.models.registry import AUTO
from diagnosis.suggestions import Diagnoser, Policy
from diagnosis.training.model_options import check_options

if TYPE_CHECKING:
    from diagnosis.training.schema import Config

__all__ = ["build_diagnoser"]


def build_diagnoser(config: Config) -> Diagnoser:
    """Return the diagnoser a config describes, not fitted yet."""
    check_options(config.model)
    model, features = config.model, config.features
    return Diagnoser(
        # What "auto" stands for is known with the diagnoses.
        model=AUTO
        if model.kind == AUTO
        else make_model(model.kind, seed=config.seed, n_jobs=config.n_jobs, options=model.options),
        encoder=FindingEncoder(**features.model_dump()),
        as_of=config.as_of.at,
        unknown_time=config.as_of.unknown_time,
        label_status=config.labels.status,
        min_cases=config.labels.min_cases,
        rest=config.labels.rest,
        top=config.suggestion.top,
        coverage=config.suggestion.coverage,
        sensitivity=config.suggestion.must_not_miss.sensitivity,
        policy=_policy(config),
        target=config.target,
        seed=config.seed,
        n_jobs=config.n_jobs,
    )


def _policy(config: Config) -> Policy:
    plan = config.suggestion
    return Policy(
        calibration=config.calibration.method,
        sets=plan.set,
        set_by=plan.set_by,
        class_conditional=plan.class_conditional,
        flags_per=plan.must_not_miss.per,
        abstain_error=None if plan.abstain is None else plan.abstain.error,
        red_flags=plan.red_flags,
        masking=config.masking,
    )
