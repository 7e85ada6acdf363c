"""A fitted diagnoser for another place: its prevalence and, where there are cases, its temperature.

Nothing is refitted: the model, its contributions (but for one common factor) and the diagnoses it knows stay; what was
learned of prevalence moves. The original is left as it is.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from sklearn.utils.validation import check_is_fitted

from diagnosis.errors import InputError, UnknownCodeError, UnknownNameError, nearest
from diagnosis.models.calibration import log_loss, softmax
from diagnosis.models.conformal import choose_sets
from diagnosis.models.policy import flag_thresholds
from diagnosis.models.prior_shift import ShrunkPrior, log_shift, shrunk_prior
from diagnosis.models.scale import Scale
from diagnosis.records import Records
from diagnosis.suggestions.policy import groups_of_cases

if TYPE_CHECKING:
    from diagnosis.suggestions.calibrated import Calibrated
    from diagnosis.suggestions.diagnoser import Diagnoser

__all__ = ["adapted"]

FloatArray = npt.NDArray[np.float64]

#: Fewer labelled cases leave temperature and sets, fewer must-not-miss cases the flags, as they were trained.
_LEAST_CASES = 200
_LEAST_DANGEROUS = 100
_SHARPNESS = (0.2, 5.0)


def adapted(
    diagnoser: Diagnoser,
    *,
    prior: Mapping[str, float] | None,
    records: Records | None,
    site: str | None,
    strength: float | None,
) -> Diagnoser:
    """Return a diagnoser whose probabilities speak of another prevalence; see `Diagnoser.adapt`."""
    check_is_fitted(diagnoser, "model_")
    given = {"prior": prior, "records": records, "site": site}
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1:
        raise InputError(
            "a prevalence to adapt to: prior, records or site",
            f"found {' and '.join(named) or 'none of them'}",
            "give exactly one",
        )
    trained = _unadapted(diagnoser.calibration_, diagnoser.card_)
    base = replace(trained.scale, sharpness=1.0, shift=())
    y, old = None, trained.prior
    if prior is not None:
        found = ShrunkPrior(_stated(diagnoser, prior, trained.prior), 0.0, 0.0)
    elif site is not None:
        found = shrunk_prior(_counted(diagnoser, site), trained.prior, strength)
    else:
        assert records is not None
        y = _indices(diagnoser, records)
        old = _expected(diagnoser, base, records, y)
        found = shrunk_prior(np.bincount(y[y >= 0], minlength=len(old)), old, strength)
    scale = replace(base, shift=tuple(log_shift(found.prior, old).tolist()))
    made = replace(trained, scale=scale, prior=found.prior)
    chosen: tuple[str, ...] = ()
    if records is not None and y is not None:
        made, chosen = _chosen_here(diagnoser, made, records, y)
    return _copied(diagnoser, made, trained, found, named[0] if site is None else f"site {site}", chosen)


def _unadapted(calibration: Calibrated, card: Mapping[str, Any]) -> Calibrated:
    """What training chose: adapting twice is adapting once, to the second place."""
    trained = card.get("trained_calibration")
    return calibration if trained is None else type(calibration).from_json(trained)


def _copied(
    diagnoser: Diagnoser, made: Calibrated, trained: Calibrated, found: ShrunkPrior, to: str, chosen: tuple[str, ...]
) -> Diagnoser:
    new = copy.copy(diagnoser)
    new.calibration_ = made
    new.__dict__.pop("fingerprint", None)
    shares = dict(zip(map(str, diagnoser.classes_), found.prior.tolist(), strict=True))
    account = {
        "to": to,
        "n": found.n,
        "strength": found.strength,
        "sharpness": made.scale.sharpness,
        "prior": shares,
        "chosen_here": list(chosen),
    }
    new.card_ = {**diagnoser.card_, "adapted": account, "trained_calibration": trained.to_json()}
    return new


def _stated(diagnoser: Diagnoser, prior: Mapping[str, float], trained: FloatArray) -> FloatArray:
    """Shares as stated; the diagnoses that are not divide what is left as they did in training."""
    classes = [str(c) for c in diagnoser.classes_]
    shares = np.full(len(classes), np.nan)
    for name, share in prior.items():
        if not (isinstance(share, int | float) and math.isfinite(share) and 0 < share <= 1):
            raise InputError(
                "a prior gives each diagnosis a share above 0 and at most 1",
                f"{name!r} has {share!r}",
                "give a small share to what is rare: a share of 0 would exclude it whatever is found",
            )
        shares[_position(diagnoser, name, classes)] = share
    left, open_ = 1.0 - float(np.nansum(shares)), np.isnan(shares)
    if left < -1e-9 or (not open_.any() and abs(left) > 1e-6) or (open_.any() and left <= 0):
        raise InputError(
            "the shares of a prior sum to 1, or to less where some diagnoses are left out",
            f"they sum to {1.0 - left:.6g} with {int(open_.sum())} of {len(classes)} left out",
            "divide them by their sum, or leave something for the others",
        )
    shares[open_] = left * trained[open_] / trained[open_].sum() if open_.any() else 0.0
    return shares


def _position(diagnoser: Diagnoser, name: str, classes: list[str]) -> int:
    words = diagnoser.vocabulary_
    code = name
    if name not in classes:
        try:
            code = words.resolve_diagnosis(name, known=classes)
        except UnknownCodeError:
            code = name
    if code not in classes:
        raise UnknownCodeError(
            "A prior names diagnoses the model knows",
            f"it does not know {name!r}",
            "use its codes (`diagnoser.classes_`) or their names",
            codes=[name],
            near=nearest(name, [*classes, *(words.diagnosis_name(c) for c in classes)]),
        )
    return classes.index(code)


def _counted(diagnoser: Diagnoser, site: str) -> FloatArray:
    """Training cases of each diagnosis at a site, from the card."""
    card = diagnoser.card_
    shares, counts = card["prevalence"]["site"], card.get("n_by_place", {}).get("site", {})
    if site not in shares or site not in counts:
        raise UnknownNameError(
            "Adapting to a site wants at least 20 training cases there",
            f"{site!r} is none of {', '.join(sorted(counts)) or 'the sites (this model kept none)'}",
            "name one of them, or give records of the new site",
            near=nearest(site, counts),
        )
    return np.array([shares[site].get(str(c), 0.0) * counts[site] for c in diagnoser.classes_])


def _indices(diagnoser: Diagnoser, records: Records) -> npt.NDArray[np.int64]:
    """Position of each case's diagnosis, -1 where the model cannot name it or there is none."""
    place = {str(c): k for k, c in enumerate(diagnoser.classes_)}
    y = np.array([place.get(str(t), -1) for t in diagnoser.truth(records)], dtype=np.int64)
    if not (y >= 0).any():
        raise InputError(
            "records with diagnoses the model knows, to adapt to",
            f"none of {len(records):,} cases has one",
            "give labelled cases, or state a prior",
        )
    return y


