"""Findings that give the diagnosis away: by its name, or alone and almost always."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diagnosis.evaluation.suspicion import Suspicion

if TYPE_CHECKING:
    from diagnosis.records.coded import CodedFindings
    from diagnosis.records.records import Records
    from diagnosis.vocabulary import Vocabulary
    from diagnosis.vocabulary.terms import Term

__all__ = ["names_diagnosis", "one_finding_rules"]

_LEAST_SHARE = 0.5
_LEAST_CASES = 20
_LEAST_PRECISION = 0.98
_LARGEST_PRIOR = 0.5
_OF_OTHERS = frozenset({"family_history", "exposure"})


def names_diagnosis(records: Records, labels: NDArray[np.object_]) -> list[Suspicion]:
    """Find present findings of the patient that carry the name of the case's own diagnosis.

    Any code, name or synonym of the finding, in any language, against any of the diagnosis; width, case and
    punctuation do not matter. It counts when they are equal, when the finding holds the whole diagnosis ("known
    asthma"), or when it is at least half of it ("bronchitis" in "acute bronchitis"). Family history and exposure do
    not count: they speak of somebody else's disease.

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
    pairs, n = _counted(_pairs(coded, label))
    finding_words = {c: _finding_words(words, coded.codes[c]) for c in np.unique(pairs[:, 0]).tolist()}
    diagnosis_words = [_forms(d, words.diagnoses.get(d)) for d in diagnoses]
    found = []
    for (code, k), cases in zip(pairs.tolist(), n.tolist(), strict=True):
        how = _likeness(finding_words[code], diagnosis_words[k])
        if how is None:
            continue
        share = cases / int(per_diagnosis[k])
        finding, diagnosis = str(coded.codes[code]), str(diagnoses[k])
        says = (
            f"The finding “{words.name(finding)}” {how} the diagnosis “{words.diagnosis_name(diagnosis)}” and is "
            f"present in {cases:,} of its {int(per_diagnosis[k]):,} cases ({share:.0%}): it may have been written down "
            "after the diagnosis was made."
        )
        found.append(Suspicion("names_diagnosis", says, cases, share, finding, diagnosis))
    return sorted(found, key=lambda s: (-s.n, s.code or "", s.diagnosis or ""))


def one_finding_rules(records: Records, labels: NDArray[np.object_]) -> list[Suspicion]:
    """Find single present findings that settle the diagnosis almost alone.

    Present in at least 20 cases, at least 98 % of them of one diagnosis, which is no more than half of all cases.
    Such a finding is either pathognomonic or the diagnosis in another form.

    Returns
    -------
    list of Suspicion
        Most cases first; `share` is the share of that diagnosis among the cases with the finding.
    """
    coded, words = records.coded, records.vocabulary
    diagnoses, label = np.unique(labels, return_inverse=True)
    prior = np.bincount(label) / len(label)
    pairs, n = _counted(_pairs(coded, label))
    total = np.bincount(pairs[:, 0], n, minlength=len(coded.codes))
    found = []
    for (code, k), cases in zip(pairs.tolist(), n.tolist(), strict=True):
        precision = cases / total[code]
        if total[code] < _LEAST_CASES or precision < _LEAST_PRECISION or prior[k] >= _LARGEST_PRIOR:
            continue
        finding, diagnosis = str(coded.codes[code]), str(diagnoses[k])
        says = (
            f"Of the {int(total[code]):,} cases with “{words.name(finding)}”, {precision:.0%} have "
            f"“{words.diagnosis_name(diagnosis)}” ({prior[k]:.0%} of all cases): either it proves the diagnosis, or it "
            "was recorded because of it."
        )
        found.append(Suspicion("one_finding_rule", says, int(total[code]), float(precision), finding, diagnosis))
    return sorted(found, key=lambda s: (-s.n, s.code or ""))


def _pairs(coded: CodedFindings, label: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return (code, label) once a case in which the patient has the finding present, shape (n_pairs, 2)."""
    rows = np.flatnonzero((coded.status == 0) & (coded.subject < 0))
    width = max(len(coded.codes), 1)
    keys = np.unique(coded.case[rows].astype(np.int64) * width + coded.code[rows])
    return np.column_stack([keys % width, label[keys // width]]).astype(np.int64)


def _counted(pairs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct pairs and how often each occurs."""
    width = int(pairs[:, 1].max(initial=0)) + 1
    keys, n = np.unique(pairs[:, 0] * width + pairs[:, 1], return_counts=True)
    return np.column_stack([keys // width, keys % width]), n


def _finding_words(words: Vocabulary, code: str) -> frozenset[str]:
    return frozenset() if words.kind(code) in _OF_OTHERS else _forms(code, words.findings.get(code))


def _forms(code: str, term: Term | None) -> frozenset[str]:
    named: Iterable[str] = () if term is None else (*term.names.values(), *term.synonyms)
    return frozenset(filter(None, map(_plain, (code, *named))))


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", text).casefold()).strip()


def _likeness(finding: frozenset[str], diagnosis: frozenset[str]) -> str | None:
    if finding & diagnosis:
        return "is named like"
    for a in sorted(finding):
        for b in sorted(diagnosis):
            if _within(b, a):
                return "holds the name of"
            if len(a) >= _LEAST_SHARE * len(b) and _within(a, b):
                return "is part of the name of"
    return None


def _within(part: str, whole: str) -> bool:
    """Whole words where letters are written apart; never codes with digits, which may share a stem by accident."""
    if len(part) < 2 or part not in whole or any(c.isdigit() for c in part):
        return False
    return not part.isascii() or (len(part) >= 4 and f" {part} " in f" {whole} ")
