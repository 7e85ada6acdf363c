"""`sample_ddxplus`: as many patients as wanted, drawn from the tables of probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.errors import InputError
from diagnosis.readers.ddxplus.assembly import assemble
from diagnosis.readers.ddxplus.codebook import Codebook
from diagnosis.readers.ddxplus.drawing import complaints, draw_patients
from diagnosis.readers.ddxplus.files import CONDITIONS, EVIDENCES
from diagnosis.readers.ddxplus.findings import Options, Unlisted, findings_of
from diagnosis.readers.ddxplus.json_files import read_json
from diagnosis.readers.ddxplus.patients import Answers
from diagnosis.readers.ddxplus.probabilities import Disease, diseases_of
from diagnosis.readers.ddxplus.questions import questions_of
from diagnosis.readers.ddxplus.reading import Lang, checked_meaning
from diagnosis.readers.ddxplus.words import Conditions
from diagnosis.records import Records

__all__ = ["sample_ddxplus"]

_INFO: Mapping[str, Any] = {
    "synthetic": True,
    "source": "drawn from P(evidence | disease) of the training set of DDXPlus (Fansi Tchango et al., NeurIPS 2022)",
}


def sample_ddxplus(
    conditional_probabilities: str | Path,
    n: int,
    seed: int = 0,
    *,
    evidences: str | Path | None = None,
    conditions: str | Path | None = None,
    unlisted: Unlisted = "absent",
    options: Options = "named",
    lang: Lang = "en",
) -> Records:
    """Draw patients of every disease from tables of P(answer | disease), in the shape `read_ddxplus` gives.

    Diseases come in the shares that the tables state. Given the disease, a question is answered independently of the
    others, except that it comes up only where its parent holds. The initial evidence is any of the binary symptoms the
    patient has, each as likely. *Present*, *absent* and *unrecorded* are as in `read_ddxplus`.

    The tables say nothing of age and sex, so these are missing; and nothing of the reference lists, which a rule-based
    system made, so `differential` is missing: a posterior from the tables is another list. Of a multi-choice question
    they count one option a patient, from which the others are reconstructed.

    Parameters
    ----------
    conditional_probabilities : path
        JSON: ``{disease: {"prior": share, "findings": {evidence: share or {value: share}}}}``.
    n : int
        Number of patients.
    seed : int
        The same seed gives the same patients.
    evidences, conditions : path, optional
        ``release_evidences.json`` and ``release_conditions.json``; beside the tables if not given.
    unlisted, options, lang
        As for `read_ddxplus`.

    Returns
    -------
    Records

    Raises
    ------
    InputError
        A file is missing or does not fit the others.
    """
    meaning = checked_meaning(unlisted, options, lang)
    for name, number, least in (("n", n, 1), ("seed", seed, 0)):
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < least:
            raise InputError(f"{name} as a whole number of at least {least}", f"found {number!r}", "give one")
    tables = Path(conditional_probabilities)
    book = Codebook.of(questions_of(read_json(Path(evidences or tables.parent / EVIDENCES), "evidences")))
    words = Conditions.of(read_json(Path(conditions or tables.parent / CONDITIONS), "conditions"))
    diseases = diseases_of(read_json(tables, "diseases"), book, words.codes)
    rng = np.random.default_rng(seed)
    priors = np.array([one.prior for one in diseases])
    which = rng.choice(len(diseases), size=int(n), p=priors / priors.sum())
    found = findings_of([_answers(which, diseases, book, rng)], book, meaning)
    codes = pa.array([one.code for one in diseases], pa.string())
    cases = {
        "case_id": pc.binary_join_element_wise("sampled", pa.array(np.arange(1, n + 1)).cast(pa.string()), "-"),
        "diagnosis": pa.DictionaryArray.from_arrays(pa.array(which.astype(np.int32)), codes),
    }
    return assemble(pa.table(cases), found, book, words, _INFO)


def _answers(
    which: npt.NDArray[np.int64], diseases: tuple[Disease, ...], book: Codebook, rng: np.random.Generator
) -> Answers:
    cases, tokens = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
    for i, disease in enumerate(diseases):
        rows = np.flatnonzero(which == i).astype(np.int32)
        case, token = draw_patients(disease, len(rows), book, rng)
        cases.append(rows[case])
        tokens.append(token)
    case, token = np.concatenate(cases), np.concatenate(tokens)
    order = np.argsort(case.astype(np.int64) * len(book.tokens) + token)
    case, token = case[order], token[order]
    return Answers(len(which), case, token, _initial(len(which), case, token, book, rng))


def _initial(
    n: int,
    case: npt.NDArray[np.int32],
    token: npt.NDArray[np.int32],
    book: Codebook,
    rng: np.random.Generator,
) -> npt.NDArray[np.int32]:
    """One binary symptom of each patient, each as likely; -1 where there is none."""
    some = np.flatnonzero(complaints(book)[token])
    order = some[np.lexsort((rng.random(len(some)), case[some]))]
    first = order[np.diff(case[order], prepend=-1) != 0]
    initial = np.full(n, -1, np.int32)
    initial[case[first]] = token[first]
    return initial
