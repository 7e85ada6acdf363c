"""Encoded cases and a model -> the evidence for their suggested diagnoses, by finding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from scipy import sparse

from diagnosis.explanation.evidence import Evidence, Line, SuggestionEvidence
from diagnosis.explanation.recorded import Recorded, recorded_of
from diagnosis.features import EARLIER, FindingEncoder, Lineage
from diagnosis.models.calibration import log_softmax
from diagnosis.models.protocol import Model
from diagnosis.models.scale import Scale

if TYPE_CHECKING:
    from diagnosis.records import Records

__all__ = ["explain_case", "explain_cases", "relative_to_list", "sum_by_key"]

FloatArray = npt.NDArray[np.float64]
Marks = npt.NDArray[np.bool_]


# Contributions that one portion of cases holds at once, in numbers: 16 MB.
_PORTION = 2_000_000


def explain_case(
    case: Records,
    encoder: FindingEncoder,
    model: Model,
    scale: Scale,
    shown: npt.NDArray[np.int64],
    *,
    wanted: npt.NDArray[np.int64] | None = None,
    reading: str = "posterior",
    row: sparse.csr_matrix | None = None,
) -> Evidence:
    """Explain suggested diagnoses of one case; the contributions add up to the calibrated score.

    Parameters
    ----------
    case : Records
        One case, as of its moment.
    encoder, model
        Fitted.
    scale : Scale
        The calibration: scores and contributions are multiplied by the case's factor, the base is shifted.
    shown : ndarray of int64, shape (m,)
        Class indices of the shown list, most probable first; "for" and "against" are relative to it.
    wanted : ndarray of int64, optional
        Those of `shown` to return; all of them when not given.
    row : csr_matrix of shape (1, n_columns), optional
        The case as it was encoded among its patient's earlier encounters; needed where the encoder looks back at them.
    """
    keep = range(len(shown)) if wanted is None else [i for i, k in enumerate(shown) if k in wanted]
    X = encoder.transform(case) if row is None else row
    return next(_portion(case, encoder, model, scale, shown[None, :], X, keep, reading))


def explain_cases(
    cases: Records,
    encoder: FindingEncoder,
    model: Model,
    scale: Scale,
    shown: npt.NDArray[np.int64],
    X: sparse.csr_matrix,
    *,
    reading: str = "posterior",
) -> Iterator[Evidence]:
    """Explain suggested diagnoses of many cases, one after the other, in little memory.

    Taken in portions, in which the trees of each diagnosis are walked once for all cases that list it; what comes out
    is what `explain_case` gives.

    Parameters
    ----------
    cases : Records
        As of their moment.
    encoder, model, scale
        As in `explain_case`.
    shown : ndarray of int64, shape (n_cases, m)
        Class indices of each case's list, most probable first.
    X : csr_matrix of shape (n_cases, n_columns)
        The cases, encoded.
    """
    step = max(1, _PORTION // max(1, X.shape[1] * shown.shape[1]))
    keep = range(shown.shape[1])
    for start in range(0, len(cases), step):
        here = slice(start, start + step)
        yield from _portion(cases[here], encoder, model, scale, shown[here], X[here], keep, reading)


def _portion(
    cases: Records,
    encoder: FindingEncoder,
    model: Model,
    scale: Scale,
    shown: npt.NDArray[np.int64],
    X: sparse.csr_matrix,
    keep: Sequence[int],
    reading: str,
) -> Iterator[Evidence]:
    """Explain a few cases together."""
    lineage, raw, parts = encoder.lineage_, model.scores(X), model.contributions(X, shown)
    factors, shift, ids = scale.factors(raw), np.asarray(scale.shift or 0.0), cases.case_ids
    scores = factors[:, None] * raw + shift if scale.shift else factors[:, None] * raw
    log_p = log_softmax(scores)
    inherited, (place, history) = encoder.inherited(cases), _keys_of(encoder)
    recorded = recorded_of(cases, encoder, place, [{one for two in of.values() for one in two} for of in inherited])
    known = _known_context(cases, lineage, history)
    for i, listed in enumerate(shown):
        row = slice(X.indptr[i], X.indptr[i + 1])
        past = _past(X.indices[row], X.data[row].astype(np.float64), lineage, history, {r.code for r in recorded[i]})
        context = known[i] | past.alone
        credit = {place[key]: sources for key, sources in inherited[i].items()} | past.recorded
        by_key = factors[i] * sum_by_key(parts.phi[i], lineage)
        contributions = _credited(by_key, recorded[i], list(context), credit)
        relative = relative_to_list(contributions, log_p[i, listed])
        base = factors[i] * parts.base[i] + (shift[listed] if scale.shift else 0.0)
        suggestions = tuple(
            SuggestionEvidence(
                diagnosis=str(model.classes_[listed[j]]),
                probability=float(np.exp(log_p[i, listed[j]])),
                log_probability=float(log_p[i, listed[j]]),
                score=float(scores[i, listed[j]]),
                base=float(base[j]),
                lines=_lines(recorded[i], context, contributions[j], relative[j]),
            )
            for j in keep
        )
        names = _names(cases, lineage, model.classes_[listed], recorded[i], past)
        yield Evidence(str(ids[i]), reading, suggestions, names)


def _names(
    cases: Records, lineage: Lineage, diagnoses: npt.NDArray[Any], recorded: list[Recorded], past: _Past
) -> dict[str, str]:
    names = {str(k): cases.vocabulary.diagnosis_name(str(k)) for k in diagnoses}
    names |= {r.code: r.name for r in recorded}
    return names | {str(line.code): _name_of_past(cases, lineage, key) for key, line in past.alone.items()}


_KEYS: WeakKeyDictionary[FindingEncoder, tuple[Lineage, dict[str, int], Marks]] = WeakKeyDictionary()


def _keys_of(encoder: FindingEncoder) -> tuple[Mapping[str, int], Marks]:
    """Place of each finding among the lineage's keys, and which keys are findings over time; kept with the encoder."""
    lineage, kept = encoder.lineage_, _KEYS.get(encoder)
    if kept is None or kept[0] is not lineage:
        own = np.flatnonzero(~lineage.context)
        place = dict(zip(lineage.keys[own].tolist(), own.tolist(), strict=True))
        kept = _KEYS[encoder] = (lineage, place, lineage.history)
    return kept[1], kept[2]


