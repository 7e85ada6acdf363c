"""The generator's own posterior: the probability of each diagnosis given everything a case records.

Exact, because the hidden state (illness, subtype, severity) is discrete and, given it and what is recorded already,
every finding has a density the tables state. What is asked and ordered depends on recorded things alone, so it cancels.
No model can do better on average than these probabilities: they are the ceiling.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import sparse
from scipy.special import logsumexp

from diagnosis.sample.densities import quantity_log_density
from diagnosis.sample.findings import HOW_BAD, ONSETS, UNSURE_IF_ABSENT, UNSURE_IF_PRESENT, onset_share
from diagnosis.sample.labels import NOISE, confusion
from diagnosis.sample.model import Model, sample_model
from diagnosis.sample.prior import sample_prior
from diagnosis.sample.reading import Recorded, read_recorded

__all__ = ["posterior"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_CHUNK = 4096
_TOLD, _PRESENT, _ABSENT, _UNSURE, _COMPLAINT = range(5)


class _Tables(Protocol):
    def arrow(self, name: str) -> pa.Table: ...


def posterior(
    records: _Tables | dict[str, pa.Table], *, findings: bool = True, noise: float = NOISE
) -> tuple[list[str], Floats]:
    """Return the probability of each diagnosis given all that is recorded of each case.

    *Absent*, *uncertain* and volunteered findings count as the generator made them; not having mentioned a finding
    counts too, not having been asked does not. Labels are not looked at.

    Parameters
    ----------
    records : Records or dict of Arrow tables
        A cohort drawn by this package, also as of an earlier moment.
    findings : bool
        False gives the prior: site, month, age, sex, pregnancy, prematurity and visit alone.
    noise : float
        Share of principal diagnoses written down wrongly; 0 gives the posterior of the true illness.

    Returns
    -------
    diagnoses : list of str
    proba : ndarray of shape (n_cases, n_diagnoses), rows sum to 1
    """
    tables = {n: records[n] if isinstance(records, dict) else records.arrow(n) for n in ("cases", "findings")}
    model = sample_model()
    seen = read_recorded(tables["cases"], tables["findings"])
    chunks = [
        _chunk(model, seen.take(first, min(first + _CHUNK, seen.n)), findings, noise)
        for first in range(0, seen.n, _CHUNK)
    ]
    return model.diagnoses, np.concatenate(chunks) if chunks else np.zeros((0, len(model.diagnoses)))


def _chunk(model: Model, seen: Recorded, findings: bool, noise: float) -> Floats:
    with np.errstate(divide="ignore"):
        score = np.log(sample_prior().states(model, seen.context, seen.follow_up))
    if findings:
        score = score + _complaint_and_course(model, seen) + _yes_no(model, seen) + _pictures(model, seen)
        for q in model.quantities:
            quantity_log_density(model, seen, q, score)
    score -= logsumexp(score, axis=1, keepdims=True)
    illness = np.zeros((seen.n, len(model.illnesses)))
    np.add.at(illness.T, model.states.illness, np.exp(score).T)
    written: Floats = np.einsum("ni,nik->nk", illness, confusion(noise)[seen.context.band, seen.context.sex])
    return written / written.sum(axis=1, keepdims=True)


def _yes_no(model: Model, seen: Recorded) -> Floats:
    """Log likelihood of everything that is present or absent, and of what was not mentioned; (cases, states)."""
    share, told = model.share, model.volunteered
    silent = np.log(1 - share * told)
    table = np.empty((5, len(model.yes_no), len(model.states.illness)))
    table[_TOLD] = np.log(np.maximum(share * told, 1e-300)).T
    table[_PRESENT] = np.log(share * (1 - told)).T
    table[_ABSENT] = np.log(1 - share).T
    table[_UNSURE] = np.log(share * (1 - told) * UNSURE_IF_PRESENT + (1 - share) * UNSURE_IF_ABSENT).T
    table[_COMPLAINT] = 0
    table -= silent.T
    applies = model.applies[seen.context.band, seen.context.sex]
    width = len(model.yes_no)
    kind = np.where(seen.yes_no_told, _TOLD, seen.yes_no_status + 1)
    own = seen.complaint[seen.yes_no_case] >= 0
    complaint = np.array([model.yes_no.index(c) for c in model.complaints])[seen.complaint[seen.yes_no_case]]
    kind = np.where(own & (complaint == seen.yes_no), _COMPLAINT, kind)
    chosen = sparse.csr_array(
        (np.ones(len(kind)), (seen.yes_no_case, kind * width + seen.yes_no)), shape=(seen.n, 5 * width)
    )
    found: Floats = applies.astype(float) @ silent.T + chosen @ table.reshape(5 * width, -1)
    return found


def _complaint_and_course(model: Model, seen: Recorded) -> Floats:
    """Log likelihood of the complaint, when it began and how bad it is; what a case does not say is left out."""
    found = np.zeros((seen.n, len(model.states.illness)))
    with np.errstate(divide="ignore"):
        complaint = np.log(model.complaint_share)
    rows = np.flatnonzero(seen.complaint >= 0)
    by_subtype = complaint[seen.context.band[rows], seen.context.sex[rows], :, seen.complaint[rows]]
    found[rows] += by_subtype[:, model.states.subtype]
    share = np.log(onset_share(model))
    upto = np.log(np.cumsum(onset_share(model), axis=1))
    rows = np.flatnonzero(seen.onset >= 0)
    longest = np.searchsorted(ONSETS, np.maximum(seen.age_days[rows], 0.5), side="right") - 1
    found[rows] += (share[:, seen.onset[rows]] - upto[:, longest]).T[:, model.states.subtype]
    rows = np.flatnonzero(seen.how_bad >= 0)
    found[rows] += np.log(HOW_BAD)[:, seen.how_bad[rows]].T[:, model.states.severity]
    return found


def _pictures(model: Model, seen: Recorded) -> Floats:
    found = np.zeros((seen.n, len(model.states.illness)))
    for which, share in enumerate(model.pictures):
        rows = np.flatnonzero(seen.picture_of == which)
        np.add.at(found, seen.picture_case[rows], np.log(share)[:, seen.picture[rows]].T)
    return found
