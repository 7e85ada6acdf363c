"""What the doctors wrote down as the diagnosis: mostly right, now and then a neighbour of the same cluster."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from diagnosis.sample.clock import Clock, minutes_to_utc
from diagnosis.sample.model import Model, sample_model
from diagnosis.sample.population import Encounters
from diagnosis.sample.prior import Context, sample_prior
from diagnosis.sample.tables import AGE_BANDS, read_table

__all__ = ["NOISE", "confusion", "draw_labels", "draw_recorded"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Share of principal diagnoses that are recorded wrongly.
NOISE = 0.02
_ADMISSION_NOISE = 0.35


@lru_cache(maxsize=4)
def confusion(share: float) -> Floats:
    """Return the probability of each recorded diagnosis by age band, sex and true illness.

    With probability `share` a neighbour of the same cluster that fits the age and sex is written down instead (any
    listed diagnosis that fits, for a hidden illness); where there is none, the true one always is.

    Returns
    -------
    ndarray of shape (bands, 2, illnesses, diagnoses)
    """
    model = sample_model()
    own, listed = model.label_of_illness, [r["hidden"] != "true" for r in model.illnesses]
    cluster = np.array([r["cluster"] for r in model.illnesses])
    near = ((cluster[:, None] == cluster) | (cluster == "other")[:, None]) & (own[:, None] != own) & listed
    shape = (len(model.sites) * 12, len(AGE_BANDS), 2, -1, len(model.illnesses))
    possible = sample_prior().drawn.reshape(shape).sum(axis=(0, 3)) > 0
    mistakes = np.zeros((*possible.shape[:2], len(own), len(model.diagnoses)))
    mistakes[..., own[listed]] = (near & possible[:, :, None, :])[..., listed]
    count = mistakes.sum(axis=-1, keepdims=True)
    found: Floats = np.divide(share * mistakes, count, out=np.zeros_like(mistakes), where=count > 0)
    right = 1 - found.sum(axis=-1)
    found[:, :, np.arange(len(own)), own] += right
    return found


def draw_recorded(rng: np.random.Generator, illness: Ints, context: Context, share: float) -> Ints:
    """Draw the diagnosis that is written down for each illness; indices into the model's `diagnoses`."""
    cumulative = np.cumsum(confusion(share), axis=-1)[context.band, context.sex, illness]
    found: Ints = (rng.random(len(illness))[:, None] * cumulative[:, -1:] > cumulative).sum(axis=1)
    return found


def draw_labels(
    rng: np.random.Generator,
    model: Model,
    case_ids: pa.Array,
    e: Encounters,
    context: Context,
    recorded: Ints,
    clock: Clock,
) -> pa.Table:
    """Draw the labels table: principal, admission and secondary diagnoses; a follow-up brings its diagnosis along."""
    n, follow_up = len(recorded), e.follow_up
    admission = np.where(follow_up, recorded, draw_recorded(rng, e.illness, context, _ADMISSION_NOISE))
    basis = [r["basis"] for r in model.illnesses if r["hidden"] != "true"] + ["clinical"]
    secondary = _secondary(rng, model, recorded)
    everyone = np.arange(n)
    with_second = np.flatnonzero(secondary >= 0)
    case = np.concatenate([everyone, everyone, with_second])
    diagnosis = np.concatenate([admission, recorded, secondary[with_second]])
    role = np.repeat(["admission", "principal", "secondary"], [n, n, len(with_second)])
    times = np.concatenate([clock.start + np.where(follow_up, -60, 40), clock.end - 5, clock.end[with_second] - 5])
    order = np.argsort(case, kind="stable")
    names = np.array(model.diagnoses)
    status = np.where((role == "admission") & ~follow_up[case], "provisional", "confirmed")
    return pa.table(
        {
            "case_id": case_ids.take(pa.array(case[order])),
            "diagnosis": pa.array(names[diagnosis[order]]),
            "role": pa.array(role[order]),
            "status": pa.array(status[order]),
            "time": pa.array(minutes_to_utc(times[order]), pa.timestamp("us", tz="UTC")),
            "basis": pa.array(np.where(role == "admission", "clinical", np.array(basis)[diagnosis])[order]),
            "recorder_role": pa.array(np.where(role == "admission", "admitting_doctor", "attending_doctor")[order]),
        }
    )


def _secondary(rng: np.random.Generator, model: Model, recorded: Ints) -> Ints:
    names = model.diagnoses
    found = np.full(len(recorded), -1)
    for row in read_table("secondary"):
        fits = (recorded == names.index(row["diagnosis"])) & (rng.random(len(recorded)) < float(row["share"]))
        found[fits] = names.index(row["secondary"])
    return found
