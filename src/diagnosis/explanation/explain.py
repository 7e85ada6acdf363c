"""One encoded case and a model -> the evidence for its suggested diagnoses, by finding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import sparse

from diagnosis.explanation.evidence import Evidence, Line, SuggestionEvidence
from diagnosis.features import EARLIER, FindingEncoder, Lineage, finding_key
from diagnosis.models.calibration import log_softmax
from diagnosis.models.protocol import Model
from diagnosis.models.scale import Scale

if TYPE_CHECKING:
    from diagnosis.records import Records

__all__ = ["explain_case", "relative_to_list", "sum_by_key"]

FloatArray = npt.NDArray[np.float64]

_ROW_FIELDS = ("value", "unit", "text", "comparator", "interpretation")
_STATES = ("present", "absent", "uncertain")


@dataclass(frozen=True, slots=True)
class _Recorded:
    """A finding of a case that the encoder uses, and its place among the lineage's keys, if it has one of its own."""

    key: int | None
    code: str
    name: str
    state: str
    fields: dict[str, Any]


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
    X = (encoder.transform(case) if row is None else row).astype(np.float64)
    parts = model.contributions(X, shown)
    raw = model.scores(X)
    factor, scores = float(scale.factors(raw)[0]), scale.apply(raw)[0]
    base = factor * parts.base[0] + (np.asarray(scale.shift)[shown] if scale.shift else 0.0)
    log_p = log_softmax(scores)
    by_key = factor * sum_by_key(parts.phi[0], encoder.lineage_)
    inherited = encoder.inherited(case)[0]
    place = _places(encoder.lineage_)
    recorded = _recorded(case, encoder, place, {source for sources in inherited.values() for source in sources})
    past = _past(X, encoder.lineage_, {r.code for r in recorded})
    context = _known_context(case, encoder.lineage_) | past.alone
    credit = {place[key]: sources for key, sources in inherited.items()} | past.recorded
    contributions = _credited(by_key, recorded, list(context), credit)
    relative = relative_to_list(contributions, log_p[shown])
    keep = range(len(shown)) if wanted is None else [i for i, k in enumerate(shown) if k in wanted]
    names = {str(k): case.vocabulary.diagnosis_name(str(k)) for k in model.classes_[shown]}
    names |= {r.code: r.name for r in recorded}
    names |= {str(line.code): _name_of_past(case, encoder.lineage_, key) for key, line in past.alone.items()}
    suggestions = tuple(
        SuggestionEvidence(
            diagnosis=str(model.classes_[shown[i]]),
            probability=float(np.exp(log_p[shown[i]])),
            log_probability=float(log_p[shown[i]]),
            score=float(scores[shown[i]]),
            base=float(base[i]),
            lines=_lines(recorded, context, contributions[i], relative[i]),
        )
        for i in keep
    )
    return Evidence(str(case.case_ids[0]), reading, suggestions, names)


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


def _places(lineage: Lineage) -> dict[str, int]:
    """Place of each finding among the lineage's keys."""
    own = np.flatnonzero(~lineage.context)
    return dict(zip(lineage.keys[own].tolist(), own.tolist(), strict=True))


def _recorded(case: Records, encoder: FindingEncoder, place: Mapping[str, int], sources: set[str]) -> list[_Recorded]:
    """The rows of the case that count and that the encoder knows, or that say something of a finding it knows."""
    coded, findings = case.coded, case.arrow("findings")
    rows = np.flatnonzero(coded.latest)
    there = [name for name in (*_ROW_FIELDS, "time", "known", "status") if name in findings.column_names]
    table = findings.select(there).take(pa.array(rows)).to_pylist()
    used = encoder.ranges_used(case)
    found = []
    for row, values in zip(rows.tolist(), table, strict=True):
        subject = None if coded.subject[row] < 0 else str(coded.subjects[coded.subject[row]])
        code = str(coded.codes[coded.code[row]])
        key = finding_key(code, subject)
        if key in place or key in sources:
            fields = {n: values.get(n) for n in _ROW_FIELDS}
            fields |= {n: _iso(values.get(n)) for n in ("time", "known")}
            fields |= {"ref_low": _bound(used.low[row]), "ref_high": _bound(used.high[row])}
            fields["ref_source"] = used.source(row)
            name = case.vocabulary.name(code)
            name = f"{name} ({subject})" if subject else name
            found.append(_Recorded(place.get(key), key, name, _STATES[coded.status[row]], fields))
    return found


