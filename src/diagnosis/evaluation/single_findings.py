"""Single findings that do a model's work alone: rules, treatments, and results next to the reference standard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diagnosis.evaluation.leaks import counted_pairs, present_pairs
from diagnosis.evaluation.one_variable import cells_of, gain_of
from diagnosis.evaluation.suspicion import Suspicion

if TYPE_CHECKING:
    from diagnosis.records.records import Records

__all__ = ["one_finding_rules", "reference_results", "treatment_codes"]

_LEAST_CASES = 40
_LEAST_PRECISION = 0.98
_LEAST_RECALL = 0.25
_LARGEST_PRIOR = 0.5

_LEAST_TREATED = 10
_LEAST_LIFT = 3.0
_TREATMENT_KINDS = frozenset({"medication", "procedure", "treatment"})
_TREATMENT_SYSTEMS = frozenset(
    {"ATC", "RXNORM", "NDC", "CVX", "CPT", "CPT4", "HCPCS", "ICD10PCS", "ICD-10-PCS", "ICD9PROC", "ICD-9-PCS"}
)
_TREATMENT_WORDS = ("treatment", "treated with", "therapy", "prescribed", "antibiotic", "infusion of", "transfusion")
_TREATMENT_SIGNS = ("治疗", "输液", "抗生素", "化疗", "放疗", "处方")

_LEAST_RESULTS = 100
_LEAST_DONE, _MOST_DONE = 0.2, 0.8
_LEAST_EXPLAINED = 0.12
_RESULT_PHASES = frozenset({"laboratory", "imaging", "pathology"})
_RESULT_KINDS = frozenset({"laboratory", "microbiology", "imaging", "pathology", "genetic"})


def one_finding_rules(records: Records, labels: NDArray[np.object_]) -> list[Suspicion]:
    """Find single present findings that settle the diagnosis almost alone.

    Present in at least 40 cases, at least 98 % of them of one diagnosis, which is no more than half of all cases, and
    in at least a quarter of that diagnosis' cases. Such a finding is either pathognomonic or the diagnosis in another
    form; one that only few cases of the diagnosis have carries no figure and is left alone.

    Returns
    -------
    list of Suspicion
        Most cases first; `share` is the share of that diagnosis among the cases with the finding.
    """
    coded, words = records.coded, records.vocabulary
    diagnoses, label = np.unique(labels, return_inverse=True)
    per_diagnosis = np.bincount(label)
    prior = per_diagnosis / len(label)
    pairs, n = counted_pairs(present_pairs(coded, label))
    total = np.bincount(pairs[:, 0], n, minlength=len(coded.codes))[pairs[:, 0]]
    of = per_diagnosis[pairs[:, 1]]
    settles = (total >= _LEAST_CASES) & (n >= _LEAST_PRECISION * total) & (n >= _LEAST_RECALL * of)
    found = []
    for i in np.flatnonzero(settles & (prior[pairs[:, 1]] < _LARGEST_PRIOR)).tolist():
        code, k = pairs[i].tolist()
        finding, diagnosis, precision = str(coded.codes[code]), str(diagnoses[k]), float(n[i] / total[i])
        says = (
            f"Of the {int(total[i]):,} cases with “{words.name(finding)}”, {precision:.0%} have "
            f"“{words.diagnosis_name(diagnosis)}” ({prior[k]:.0%} of all cases, {n[i] / of[i]:.0%} of which have the "
            "finding): either it proves the diagnosis, or it was recorded because of it."
        )
        found.append(Suspicion("one_finding_rule", says, int(total[i]), precision, finding, diagnosis))
    return sorted(found, key=lambda s: (-s.n, s.code or ""))


def treatment_codes(records: Records, labels: NDArray[np.object_]) -> list[Suspicion]:
    """Find treatments among the findings that go with one diagnosis: given because it was made already.

    A treatment is what the vocabulary calls a medication or procedure, what a coding system of drugs or procedures
    codes, and, where no kind is declared, what is named like one. It counts where at least 10 cases have it and one
    diagnosis is 3 times as frequent among them as among all; what the patient takes anyway goes with none.

    Returns
    -------
    list of Suspicion
        Most cases first; `share` is the share of that diagnosis among the cases with the treatment.
    """
    coded, words = records.coded, records.vocabulary
    diagnoses, label = np.unique(labels, return_inverse=True)
    prior = np.bincount(label) / len(label)
    pairs, n = counted_pairs(present_pairs(coded, label))
    total = np.bincount(pairs[:, 0], n, minlength=len(coded.codes))
    found = []
    for code in np.unique(pairs[:, 0]).tolist():
        finding = str(coded.codes[code])
        if total[code] < _LEAST_TREATED or not _is_treatment(records, finding):
            continue
        own = np.flatnonzero(pairs[:, 0] == code)
        best = own[n[own].argmax()]
        k, share = int(pairs[best, 1]), float(n[best] / total[code])
        if share < _LEAST_LIFT * prior[k] and not (share > 0.95 > prior[k]):
            continue
        says = (
            f"“{words.name(finding)}” is a treatment, and {share:.0%} of the {int(total[code]):,} cases with it have "
            f"“{words.diagnosis_name(str(diagnoses[k]))}” ({prior[k]:.0%} of all cases): it may have been given "
            "because the diagnosis was made already."
        )
        found.append(Suspicion("treatment", says, int(total[code]), share, finding, str(diagnoses[k])))
    return sorted(found, key=lambda s: (-s.n, s.code or ""))


def _is_treatment(records: Records, code: str) -> bool:
    words = records.vocabulary
    term, kind = words.findings.get(code), words.kind(code)
    system = str(term.fields.get("system", "")) if term else ""
    if kind in _TREATMENT_KINDS or {system.upper(), code.partition(":")[0].upper()} & _TREATMENT_SYSTEMS:
        return True
    name = words.name(code).casefold()
    return kind is None and (any(w in name for w in _TREATMENT_WORDS) or any(w in name for w in _TREATMENT_SIGNS))


def reference_results(records: Records, labels: NDArray[np.object_], *, seed: int = 0) -> list[Suspicion]:
    """Find results of which the diagnosis may be another reading: done in some cases, and there nearly the answer.

    A result is a finding of a laboratory, imaging or pathology kind or phase; where neither is declared, one with a
    value or text. It counts where it was done in 20 to 80 % of cases (100 at least) and explains at least 12 % of what
    is uncertain about the diagnosis of these (cross-validated log-loss against the prior). Whether the diagnosis was
    made by that very examination is for a person to say: incorporation bias, item 3 of domain 4 of QUADAS-2
    (Whiting et al., Annals of Internal Medicine 155:529, 2011).

    Returns
    -------
    list of Suspicion
        Strongest first; `n` and `share` are of the cases in which it was done.
    """
    coded, words = records.coded, records.vocabulary
    label = np.unique(labels, return_inverse=True)[1]
    done = np.flatnonzero(coded.latest & (coded.subject < 0))
    often = np.bincount(coded.code[done], minlength=len(coded.codes))
    low, high = max(_LEAST_RESULTS, _LEAST_DONE * len(records)), _MOST_DONE * len(records)
    found = []
    for code in np.flatnonzero((often >= low) & (often <= high)).tolist():
        rows = done[coded.code[done] == code]
        finding = str(coded.codes[code])
        if not _is_result(records, finding, rows):
            continue
        gain = gain_of(cells_of(coded, rows), label[coded.case[rows]], seed)
        if gain < _LEAST_EXPLAINED:
            continue
        share = len(rows) / len(records)
        says = (
            f"“{words.name(finding)}” was done in {len(rows):,} of {len(records):,} cases ({share:.0%}) and alone "
            f"explains {gain:.0%} of what is uncertain about their diagnosis: if the diagnosis was made by this "
            "examination or one beside it, the figures do not hold for whoever has not had it."
        )
        found.append((gain, Suspicion("reference_standard", says, len(rows), share, finding)))
    return [s for _, s in sorted(found, key=lambda pair: (-pair[0], pair[1].code or ""))]


def _is_result(records: Records, code: str, rows: NDArray[np.int64]) -> bool:
    words, coded = records.vocabulary, records.coded
    kind, phase = words.kind(code), words.phase(code)
    if kind is not None or phase is not None:
        return kind in _RESULT_KINDS or phase in _RESULT_PHASES
    which, names = records.finding_words("phase", rows)
    if (which >= 0).any():
        return bool(np.isin(names[which[which >= 0]].astype(str), list(_RESULT_PHASES)).mean() > 0.5)
    return bool((~np.isnan(coded.value[rows]) | (coded.text[rows] >= 0)).mean() > 0.5)
