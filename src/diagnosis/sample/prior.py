"""How often each illness comes to each site, by month, age, sex, pregnancy and prematurity: natural and as drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from diagnosis.sample.model import Model, sample_model
from diagnosis.sample.tables import AGE_BANDS, number

__all__ = ["PREGNANT", "Context", "Prior", "sample_prior"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Known to be pregnant, known not to be, not known.
PREGNANT = ("yes", "no", "unknown")
_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Context:
    """What is known of cases before anything is asked; one entry a case.

    Parameters
    ----------
    site, month, band, sex : index arrays
        Month 0 is January; sex 0 is female, 1 male.
    pregnant : index array
        Into `PREGNANT`.
    preterm : index array
        1 when born before 37 weeks and younger than a year, else 0.
    """

    site: Ints
    month: Ints
    band: Ints
    sex: Ints
    pregnant: Ints
    preterm: Ints

    def cell(self) -> Ints:
        """Return the index of each case's cell in the tables of `Prior`."""
        cell = self.site
        for part, size in (
            (self.month, _MONTHS),
            (self.band, len(AGE_BANDS)),
            (self.sex, 2),
            (self.pregnant, len(PREGNANT)),
            (self.preterm, 2),
        ):
            cell = cell * size + part
        return cell


@dataclass(frozen=True, slots=True)
class Prior:
    """Probability of each illness by cell, in nature and in the cohort, and how often each comes back for review."""

    natural: Floats
    drawn: Floats
    follow_up: Floats
    cumulative: Floats

    def states(self, model: Model, context: Context, follow_up: npt.NDArray[np.bool_]) -> Floats:
        """Return the probability of each hidden state before any finding, shape (cases, states)."""
        illness = self.drawn[context.cell()]
        illness = np.where(follow_up[:, None], illness * self.follow_up, illness)
        illness = illness / illness.sum(axis=1, keepdims=True)
        prior: Floats = illness[:, model.states.illness] * model.state_share[context.band]
        return prior


@lru_cache(maxsize=1)
def sample_prior() -> Prior:
    """Return the prior of the package's tables; built once."""
    model = sample_model()
    rows = model.illnesses
    share = np.array([float(r["share"]) for r in rows])
    rate = _by_site(model) * _by_month(model)
    rate = rate[:, :, None, None, None, None, :]
    rate = rate * _by_age(model)[None, None, :, None, None, None, :]
    rate = rate * _by_sex(model)[None, None, None, :, None, None, :]
    rate = rate * _by_pregnancy(model)[None, None, None, None, :, None, :]
    rate = rate * _by_prematurity(model)[None, None, None, None, None, :, :] * share
    rate = rate.reshape(-1, len(rows))
    enriched = rate * np.array([number(r, "enrichment", 1.0) for r in rows])
    natural = rate / rate.sum(axis=1, keepdims=True)
    drawn = enriched / enriched.sum(axis=1, keepdims=True)
    cumulative = np.cumsum(drawn, axis=1)
    return Prior(natural, drawn, np.array([number(r, "follow_up", 0.1) for r in rows]), cumulative)


def _by_site(model: Model) -> Floats:
    at = [f"at_{s['site']}" for s in model.sites]
    return np.array([[max(float(r[a]), 0.01) for r in model.illnesses] for a in at])[:, None, :]


def _by_month(model: Model) -> Floats:
    """A yearly wave in the logarithm, highest in the month the table names."""
    peak = np.array([number(r, "season_peak", 1.0) for r in model.illnesses])
    swing = np.array([number(r, "season_swing") for r in model.illnesses])
    month = np.arange(1, _MONTHS + 1)[:, None]
    wave: Floats = np.exp(swing * np.cos(2 * np.pi * (month - peak) / _MONTHS))
    return wave[None]


def _by_age(model: Model) -> Floats:
    profile = np.array([[float(r[b]) for r in model.illnesses] for b in AGE_BANDS])
    possible = np.zeros_like(profile)
    np.add.at(possible.T, model.states.illness, model.state_share.T)
    return np.where(possible > 0, profile, 0.0)


def _by_sex(model: Model) -> Floats:
    male = np.array([number(r, "male_share", 0.5) for r in model.illnesses])
    only = [r["sex"] for r in model.illnesses]
    male = np.where([s == "female" for s in only], 0.0, np.where([s == "male" for s in only], 1.0, male))
    return np.stack([2 * (1 - male), 2 * male])


def _by_pregnancy(model: Model) -> Floats:
    columns = {"yes": "if_pregnant", "no": "if_not_pregnant", "unknown": "if_maybe_pregnant"}
    return np.array([[number(r, columns[p], 1.0) for r in model.illnesses] for p in PREGNANT])


def _by_prematurity(model: Model) -> Floats:
    return np.array([np.ones(len(model.illnesses)), [number(r, "if_preterm", 1.0) for r in model.illnesses]])