def _bound(bound: float) -> float | None:
    return None if np.isnan(bound) else float(bound)


def _iso(moment: Any) -> str | None:
    return None if moment is None else str(moment.isoformat())


def _known_context(case: Records, lineage: Lineage) -> dict[int, Line]:
    """The parts of the context this case states, by key; what it does not state counts as not recorded."""
    known = {}
    for key in np.flatnonzero(lineage.context & ~lineage.history):
        part = str(lineage.keys[key])
        if value := _context_value(part, case):
            known[int(key)] = Line(part, "context", 0.0, 0.0, **value)
    return known


@dataclass(frozen=True, slots=True)
class _Past:
    """Findings over time: those that the case records now, by key, with their finding; and lines for the others."""

    recorded: dict[int, tuple[str, ...]]
    alone: dict[int, Line]


def _past(X: sparse.csr_matrix, lineage: Lineage, recorded: set[str]) -> _Past:
    """What a finding was over time is credited to it where the case records it, and has a line of its own elsewhere."""
    now: dict[int, tuple[str, ...]] = {}
    alone: dict[int, Line] = {}
    of_key = lineage.finding[X.indices]
    for key in np.unique(of_key[lineage.history[of_key]]).tolist():
        finding = str(lineage.keys[key]).removeprefix(EARLIER)
        if finding in recorded:
            now[key] = (finding,)
        else:
            times = _times_recorded(X, lineage, key)
            alone[key] = Line(str(lineage.keys[key]), "context", 0.0, 0.0, text=f"{times}×" if times else None)
    return _Past(now, alone)


def _times_recorded(X: sparse.csr_matrix, lineage: Lineage, key: int) -> int:
    """How many rows the widest window holds, from its columns of counts."""
    by_window: dict[str, float] = {}
    for column, value in zip(X.indices, X.data, strict=True):
        window, _, statistic = str(lineage.text[column]).partition(":")
        if lineage.finding[column] == key and statistic in ("present", "absent", "count"):
            by_window[window] = by_window.get(window, 0.0) + float(np.expm1(value))
    return round(max(by_window.values(), default=0.0))


def _name_of_past(case: Records, lineage: Lineage, key: int) -> str:
    subject = lineage.key_subject[key]
    name = case.vocabulary.name(str(lineage.key_code[key]))
    return f"{name} ({subject}, earlier)" if subject else f"{name} (earlier)"


def _context_value(part: str, case: Records) -> dict[str, Any]:
    if part == "age":
        days, years = case.column("age_days")[0], case.column("age_years")[0]
        if np.isfinite(days):
            return {"value": float(days), "unit": "d"}
        return {"value": float(years), "unit": "a"} if np.isfinite(years) else {}
    text = case.column(part)[0]
    return {} if text in (None, "unknown") else {"text": str(text)}


def _credited(
    by_key: FloatArray, recorded: list[_Recorded], context: list[int], inherited: Mapping[int, tuple[str, ...]]
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
    recorded: list[_Recorded], context: dict[int, Line], contributions: FloatArray, relative: FloatArray
) -> tuple[Line, ...]:
    n = len(recorded)
    findings = [
        Line(code=r.code, state=r.state, contribution=float(c), relative=float(d), **r.fields)  # type: ignore[arg-type]
        for r, c, d in zip(recorded, contributions[:n], relative[:n], strict=True)
    ]
    parts = [
        replace(line, contribution=float(c), relative=float(d))
        for line, c, d in zip(context.values(), contributions[n:-1], relative[n:-1], strict=True)
    ]
    strongest = sorted(findings, key=lambda line: (-abs(line.relative), line.code or ""))
    return (*strongest, *parts, Line(None, "unrecorded", float(contributions[-1]), float(relative[-1])))
