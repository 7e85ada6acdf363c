"""Which options of a config are tuned, within which bounds, and how chosen values are put into a config."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from diagnosis.training.model_options import model_options
from diagnosis.training.schema import Config

if TYPE_CHECKING:
    from optuna import Trial

__all__ = ["Knob", "Values", "defaults_of", "drawn", "kept", "knobs_of", "put_in", "rounded", "with_values"]

#: Values by the dotted name of the key, as in ``--set``.
Values: TypeAlias = Mapping[str, float]

# A config is read by people, and a fourth digit never mattered.
_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Knob:
    """One option that is tuned.

    Parameters
    ----------
    name : str
        Dotted, as in ``--set``.
    low, high : int or float
        Bounds, both included. Two ints: whole numbers are drawn.
    log : bool
        Whether ratios matter instead of differences.
    given : int or float, optional
        What the config as given has; the bounds include it.
    """

    name: str
    low: float
    high: float
    log: bool = True
    given: float | None = None

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def to_json(self) -> list[float | bool]:
        """Return bounds and scale as plain values."""
        return [self.low, self.high, self.log]


_LINEAR = (Knob("C", 0.003, 30.0),)
_BOOSTED = (
    Knob("rounds", 50, 500),
    Knob("leaves", 3, 31),
    Knob("learning_rate", 0.03, 0.3),
    Knob("min_cases_leaf", 2, 60),
    Knob("lambda_l2", 0.1, 100.0),
    Knob("column_share", 0.1, 1.0),
)
_RANKER = (
    Knob("candidates", 5, 50),
    Knob("smoothing", 0.2, 20.0),
    Knob("C", 0.03, 30.0),
    Knob("rounds", 20, 200),
    Knob("leaves", 4, 63),
    Knob("learning_rate", 0.03, 0.5),
    Knob("lambda_l2", 0.5, 100.0),
)
_FEATURES = (Knob("features.min_cases", 1, 20),)
# Beside the linear scores few rounds are left to learn.
_BESIDE_LINEAR = {"rounds": Knob("rounds", 20, 200)}
_TABLE: Mapping[str, tuple[Knob, ...]] = {"linear": _LINEAR, "boosted": _BOOSTED, "ranker": _RANKER}


def knobs_of(config: Config) -> tuple[Knob, ...]:
    """Return what is tuned for the kind of model of a config; options that the kind lacks are left out.

    An option that the config sets to something else than a number stays as it is set.
    """
    kind, options = config.model.kind, config.model.options
    knobs = _placed("model", _TABLE.get(kind, ()), defaults_of(kind) | options)
    if kind == "hybrid":
        beside = tuple(_BESIDE_LINEAR.get(knob.name, knob) for knob in _BOOSTED)
        knobs += _placed("model.linear", _LINEAR, _part(options, "linear"))
        knobs += _placed("model.boosted", beside, _part(options, "boosted"))
    knobs += [replace(knob, given=config.features.min_cases) for knob in _FEATURES]
    return tuple(_including(knob) for knob in knobs)


def kept(config: Config) -> dict[str, Any]:
    """Return options that a part of the hybrid has by default, and would lose where others of the part are set."""
    options = config.model.options
    if config.model.kind != "hybrid" or options.get("boosted") is not None:
        return {}
    own, other = _part(options, "boosted"), defaults_of("boosted")
    return {f"model.boosted.{name}": own[name] for name in other if own[name] != other[name]}


def defaults_of(kind: str) -> dict[str, Any]:
    """Return the options of a kind of model with their defaults; none for `auto`."""
    from diagnosis.models import make_model

    names = model_options(kind)
    params = make_model(kind).get_params(deep=False) if names else {}
    return {name: params[name] for name in names}


def _part(options: Mapping[str, Any], part: str) -> dict[str, Any]:
    """Return the options a part of the hybrid is fitted with; its defaults are the hybrid's where none is set."""
    from diagnosis.models import HybridModel

    inner = options.get(part)
    if part == "boosted" and inner is None:
        made = HybridModel().boosted_part(residual=options.get("residual") is True).get_params()
        return {name: made[name] for name in model_options(part)}
    return defaults_of(part) | (dict(inner) if isinstance(inner, Mapping) else {})


def _placed(place: str, knobs: Sequence[Knob], options: Mapping[str, Any]) -> list[Knob]:
    """Name knobs by their place, with the value they have there; without those that have none."""
    return [
        replace(knob, name=f"{place}.{knob.name}", given=options[knob.name])
        for knob in knobs
        if _is_number(options.get(knob.name))
    ]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _including(knob: Knob) -> Knob:
    """Widen the bounds to the given value, so that the config as given is a point of the space."""
    value = knob.given
    assert value is not None
    if knob.log and value <= 0:
        return replace(knob, low=min(knob.low, value), high=max(knob.high, value), log=False)
    return replace(knob, low=min(knob.low, value), high=max(knob.high, value))


def drawn(trial: Trial, knobs: Sequence[Knob]) -> dict[str, float]:
    """Draw a value for each knob, as `rounded` does."""
    for knob in knobs:
        if knob.whole:
            trial.suggest_int(knob.name, int(knob.low), int(knob.high), log=knob.log)
        else:
            trial.suggest_float(knob.name, knob.low, knob.high, log=knob.log)
    return rounded(trial.params)


def rounded(values: Mapping[str, float]) -> dict[str, float]:
    """Return the values with three significant digits: those that are tried are those that are written."""
    return {name: v if isinstance(v, int) else float(f"{v:.{_DIGITS}g}") for name, v in values.items()}


def put_in(plain: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain keys of a config with the values put in; the given mapping stays as it is.

    Examples
    --------
    >>> put_in({"model": {"kind": "hybrid"}}, {"model.linear.C": 0.5})
    {'model': {'kind': 'hybrid', 'linear': {'C': 0.5}}}
    """
    made: dict[str, Any] = copy.deepcopy(dict(plain))
    for name, value in values.items():
        *sections, key = name.split(".")
        place = made
        for section in sections:
            if place.get(section) is None:
                place[section] = {}
            place = place[section]
        place[key] = value
    return made


def with_values(config: Config, values: Mapping[str, Any]) -> Config:
    """Return a config with the values put in, checked like one that was read."""
    return Config.model_validate(put_in(config.model_dump(), values)) if values else config
