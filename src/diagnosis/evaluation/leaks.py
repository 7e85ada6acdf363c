"""Findings that give the diagnosis away by its name, in their code or in their text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diagnosis.evaluation.naming import diagnosis_words, finding_words, likeness, tells_in_text
from diagnosis.evaluation.suspicion import Suspicion
from diagnosis.records.arrays import distinct

if TYPE_CHECKING:
    from diagnosis.records.coded import CodedFindings
    from diagnosis.records.records import Records

__all__ = ["counted_pairs", "names_diagnosis", "present_pairs", "text_names_diagnosis"]

_LEAST_LIFT = 1.5


def names_diagnosis(records: Records, labels: NDArray[np.object_]) -> list[Suspicion]:
    """Find present findings of the patient that carry the name of the case's own diagnosis.

    Code, names and synonyms of the finding, in any language, against those of the diagnosis, its parents and children;
    width, case and punctuation do not matter. What counts for which kind of finding is said at `likeness`. A finding
    that other diagnoses' cases have as often is none: it tells nothing.

    Parameters
    ----------
    records : Records of n cases
    labels : ndarray of shape (n,), object
        The diagnosis of each case.

    Returns
    -------
    list of Suspicion
        One a finding and diagnosis, most cases first; `share` is of the cases of that diagnosis.
    """
    coded, words = records.coded, records.vocabulary
    diagnoses, label = np.unique(labels, return_inverse=True)
    per_diagnosis = np.bincount(label)
    pairs, n = counted_pairs(present_pairs(coded, label))
    total = np.bincount(pairs[:, 0], n, minlength=len(coded.codes))
    spoken = {c: finding_words(words, str(coded.codes[c])) for c in np.unique(pairs[:, 0]).tolist()}
    named = [diagnosis_words(words, str(d)) for d in diagnoses]
    found = []
    for (code, k), cases in zip(pairs.tolist(), n.tolist(), strict=True):
        how = likeness(spoken[code], named[k])
        if how is None or not _telling(cases, per_diagnosis[k], total[code], len(label)):
            continue
        share = cases / int(per_diagnosis[k])
        finding, diagnosis = str(coded.codes[code]), str(diagnoses[k])
        says = (
            f"The finding “{words.name(finding)}” {how} the diagnosis “{words.diagnosis_name(diagnosis)}” and is "
            f"present in {cases:,} of its {int(per_diagnosis[k]):,} cases ({share:.0%}): it may have been written down "
            "after the diagnosis was made."
        )
        found.append(Suspicion("names_diagnosis", says, cases, share, finding, diagnosis))
    found += text_names_diagnosis(records, labels)
    return sorted(found, key=lambda s: (-s.n, s.code or "", s.diagnosis or ""))


def text_names_diagnosis(records: Records, labels: NDArray[np.object_]) -> list[Suspicion]:
    """Find findings whose text is the name of the case's own diagnosis; `n` counts cases, one line a finding's code."""
    coded, words = records.coded, records.vocabulary
    diagnoses, label = np.unique(labels, return_inverse=True)
    rows = np.flatnonzero((coded.text >= 0) & (coded.status == 0) & (coded.subject < 0))
    if not len(rows):
        return []
    named = [diagnosis_words(words, str(d)) for d in diagnoses]
    cells = np.column_stack([coded.code[rows], coded.text[rows], label[coded.case[rows]]])
    kinds, which = np.unique(cells, axis=0, return_inverse=True)
    tells = np.array(
        [tells_in_text(str(coded.texts[t]), words.kind(str(coded.codes[c])), named[k]) for c, t, k in kinds.tolist()]
    )
    hit = rows[tells[which.ravel()]]
    found = []
    for code in np.unique(coded.code[hit]).tolist():
        n = len(np.unique(coded.case[hit[coded.code[hit] == code]]))
        says = (
            f"The text of “{words.name(str(coded.codes[code]))}” is the name of the case's own diagnosis in {n:,} of "
            f"{len(records):,} cases ({n / len(records):.1%}): the answer stands among the findings."
        )
        found.append(Suspicion("names_diagnosis", says, n, n / len(records), str(coded.codes[code])))
    return found


def present_pairs(coded: CodedFindings, label: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return (code, label) once a case in which the patient has the finding present, shape (n_pairs, 2)."""
    rows = np.flatnonzero((coded.status == 0) & (coded.subject < 0))
    width = max(len(coded.codes), 1)
    keys = distinct(coded.case[rows].astype(np.int64) * width + coded.code[rows])
    return np.column_stack([keys % width, label[keys // width]]).astype(np.int64)


def counted_pairs(pairs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct pairs and how often each occurs."""
    width = int(pairs[:, 1].max(initial=0)) + 1
    keys, n = np.unique(pairs[:, 0] * width + pairs[:, 1], return_counts=True)
    return np.column_stack([keys // width, keys % width]), n


def _telling(n: int, n_diagnosis: int, n_finding: float, n_cases: int) -> bool:
    """Whether the finding is more frequent with the diagnosis than without it."""
    others = n_cases - n_diagnosis
    return others == 0 or n / n_diagnosis > _LEAST_LIFT * (n_finding - n) / others
