"""What the doctors wrote down as the diagnosis: mostly right, now and then a neighbour of the same cluster."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from diagnosis.sample.clock import Clock, minutes_to_utc
from diagnosis.sample.model import Model, sample_model
from diagnosis.sample.tables import read_table

__all__ = ["NOISE", "confusion", "draw_labels", "draw_recorded"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Share of principal diagnoses that are recorded wrongly.
NOISE = 0.02
_ADMISSION_NOISE = 0.35


@lru_cache(maxsize=4)
def confusion(share: float) -> Floats:
    """Return the probability of each recorded diagnosis by true illness, shape (illnesses, diagnoses).

    With probability `share` a neighbour of the same cluster is written down (any listed diagnosis for a hidden illness).
    """
    model = sample_model()
    own = model.label_of_illness
    found = np.zeros((len(model.illnesses), len(model.diagnoses)))
    for i, row in enumerate(model.illnesses):
        near = [
            own[j]
            for j, other in enumerate(model.illnesses)
            if other["hidden"] != "true" and own[j] != own[i] and _mistaken(row["cluster"], other["cluster"])
        ]
        found[i, near] += share / len(near)
        found[i, own[i]] += 1 - share
    return found


def _mistaken(cluster: str, other: str) -> bool:
    return cluster in ("other", other)


def draw_recorded(rng: np.random.Generator, illness: Ints, share: float) -> Ints:
    """Draw the diagnosis that is written down for each illness; indices into the model's `diagnoses`."""
    cumulative = np.cumsum(confusion(share), axis=1)[illness]
    found: Ints = (rng.random(len(illness))[:, None] * cumulative[:, -1:] > cumulative).sum(axis=1)
    return found


def draw_labels(
    rng: np.random.Generator,
    model: Model,
    case_ids: pa.Array,
    illness: Ints,
    recorded: Ints,
    follow_up: npt.NDArray[np.bool_],
    clock: Clock,
) -> pa.Table:
    """Draw the labels table: principal, admission and secondary diagnoses; a follow-up brings its diagnosis along."""
    n = len(illness)
    admission = np.where(follow_up, recorded, draw_recorded(rng, illness, _ADMISSION_NOISE))
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
