"""Participant flow: from the cases that were read to those learned from and judged on, every exclusion counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diagnosis.errors import InputError
from diagnosis.evaluation.aligned import aligned
from diagnosis.evaluation.small_cells import hidden_cells
from diagnosis.records import OTHER, At, Rest, Split, UnknownTime

if TYPE_CHECKING:
    import pandas as pd

    from diagnosis.records import Records

__all__ = ["Flow", "FlowStep", "participant_flow"]


@dataclass(frozen=True, slots=True)
class FlowStep:
    """One line of the flow.

    Parameters
    ----------
    kind : {"stay", "leave", "change"}
        Cases that are there at this point; cases that leave here; cases that stay with something of theirs changed.
    what : str
    cases, patients : int
        None of patients where a step is not about cases of their own.
    findings : int or None
        Findings set aside, where the step is about those.
    """

    kind: str
    what: str
    cases: int
    patients: int
    findings: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Flow:
    """Participant flow, in order: what stays is what stood before less what leaves.

    Parameters
    ----------
    steps : tuple of FlowStep
    """

    steps: tuple[FlowStep, ...]

    def to_json(self) -> list[dict[str, Any]]:
        """Return one plain object a step."""
        return [asdict(step) for step in self.steps]

    def to_frame(self) -> pd.DataFrame:
        """Return one row a step."""
        import pandas as pd

        return pd.DataFrame(self.to_json())

    def __repr__(self) -> str:
        rows = [("", "cases", "patients")]
        for step in self.steps:
            mark = {"stay": "", "leave": "  - ", "change": "  ~ "}[step.kind]
            extra = "" if step.findings is None else f" ({step.findings:,} findings)"
            rows.append((f"{mark}{step.what}{extra}", f"{step.cases:,}", f"{step.patients:,}"))
        return aligned(rows)


def participant_flow(
    records: Records,
    *,
    visit: Sequence[str] = ("first", "unknown"),
    label_status: Sequence[str] = ("confirmed",),
    as_of: At | None = "end",
    unknown_time: UnknownTime = "keep",
    min_cases: int = 5,
    rest: Rest = "other",
    sides: Split | None = None,
    min_cell: int = 1,
) -> Flow:
    """Count who takes part under a cohort, a label rule, a moment and a split, and why the others do not.

    Parameters
    ----------
    records : Records
        As they were read.
    visit : sequence of str
        Visits that take part; a case without one is ``unknown``.
    label_status : sequence of str
        Which judgements count as a diagnosis.
    as_of, unknown_time
        The moment the cases are seen as of; what came later is set aside.
    min_cases, rest
        How rare diagnoses are pooled, or leave; of the training side where there are `sides`.
    sides : Split, optional
        What `split` made of the cases that take part.
    min_cell : int
        Reasons of fewer cases are put together as "other reasons", of that many cases where there are.

    Raises
    ------
    InputError
        The sides hold more cases than take part.
    """
    visits = np.array([v or "unknown" for v in records.column("visit")], dtype=object)
    stays = np.isin(visits, list(visit))
    steps = [_step("stay", "cases read", records), *_left(records, ~stays, visits, "visit: ", min_cell)]
    cohort = records if stays.all() else records[stays]
    labels = cohort.labels(tuple(label_status))
    has = np.array([one is not None for one in labels], dtype=bool)
    steps += _left(cohort, ~has, _without(cohort, tuple(label_status)), "", min_cell)
    taken = cohort if has.all() else cohort[has]
    steps.append(_step("stay", "with a diagnosis under the label rule", taken))
    steps += _set_aside(taken, as_of, unknown_time)
    if sides is None:
        steps += _pooled(taken, labels[has], min_cases, rest)
        return Flow(tuple(steps))
    left = len(taken) - len(sides.train) - len(sides.test)
    if left < 0:
        raise InputError(
            "Two sides of the cases that take part",
            f"they hold {-left:,} cases more",
            "split the cases after the cohort and the label rule",
        )
    if left:
        steps.append(FlowStep("leave", "their patient is trained on already", left, 0))
    steps.append(_step("stay", "to train", sides.train))
    steps += _pooled(sides.train, sides.train.labels(tuple(label_status)), min_cases, rest)
    steps.append(_step("stay", "to test", sides.test))
    steps += _unseen(sides, tuple(label_status))
    return Flow(tuple(steps))


def _step(kind: str, what: str, records: Records) -> FlowStep:
    return FlowStep(kind, what, len(records), len(set(records.groups.tolist())))


def _left(
    records: Records, leaves: NDArray[np.bool_], reasons: NDArray[np.object_], before: str, min_cell: int
) -> list[FlowStep]:
    """One step a reason, the most frequent first."""
    counts = Counter(reasons[leaves].tolist())
    hidden = hidden_cells({reason: (n,) for reason, n in counts.items()}, min_cell)
    named = np.array(["other reasons" if r in hidden else f"{before}{r}" for r in reasons], dtype=object)
    steps = []
    for what, _ in Counter(named[leaves].tolist()).most_common():
        steps.append(_step("leave", str(what), records[leaves & (named == what)]))
    return steps


def _without(records: Records, status: tuple[str, ...]) -> NDArray[np.object_]:
    """Why a case has no diagnosis: no judgement of it, none that is principal, or none of the status asked for."""
    why = np.full(len(records), "no diagnosis written down", object)
    if "labels" not in records.names:
        return why
    place = {c: i for i, c in enumerate(records.case_ids.tolist())}
    labels = records.arrow("labels")
    roles = labels["role"].to_pylist() if "role" in labels.column_names else [None] * len(labels)
    principal = np.zeros(len(records), bool)
    for case, role in zip(labels["case_id"].to_pylist(), roles, strict=True):
        principal[place[case]] |= role == "principal"
        why[place[case]] = "no principal diagnosis"
    why[principal] = f"principal diagnosis not {' or '.join(status)}"
    return why


def _set_aside(records: Records, as_of: At | None, unknown_time: UnknownTime) -> list[FlowStep]:
    seen = records.as_of(as_of, unknown_time=unknown_time)
    lost = np.diff(records.coded.offsets) > np.diff(seen.coded.offsets)
    if not lost.any():
        return []
    rows = len(records.coded) - len(seen.coded)
    some = records[lost]
    what = f"findings after the moment ({as_of}) set aside"
    return [FlowStep("change", what, len(some), len(set(some.groups.tolist())), rows)]


def _pooled(records: Records, labels: NDArray[np.object_], min_cases: int, rest: Rest) -> list[FlowStep]:
    rare = {one for one, n in Counter(labels.tolist()).items() if n < min_cases and one not in (None, OTHER)}
    which = np.array([one in rare for one in labels], dtype=bool)
    if not which.any():
        return []
    what = f"{len(rare):,} rare diagnoses (under {min_cases} cases) "
    what += "pooled into OTHER" if rest == "other" else "leave the training"
    return [_step("change" if rest == "other" else "leave", what, records[which])]


def _unseen(sides: Split, status: tuple[str, ...]) -> list[FlowStep]:
    known = set(sides.train.labels(status).tolist())
    new = np.array([one not in known for one in sides.test.labels(status)], dtype=bool)
    if not new.any():
        return []
    return [_step("change", "with a diagnosis never seen in training, counted as misses", sides.test[new])]
