"""Which findings may be asked for in a case: not recorded, of a phase that is asked for, fit for the patient."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from diagnosis.errors import InputError, nearest
from diagnosis.explanation.answered_rows import Answers
from diagnosis.explanation.next_questions import AnswerSheet
from diagnosis.explanation.observed import value_of
from diagnosis.features import FindingEncoder, Lineage
from diagnosis.records import TABLES, Records
from diagnosis.suggestions.answer_table import GROUPED_BY
from diagnosis.suggestions.policy import groups_of_cases

if TYPE_CHECKING:
    from diagnosis.suggestions.diagnoser import Diagnoser
    from diagnosis.vocabulary import Vocabulary

__all__ = [
    "TESTS",
    "WITHOUT_TESTS",
    "Askable",
    "Measured",
    "askable",
    "fit_for",
    "measured_cells",
    "phase_of",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

WITHOUT_TESTS = ("history", "examination", "bedside")
TESTS = ("laboratory", "imaging", "pathology")
_PHASES = {
    **dict.fromkeys(("symptom", "history", "family_history", "social", "exposure", "medication"), "history"),
    "sign": "examination",
    "vital": "bedside",
    **dict.fromkeys(("laboratory", "microbiology"), "laboratory"),
    "imaging": "imaging",
    **dict.fromkeys(("pathology", "genetic"), "pathology"),
}
# In a group of fewer training cases, that none was asked says little.
_LEAST_GROUP = 50


@dataclass(frozen=True, slots=True, eq=False)
class Askable:
    """What a diagnoser can ask for, worked out once.

    Parameters
    ----------
    sheet : AnswerSheet
    phase : ndarray of object, shape (n_keys,)
        When in a visit the finding is had; None: it can not be asked for.
    invasive : ndarray of bool, shape (n_keys,)
    cost : ndarray of shape (n_keys,)
        1 where the vocabulary states none.
    columns : list of ndarray of int64
        The columns of each finding.
    code : dict of str to int
        Place of each of the patient's own findings by its code.
    question : ndarray of int64, shape (n_keys,)
        Findings with the same number are answered together: the vocabulary asks for them in the same words.
    """

    sheet: AnswerSheet
    phase: npt.NDArray[np.object_]
    invasive: npt.NDArray[np.bool_]
    cost: FloatArray
    columns: list[IntArray]
    code: dict[str, int]
    question: IntArray


_KNOWN: WeakKeyDictionary[FindingEncoder, Askable] = WeakKeyDictionary()


def askable(diagnoser: Diagnoser) -> Askable:
    """Work out what a diagnoser can ask for; kept with its encoder.

    Raises
    ------
    InputError
        It was saved before answers were counted.
    """
    encoder, counts = diagnoser.encoder_, diagnoser.answers_
    if counts is None:
        raise InputError(
            "asked what to ask next",
            "this model was saved before answers were counted",
            "fit and save it again with this release",
        )
    if encoder not in _KNOWN:
        lineage, words = encoder.lineage_, diagnoser.vocabulary_
        sheet = AnswerSheet.of(lineage, counts)
        able = sheet.in_words | sheet.in_numbers
        codes = [str(code) for code in lineage.key_code]
        phases = [
            phase_of(words, code, measured=bool(sheet.in_numbers[i])) if able[i] else None
            for i, code in enumerate(codes)
        ]
        own = {codes[i]: i for i in np.flatnonzero(able).tolist() if lineage.key_subject[i] is None}
        order = np.argsort(lineage.finding, kind="stable")
        ends = np.searchsorted(lineage.finding[order], np.arange(len(codes) + 1))
        _KNOWN[encoder] = Askable(
            sheet,
            np.array(phases, dtype=object),
            np.array([_is_true(_field(words, code, "invasive")) for code in codes], dtype=bool),
            np.array([_cost(_field(words, code, "cost")) for code in codes]),
            [order[low:high].astype(np.int64) for low, high in pairwise(ends)],
            own,
            _together(lineage, words),
        )
    return _KNOWN[encoder]


def _together(lineage: Lineage, words: Vocabulary) -> IntArray:
    """Number the questions; a finding without one is a question of its own."""
    number: dict[tuple[str, str | None, str], int] = {}
    made = []
    for key, code, subject in zip(lineage.keys, lineage.key_code, lineage.key_subject, strict=True):
        asked = words.question(str(code))
        made.append(number.setdefault(("", None, str(key)) if asked is None else (asked, subject, ""), len(number)))
    return np.array(made, np.int64)


def phase_of(words: Vocabulary, code: str, *, measured: bool) -> str | None:
    """When in a visit a finding is had: as the vocabulary says, else by its kind; None: it is not to be asked for.

    Of a finding without either, a state counts as history and a measured value as a test.
    """
    said = _field(words, code, "askable")
    if said is not None and not _is_true(said):
        return None
    phase = words.phase(code)
    if phase in (*WITHOUT_TESTS, *TESTS):
        return phase
    if phase == "chief_complaint":
        return "history"
    return _PHASES.get(words.kind(code) or "", "laboratory" if measured else "history")


def fit_for(
    case: Records,
    diagnoser: Diagnoser,
    phases: Iterable[str],
    *,
    tests: bool,
    recorded: npt.NDArray[np.bool_],
) -> IntArray:
    """Return the findings that may be asked for in a case, by their place in `Lineage.keys`.

    Left out are those of other phases; tests unless asked for, and then the invasive ones all the same; imaging in
    pregnancy; what no training case of the patient's age band, sex or pregnancy has an answer to; and what a recorded
    finding answers: narrower than one that is absent, or broader than one that is present.

    Parameters
    ----------
    case : Records
        One case.
    recorded : ndarray of bool, shape (n_keys,)
    """
    asked = checked_phases(phases, tests=tests)
    able, counts = askable(diagnoser), diagnoser.answers_
    assert counts is not None
    fit = np.isin(able.phase.astype(str), asked) & ~recorded & ~able.invasive
    own = {name: one[0] for name, one in groups_of_cases(case, GROUPED_BY).items()}
    if own["pregnant"] == "yes":
        fit &= able.phase != "imaging"
    fit[_answered(case, able)] = False
    keys = np.flatnonzero(fit)
    groups = [f"{by}:{one}" for by, one in own.items() if one is not None]
    never = counts.never_in(groups, [able.columns[key] for key in keys.tolist()], _LEAST_GROUP)
    return keys[~never]


def checked_phases(phases: Iterable[str], *, tests: bool) -> list[str]:
    """Refuse a phase that is none; tests are left out unless asked for."""
    given = [phases] if isinstance(phases, str) else list(phases)
    for one in given:
        if one not in (*WITHOUT_TESTS, *TESTS):
            raise InputError(
                f"phases to ask in: {', '.join((*WITHOUT_TESTS, *TESTS))}",
                f"found {one!r}",
                "use some of these",
                near=nearest(str(one), (*WITHOUT_TESTS, *TESTS)),
            )
    return [*given, *(TESTS if tests else ())] if tests else [one for one in given if one in WITHOUT_TESTS]


def _answered(case: Records, able: Askable) -> list[int]:
    """Findings of the patient that follow from one that is recorded."""
    words, coded = case.vocabulary, case.coded
    own = np.flatnonzero(coded.latest & (coded.subject < 0))
    by_status = {s: {str(coded.codes[coded.code[i]]) for i in own if coded.status[i] == s} for s in (0, 1)}
    found = {able.code[above] for one in by_status[0] for above in words.ancestors(one) if above in able.code}
    if by_status[1]:
        below = (code for code in able.code if words.parents(code))
        found |= {able.code[code] for code in below if words.ancestors(code) & by_status[1]}
    return sorted(found)


class Measured:
    """The cells of measured values as one case would have them; those asked for before are kept.

    Values are rounded to a quarter of a standard deviation.
    """

    def __init__(self, case: Records, encoder: FindingEncoder) -> None:
        self._case, self._encoder = case, encoder
        self._cells: dict[tuple[int, int], Answers] = {}

    def __call__(self, keys: IntArray, scaled: FloatArray) -> Answers:
        """Return the cells of one value each."""
        asked = list(zip(keys.tolist(), np.round(scaled * 4).astype(int).tolist(), strict=True))
        if new := sorted(set(asked) - set(self._cells)):
            at = np.array(new, np.int64)
            made = measured_cells(self._case, self._encoder, at[:, 0], at[:, 1] / 4.0)
            self._cells |= {one: made[np.array([i])] for i, one in enumerate(new)}
        return Answers.together([self._cells[one] for one in asked])


def measured_cells(case: Records, encoder: FindingEncoder, keys: IntArray, scaled: FloatArray) -> Answers:
    """Encode measured values as the case would have them, with its own reference ranges; one answer each."""
    lineage: Lineage = encoder.lineage_
    scales = [encoder.values_[str(lineage.keys[key])] for key in keys.tolist()]
    columns: dict[str, list[Any]] = {
        "code": [str(lineage.key_code[key]) for key in keys.tolist()],
        "subject": [lineage.key_subject[key] for key in keys.tolist()],
        "status": ["present"] * len(keys),
        "value": [float(value_of(one, np.array(x))) for one, x in zip(scales, scaled.tolist(), strict=True)],
        "unit": [one.unit for one in scales],
    }
    types = TABLES["findings"].columns
    findings = pa.table({name: pa.array(column, types[name].arrow) for name, column in columns.items()})
    cases = case.arrow("cases").take(pa.array(np.zeros(len(keys), np.int64)))
    one_each = Records(
        {"cases": cases, "findings": findings},
        np.arange(len(keys), dtype=np.int32),
        info=case.info,
        vocabulary=case.vocabulary,
        report=case.report,
    )
    X = encoder.transform(one_each).tocoo()
    kept = lineage.finding[X.col] == keys[X.row]
    row, column = X.row[kept].astype(np.int64), X.col[kept].astype(np.int64)
    return Answers(keys, row, column, X.data[kept].astype(np.float64))


def _field(words: Vocabulary, code: str, name: str) -> Any:
    term = words.findings.get(code)
    return None if term is None else term.fields.get(name)


def _is_true(said: Any) -> bool:
    return said in (True, "true")


def _cost(said: Any) -> float:
    try:
        cost = float(said)
    except (TypeError, ValueError):
        return 1.0
    return cost if cost > 0 else 1.0
