"""Encoded cases and a model -> what the model has learned for one diagnosis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.stats import spearmanr

from diagnosis.explanation.global_evidence import Direction, GlobalEvidence, GlobalFinding, name_of
from diagnosis.explanation.observed import observed_cells
from diagnosis.explanation.rivals import against_rivals
from diagnosis.explanation.sharing import sharing_groups
from diagnosis.explanation.stability import Stability
from diagnosis.features import EARLIER, FindingEncoder
from diagnosis.models.protocol import Model
from diagnosis.models.scale import Scale

if TYPE_CHECKING:
    from diagnosis.records import Records
    from diagnosis.vocabulary import Vocabulary

__all__ = ["ByFinding", "by_finding", "global_evidence_of", "importance_of"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# A correlation of value and contribution that is called a direction.
_CLEAR = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class ByFinding:
    """Contributions by the encoder's findings, those of findings that a case does not record in one number.

    Parameters
    ----------
    base, unrecorded : ndarray of shape (n_cases,), nats
    contributions : ndarray of shape (n_cases, n_keys), nats
    """

    base: FloatArray
    contributions: FloatArray
    unrecorded: FloatArray


def by_finding(
    records: Records,
    X: sparse.csr_matrix,
    encoder: FindingEncoder,
    model: Model,
    scale: Scale,
    target: int,
    rivals: IntArray,
    top: int,
) -> ByFinding:
    """Take one diagnosis apart in many cases, as a page would in each: by recorded finding, against its rivals.

    What a case has through a hierarchy is credited to the findings it comes from, what a finding was over time to the
    finding where the case records it.
    """
    lineage = encoder.lineage_
    found = against_rivals(X, model, scale, target, rivals, lineage.finding, len(lineage.keys), top)
    credited, place = found.by_key.copy(), {str(key): i for i, key in enumerate(lineage.keys.tolist())}
    there = encoder.recorded(records).toarray().astype(bool)
    own = {str(lineage.keys[i]): i for i in np.flatnonzero(~lineage.context).tolist()}
    for case, sources in enumerate(encoder.inherited(records)):
        for key, from_ in sources.items():
            at, known = own[key], [own[one] for one in from_ if one in own]
            for one in known:
                credited[case, one] += credited[case, at] / len(from_)
            credited[case, at] -= credited[case, at] * len(known) / len(from_)
    for at in np.flatnonzero(lineage.history).tolist():
        now = place.get(str(lineage.keys[at]).removeprefix(EARLIER))
        if now is not None and not lineage.context[now]:
            both = there[:, at] & there[:, now]
            credited[both, now] += credited[both, at]
            credited[both, at] = 0.0
    rest = np.where(there, 0.0, credited).sum(axis=1)
    return ByFinding(found.base, np.where(there, credited, 0.0), rest)


def importance_of(found: ByFinding) -> FloatArray:
    """Mean absolute contribution over all cases, shape (n_keys,)."""
    mean: FloatArray = np.abs(found.contributions).mean(axis=0)
    return mean


def global_evidence_of(
    records: Records,
    X: sparse.csr_matrix,
    encoder: FindingEncoder,
    found: ByFinding,
    diagnosis: str,
    words: Vocabulary,
    *,
    training: tuple[Records, sparse.csr_matrix] | None = None,
    stability: Stability | None = None,
) -> GlobalEvidence:
    """Put together what a model has learned for a diagnosis.

    Parameters
    ----------
    records, X
        The cases it is looked at in, and their rows.
    found : ByFinding
        Of these cases.
    training : records and rows, optional
        The cases in which findings are grouped; the same when not given.
    stability : Stability, optional
    """
    cells = observed_cells(records, encoder, X)
    recorded = np.array([[one is not None for one in row] for row in cells], dtype=bool)
    there = np.flatnonzero(recorded.any(axis=0) | (found.contributions != 0).any(axis=0))
    order = there[np.argsort(-importance_of(found)[there], kind="stable")]
    grouped_in = cells if training is None else observed_cells(training[0], encoder, training[1])
    groups = sharing_groups(grouped_in[:, order])
    made = [
        _finding(encoder, words, int(at), cells[:, at], found.contributions[:, at], int(group), stability)
        for at, group in zip(order.tolist(), groups.tolist(), strict=True)
    ]
    return GlobalEvidence(
        diagnosis=diagnosis,
        name=words.diagnosis_name(diagnosis),
        findings=tuple(made),
        contributions=found.contributions[:, order],
        cells=cells[:, order],
        base=found.base,
        unrecorded=found.unrecorded,
        stability=stability,
    )


def _finding(
    encoder: FindingEncoder,
    words: Vocabulary,
    at: int,
    cells: npt.NDArray[np.object_],
    added: FloatArray,
    group: int,
    stability: Stability | None,
) -> GlobalFinding:
    lineage = encoder.lineage_
    key, subject = str(lineage.keys[at]), lineage.key_subject[at]
    there = np.array([one is not None for one in cells], dtype=bool)
    numbers = np.array([isinstance(one, float) for one in cells], dtype=bool)
    absent = cells == "absent"
    present = there & ~absent & (cells != "uncertain") & ~numbers
    if lineage.context[at]:  # a word of the context is no finding that is present
        present = absent = np.zeros(len(cells), bool)
    with_value = _correlation(cells[numbers].astype(np.float64), added[numbers])
    when = tuple(float(added[one].mean()) if one.any() else None for one in (present, absent))
    name = words.name(str(lineage.key_code[at])) if not lineage.context[at] else name_of(key, words, "en") or key
    return GlobalFinding(
        code=key,
        name=f"{name} ({subject})" if subject and not lineage.context[at] else name,
        unit="a" if key == "age" and lineage.context[at] else _unit(encoder, key),
        importance=float(np.abs(added).mean()),
        n_recorded=int(there.sum()),
        direction=_direction(with_value, *when),
        when_present=when[0],
        when_absent=when[1],
        with_value=with_value,
        group=group,
        in_top_ten=None if stability is None else stability.in_top_ten.get(key),
    )


def _unit(encoder: FindingEncoder, key: str) -> str | None:
    return encoder.values_[key].unit if key in encoder.values_ else None


def _correlation(values: FloatArray, added: FloatArray) -> float | None:
    if len(values) < 3 or values.std() == 0 or added.std() < 1e-12:
        return None
    return float(spearmanr(values, added).statistic)


def _direction(with_value: float | None, present: float | None, absent: float | None) -> Direction:
    if with_value is not None:
        return "mixed" if abs(with_value) < _CLEAR else "higher for" if with_value > 0 else "lower for"
    # The state that speaks louder gives the direction its words.
    if present is not None and (absent is None or present * absent <= 0 or abs(present) >= abs(absent)):
        return "mixed" if present == 0 else "for" if present > 0 else "against"
    return "mixed" if not absent else "absent for" if absent > 0 else "absent against"
