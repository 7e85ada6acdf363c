"""`read_ddxplus`: a release of DDXPlus as records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from diagnosis.errors import InputError, nearest
from diagnosis.readers.ddxplus.account import account_of, errors_of, refusal, set_aside, warnings_of
from diagnosis.readers.ddxplus.assembly import assemble
from diagnosis.readers.ddxplus.codebook import Codebook
from diagnosis.readers.ddxplus.files import CONDITIONS, EVIDENCES, find_sources
from diagnosis.readers.ddxplus.findings import Meaning, Options, Unlisted, findings_of
from diagnosis.readers.ddxplus.json_files import read_json
from diagnosis.readers.ddxplus.patient_files import PatientFile
from diagnosis.readers.ddxplus.questions import questions_of
from diagnosis.readers.ddxplus.words import Conditions
from diagnosis.records import Records
from diagnosis.records.loading import OnError

__all__ = ["Lang", "checked_meaning", "read_ddxplus"]

Lang = Literal["en", "fr"]

_INFO: Mapping[str, Any] = {
    "synthetic": True,
    "source": "DDXPlus (Fansi Tchango, Goel, Wen, Martel, Ghosn; NeurIPS 2022, Datasets and Benchmarks)",
    "licence": "CC-BY",
}


def read_ddxplus(
    path: str | Path,
    *,
    unlisted: Unlisted = "absent",
    options: Options = "named",
    lang: Lang = "en",
    encoding: str | None = None,
    on_error: OnError = "raise",
    quarantine: str | Path | None = None,
) -> Records:
    """Read a release of DDXPlus, French or English.

    A patient is a case. An evidence is a finding of the same code; each option that is named of a multi-choice evidence
    is one more, coded ``EVIDENCE_@_OPTION``. The default answer ("nothing") is *absent*; an answer from 0 to 10 is a
    value, other categorical answers are a text. The initial evidence is the chief complaint (`phase`
    ``chief_complaint``, `elicited` ``volunteered``); everything else was asked.

    The generator answers every question that comes up and lists what is not the default, so what is not listed is
    *absent*. A question whose parent is denied (where the pain is, without pain) does not come up: *unrecorded*, also
    where the row lists the default for it. Nothing is *uncertain*.

    Parameters
    ----------
    path : path
        A folder with the released names (``release_train_patients``, ``release_validate_patients``,
        ``release_test_patients``, each as ``.csv``, ``.zip`` or without an extension), all of which are read, or one
        file of patients; ``release_evidences.json`` and ``release_conditions.json`` beside them. `group` of a case is
        the file it stands in: ``train``, ``validate``, ``test``.
    unlisted : {"absent", "unrecorded"}
        What a question that came up and is not listed means.
    options : {"named", "all"}
        Options of an answered multi-choice question that are not named: *unrecorded*, for the question was asked and
        not each of them; or *absent*. ``"all"`` adds some 340 rows to a patient in pain (of 164 places where it may be,
        and as many where it may spread to), which say once more that the question was answered.
    lang : {"en", "fr"}
        Language of the texts of categorical answers. Names and questions come in both.
    encoding : str, optional
        Of the patients, where it is not UTF-8.
    on_error : {"raise", "quarantine"}
        Refuse a set with bad rows, with one report of all of them; or set those rows aside and load the rest.
    quarantine : path, optional
        File for the rows set aside, with their reasons.

    Returns
    -------
    Records
        With the reference lists in `differential`, ICD-10 codes and severity in `diagnoses` (under 3, what the authors
        call severe, is `must_not_miss`), and the hierarchy of questions in `vocabulary`.

    Raises
    ------
    InputError
        A file is missing or cannot be read at all.
    RecordsError
        Bad rows, with ``on_error="raise"``.
    """
    meaning = checked_meaning(unlisted, options, lang)
    _check_choice("on_error", on_error, ("raise", "quarantine"))
    sources, folder = find_sources(path)
    book = Codebook.of(questions_of(read_json(folder / EVIDENCES, "evidences")))
    conditions = Conditions.of(read_json(folder / CONDITIONS, "conditions"))
    files = [PatientFile(source, on_error == "quarantine" and quarantine is not None) for source in sources]
    answers = (part for file in files for part in file.answers(encoding, book, conditions.codes))
    found = findings_of(answers, book, meaning)
    errors = [problem for file in files for problem in errors_of(file)]
    if errors and on_error == "raise":
        raise refusal(errors, files)
    cases = pa.concat_tables([file.cases() for file in files])
    return assemble(
        cases,
        found,
        book,
        conditions,
        _INFO,
        problems=(*errors, *warnings_of(files, found), *account_of(files, cases, found)),
        read=sum(file.count.read for file in files),
        quarantine=set_aside(files, quarantine) if errors and quarantine is not None else None,
    )


def checked_meaning(unlisted: Unlisted, options: Options, lang: Lang) -> Meaning:
    """How answers are to be taken; refused where a word is not one of those allowed."""
    _check_choice("unlisted", unlisted, ("absent", "unrecorded"))
    _check_choice("options", options, ("named", "all"))
    _check_choice("lang", lang, ("en", "fr"))
    return Meaning(unlisted, options, lang)


def _check_choice(name: str, given: object, allowed: Sequence[str]) -> None:
    if given not in allowed:
        near = nearest(given, allowed) if isinstance(given, str) else ()
        raise InputError(f"{name} is one of {', '.join(allowed)}", f"found {given!r}", "use one of these", near=near)