def _expected(diagnoser: Diagnoser, scale: Scale, records: Records, y: npt.NDArray[np.int64]) -> FloatArray:
    """Share of each diagnosis that the model, unadapted, expects among the place's labelled cases; sums to 1.

    What ages, sexes and findings say of the place's prevalence already stands in its probabilities; only what they
    leave is to be moved. Against the prior of training it would count twice.
    """
    scores = diagnoser.raw_scores(records)[y >= 0]
    found: FloatArray = np.maximum(softmax(scale.apply(scores)).mean(axis=0), 1e-12)
    return found / found.sum()


def _chosen_here(
    diagnoser: Diagnoser, made: Calibrated, records: Records, y: npt.NDArray[np.int64]
) -> tuple[Calibrated, tuple[str, ...]]:
    """Choose temperature, sets and flags on the place's own cases where there are enough of them."""
    if (y >= 0).sum() < _LEAST_CASES:
        return made, ()
    scores = diagnoser.raw_scores(records)
    scale = replace(made.scale, sharpness=_sharpness(made.scale, scores, y))
    proba = softmax(scale.apply(scores))
    policy = diagnoser.policy
    sets = choose_sets(
        proba,
        y,
        diagnoser.coverage,
        kind=policy.sets,
        groups=groups_of_cases(records, policy.grouped_by),
        class_conditional=policy.class_conditional,
    )
    chosen: tuple[str, ...] = ("temperature", "sets")
    which = np.isfinite(made.flag_at)
    flag_at = made.flag_at
    if (which[np.maximum(y, 0)] & (y >= 0)).sum() >= _LEAST_DANGEROUS and policy.flags_per == "case":
        here = flag_thresholds(proba, y, which, diagnoser.sensitivity)
        own = np.array([diagnoser.vocabulary_.flag_at(str(c)) is None for c in diagnoser.classes_], dtype=bool)
        level = np.nanmax(here)  # one threshold for all: also for what was not seen here
        flag_at = np.where(which & own, level, made.flag_at)
        chosen = (*chosen, "flags")
    return replace(made, scale=scale, sets=sets, flag_at=flag_at), chosen


def _sharpness(scale: Scale, scores: FloatArray, y: npt.NDArray[np.int64]) -> float:
    """The common factor with the lowest log-loss on the place's cases."""
    own, shift = scale.factors(scores)[:, None] * scores, np.asarray(scale.shift)
    low, high = (math.log(s) for s in _SHARPNESS)
    found = minimize_scalar(
        lambda t: log_loss(math.exp(t) * own + shift, y), bounds=(low, high), method="bounded", options={"xatol": 1e-6}
    )
    return math.exp(float(found.x))
