"""Cases -> arrays of probabilities (`Batch`) -> one `Differential` a case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from diagnosis.errors import InputError
from diagnosis.features import FindingEncoder
from diagnosis.models.alone import probabilities_alone
from diagnosis.models.batch import Batch
from diagnosis.models.calibration import softmax
from diagnosis.records import OTHER, Case, Records
from diagnosis.suggestions.by_hand import ByHand
from diagnosis.suggestions.differential import Differential, Suggestion
from diagnosis.suggestions.facts import facts_of, flags_of, understood
from diagnosis.suggestions.flags import TOO_LITTLE, UNSURE
from diagnosis.suggestions.inputs import plausible
from diagnosis.suggestions.policy import groups_of_cases

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from diagnosis.suggestions.diagnoser import Diagnoser
    from diagnosis.vocabulary import Vocabulary

__all__ = ["answer", "answers_to", "asked_for", "batch_of", "probabilities_of"]


def asked_for(diagnoser: Diagnoser, top: int | None, reading: str | None) -> tuple[int, str]:
    """Return how many suggestions are shown, and which reading is asked for.

    Raises
    ------
    InputError
        None are to be shown, or the reading was not learned.
    """
    shown = diagnoser.top if top is None else top
    if shown < 1:
        raise InputError("at least one suggestion to show", f"top is {shown}", "ask for 1 or more")
    asked = reading or ("differential" if diagnoser.target == "differential" else "posterior")
    diagnoser.part(asked)
    return shown, asked


def answers_to(diagnoser: Diagnoser, given: ByHand, top: int, reading: str) -> list[Differential]:
    """Make the differentials of cases as they are given, as of their moment, ranked by a reading."""
    if not len(given.records):
        return []
    encoder, records = diagnoser.encoder_, given.records.with_vocabulary(diagnoser.vocabulary_)
    n_given = np.diff(records.coded.offsets)
    seen = diagnoser.as_known(records)
    later = n_given - np.diff(seen.coded.offsets)
    X = _encoded(encoder, given.cases, seen, int(later.sum()))
    listed = None if reading == "posterior" else probabilities_of(diagnoser, X, reading)
    return answer(diagnoser, seen, X, batch_of(diagnoser, seen, X), encoder.unknown(seen), later, top, listed)


def _encoded(encoder: FindingEncoder, by_hand: Sequence[Case], seen: Records, n_later: int) -> csr_matrix:
    """Encode cases as of their moment, without what no living patient has; one by hand in microseconds."""
    used = plausible(seen)
    if len(by_hand) != 1 or n_later or used is not seen:
        return encoder.transform(used)
    (case,), latest = by_hand, seen.coded.latest
    if not latest.all():
        case = replace(case, findings=[f for f, counts in zip(case.findings, latest, strict=True) if counts])
    return encoder.encode_case(case, seen)


def answer(
    diagnoser: Diagnoser,
    seen: Records,
    X: csr_matrix,
    batch: Batch,
    unknown: Sequence[tuple[str, ...]],
    later: npt.NDArray[np.int64],
    top: int,
    listed: npt.NDArray[np.float64] | None = None,
) -> list[Differential]:
    """Make the differentials of many cases.

    Parameters
    ----------
    diagnoser : Diagnoser
    seen : Records
        As of their moment.
    X : csr_matrix of shape (n_cases, n_columns)
        The same cases, encoded. A case alone has lost its patient's earlier encounters, so its row is kept with it.
    batch : Batch
    unknown : sequence of tuple of str
        For each case the codes the model does not know.
    later : ndarray of int, shape (n_cases,)
        How many findings of each case were set aside by the moment.
    top : int
    listed : ndarray of shape (n_cases, n_listed), optional
        Probabilities of the differential reading, to rank by; sets, flags and abstention stay those of the batch.
    """
    facts = facts_of(diagnoser, seen, X, unknown, batch.proba)
    flags = flags_of(batch, diagnoser.calibration_.flag_at, facts)
    name, moment = diagnoser.name, batch.as_of
    shown = batch.proba if listed is None else listed
    codes = batch.diagnoses if listed is None else diagnoser.codes("differential")
    made, other = [], np.flatnonzero(codes == OTHER)
    for i in range(len(batch)):
        in_set = _members(batch, i)
        n_lost = int(facts.n_values_not_used[i])
        made.append(
            Differential(
                case_id=str(batch.case_ids[i]),
                model=name,
                reading=batch.reading if listed is None else "differential",
                as_of=moment,
                ranked=_ranked(diagnoser.vocabulary_, shown[i], codes, in_set, top),
                other=float(shown[i, other[0]]) if len(other) else None,
                set=in_set,
                must_not_miss=tuple(f.diagnosis for f in flags[i] if f.kind == "must_not_miss" and f.diagnosis),
                flags=flags[i],
                abstained=bool(batch.abstained[i]),
                abstain_reason=None if not batch.abstained[i] else UNSURE if facts.understood[i] else TOO_LITTLE,
                unknown_codes=tuple(unknown[i]),
                not_used={"after_moment": int(later[i]), "unknown": len(unknown[i]), "values": n_lost},
                records=seen if len(seen) == 1 else seen[[i]],
                diagnoser=diagnoser,
                proba=shown[i],
                row=X if len(seen) == 1 else row_at(X, i),
            )
        )
    return made


def probabilities_of(diagnoser: Diagnoser, X: csr_matrix, reading: str = "posterior") -> npt.NDArray[np.float64]:
    """Calibrated probabilities of a reading for encoded cases."""
    model, _, scale = diagnoser.part(reading)
    alone = probabilities_alone(model, scale, X) if X.shape[0] == 1 else None
    return softmax(scale.apply(model.scores(X))) if alone is None else alone


def batch_of(
    diagnoser: Diagnoser, seen: Records, X: csr_matrix | None = None, proba: npt.NDArray[np.float64] | None = None
) -> Batch:
    """Probabilities, sets, flags and abstentions of cases that are as of their moment already.

    `X` are the same cases, where they are encoded already, and `proba` their probabilities, where they are known.
    """
    codes, found = diagnoser.classes_, diagnoser.calibration_
    X = diagnoser.encoder_.transform(plausible(seen)) if X is None else X
    proba = probabilities_of(diagnoser, X) if proba is None else proba
    n_train = np.array([diagnoser.card_["n_by_diagnosis"][str(c)] for c in codes], dtype=np.int64)
    return Batch(
        case_ids=seen.case_ids,
        diagnoses=codes,
        proba=proba,
        in_set=found.sets.members(proba, groups_of_cases(seen, diagnoser.policy.grouped_by)),
        flagged=proba >= found.flag_at,
        abstained=~understood(diagnoser.encoder_, X) | (proba.max(axis=1) < (found.abstain_at or 0.0)),
        prior=n_train / n_train.sum(),
        must_not_miss=np.array([c in diagnoser.vocabulary_.must_not_miss for c in codes], dtype=bool),
        coverage=diagnoser.coverage,
        reading="posterior",
        as_of=diagnoser.moment,
        n_train=n_train,
    )


def row_at(X: csr_matrix, i: int) -> csr_matrix:
    """One row of an encoded matrix, cut out of its arrays: indexing the matrix takes several times as long."""
    here = slice(X.indptr[i], X.indptr[i + 1])
    ends = np.array([0, here.stop - here.start], X.indptr.dtype)
    row = type(X)((X.data[here], X.indices[here], ends), shape=(1, X.shape[1]), copy=False)
    row.has_canonical_format = True
    return row


def _members(batch: Batch, i: int) -> tuple[str, ...]:
    """The members of a case's prediction set, most probable first."""
    return tuple(str(batch.diagnoses[k]) for k in _order(batch.proba[i]) if batch.in_set[i, k])


def _ranked(
    words: Vocabulary,
    proba: npt.NDArray[np.float64],
    codes: npt.NDArray[np.object_],
    in_set: Sequence[str],
    top: int,
) -> tuple[Suggestion, ...]:
    """The first `top` diagnoses by probability, `OTHER` left out unless it is all there is."""
    order = _order(proba)
    listed = [k for k in order if codes[k] != OTHER] or order
    return tuple(
        Suggestion(
            rank=rank,
            diagnosis=str(codes[k]),
            name=words.diagnosis_name(str(codes[k])),
            probability=float(proba[k]),
            in_set=str(codes[k]) in in_set,
            must_not_miss=codes[k] in words.must_not_miss,
        )
        for rank, k in enumerate(listed[:top], start=1)
    )


def _order(proba: npt.NDArray[np.float64]) -> list[int]:
    """Positions of the diagnoses, most probable first; of equals the first, and the codes are sorted."""
    order: list[int] = np.argsort(-proba, kind="stable").tolist()
    return order