def sum_by_key(phi: FloatArray, lineage: Lineage) -> FloatArray:
    """Sum column contributions, shape (m, n_columns), by finding: shape (m, n_keys)."""
    return np.array([np.bincount(lineage.finding, weights=one, minlength=len(lineage.keys)) for one in phi])


def relative_to_list(contributions: FloatArray, log_p: FloatArray) -> FloatArray:
    """Centre every line on the shown list: ``phi_A - sum_B w_B phi_B``, `w` the shown probabilities renormalised.

    Softmax scores are defined only up to a number per case, so a lone contribution has no sign. Adding any function of
    the case to all scores leaves what is returned here as it was.

    Parameters
    ----------
    contributions : ndarray of shape (m, n_lines)
    log_p : ndarray of shape (m,)
        Log-probabilities of the shown diagnoses.
    """
    weight = np.exp(log_softmax(log_p))
    return contributions - weight @ contributions


def _known_context(cases: Records, lineage: Lineage, history: Marks) -> list[dict[int, Line]]:
    """The parts of the context each case states, by key; what it does not state counts as not recorded."""
    known = [dict[int, Line]() for _ in range(len(cases))]
    for key in np.flatnonzero(lineage.context & ~history).tolist():
        part = str(lineage.keys[key])
        for of_case, value in zip(known, _context_values(part, cases), strict=True):
            if value:
                of_case[key] = Line(part, "context", 0.0, 0.0, **value)
    return known


@dataclass(frozen=True, slots=True)
class _Past:
    """Findings over time: those that the case records now, by key, with their finding; and lines for the others."""

    recorded: dict[int, tuple[str, ...]]
    alone: dict[int, Line]


def _past(
    columns: npt.NDArray[np.int32], values: FloatArray, lineage: Lineage, history: Marks, recorded: set[str]
) -> _Past:
    """What a finding was over time is credited to it where the case records it, and has a line of its own elsewhere."""
    now: dict[int, tuple[str, ...]] = {}
    alone: dict[int, Line] = {}
    of_key = lineage.finding[columns]
    for key in np.unique(of_key[history[of_key]]).tolist():
        finding = str(lineage.keys[key]).removeprefix(EARLIER)
        if finding in recorded:
            now[key] = (finding,)
        else:
            times = _times_recorded(columns, values, lineage, key)
            alone[key] = Line(str(lineage.keys[key]), "context", 0.0, 0.0, text=f"{times}×" if times else None)
    return _Past(now, alone)


def _times_recorded(columns: npt.NDArray[np.int32], values: FloatArray, lineage: Lineage, key: int) -> int:
    """How many rows the widest window holds, from its columns of counts."""
    by_window: dict[str, float] = {}
    for column, value in zip(columns, values, strict=True):
        window, _, statistic = str(lineage.text[column]).partition(":")
        if lineage.finding[column] == key and statistic in ("present", "absent", "count"):
            by_window[window] = by_window.get(window, 0.0) + float(np.expm1(value))
    return round(max(by_window.values(), default=0.0))


def _name_of_past(case: Records, lineage: Lineage, key: int) -> str:
    subject = lineage.key_subject[key]
    name = case.vocabulary.name(str(lineage.key_code[key]))
    return f"{name} ({subject}, earlier)" if subject else f"{name} (earlier)"


def _context_values(part: str, cases: Records) -> list[dict[str, Any]]:
    """What each case states of a part of its context; empty where it does not."""
    if part != "age":
        return [{} if text in (None, "unknown") else {"text": str(text)} for text in cases.column(part).tolist()]
    ages = zip(cases.column("age_days").tolist(), cases.column("age_years").tolist(), strict=True)
    return [
        {"value": days, "unit": "d"} if days == days else {"value": years, "unit": "a"} if years == years else {}
        for days, years in ages
    ]


def _credited(
    by_key: FloatArray, recorded: list[Recorded], context: list[int], inherited: Mapping[int, tuple[str, ...]]
) -> FloatArray:
    """Give each key to its line: a recorded finding, a known part of the context, last everything not recorded.

    A key that the case has through the hierarchy is credited to the findings it comes from, in equal parts. Nothing is
    lost and nothing counted twice. Returns shape (m, n_lines).
    """
    line = {one.code: i for i, one in enumerate(recorded)}
    owner = {one.key: i for i, one in enumerate(recorded) if one.key is not None}
    owner |= {key: len(recorded) + i for i, key in enumerate(context)}
    rest = len(recorded) + len(context)
    found = np.zeros((len(by_key), rest + 1))
    alone = np.ones(by_key.shape[1], bool)
    for key in {*owner, *inherited}:
        lines = [line[source] for source in inherited[key]] if key in inherited else [owner[key]]
        alone[key] = False
        for one in lines:
            found[:, one] += by_key[:, key] / len(lines)
    found[:, rest] = by_key[:, alone].sum(axis=1)
    return found


def _lines(
    recorded: list[Recorded], context: dict[int, Line], contributions: FloatArray, relative: FloatArray
) -> tuple[Line, ...]:
    n = len(recorded)
    findings = [
        Line(r.code, r.state, c, d, *r.said)  # type: ignore[arg-type]
        for r, c, d in zip(recorded, contributions[:n].tolist(), relative[:n].tolist(), strict=True)
    ]
    parts = [
        replace(line, contribution=float(c), relative=float(d))
        for line, c, d in zip(context.values(), contributions[n:-1], relative[n:-1], strict=True)
    ]
    strongest = sorted(findings, key=lambda line: (-abs(line.relative), line.code or ""))
    return (*strongest, *parts, Line(None, "unrecorded", float(contributions[-1]), float(relative[-1])))
