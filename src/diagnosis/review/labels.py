"""Reviewed cases back into records: what may be learned from, and what is only an opinion."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from diagnosis.errors import DiagnosisWarning
from diagnosis.records import OTHER, Records
from diagnosis.records.schema import TABLES
from diagnosis.review.agreement import latest
from diagnosis.review.answer import Review

__all__ = ["disputed_cases", "label_rows", "with_reviews"]


def label_rows(reviews: Iterable[Review]) -> Iterator[dict[str, Any]]:
    """Yield rows of the table `labels` for each reviewer's last answer to each case.

    A diagnosis that a test or the follow-up confirms is ``principal`` and ``confirmed``, which is what training and
    evaluation take. Any other is a ``reviewer``'s, ``provisional``: an opinion, and one that may only repeat the list.
    A first idea from before the list was revealed has a row of its own that says ``saw_model: no``. Where reviewers
    confirm different diagnoses of one case, none of them is taken as the principal one.
    """
    last = latest(reviews)
    disputed = disputed_cases(last)
    for one in last:
        sure = one.confirmed and one.case_id not in disputed
        common = {"case_id": one.case_id, "recorder_role": "reviewer"}
        if one.first_idea is not None:
            opinion = {"role": "reviewer", "status": "provisional", "basis": "clinical", "saw_model": "no"}
            yield {**common, **opinion, "diagnosis": one.first_idea, "time": one.revealed or one.time}
        if one.diagnosis not in (None, OTHER):  # "none of the listed" names nothing
            yield {
                **common,
                "diagnosis": one.diagnosis,
                "role": "principal" if sure else "reviewer",
                "status": "confirmed" if sure else "provisional",
                "basis": one.basis or "clinical",
                "saw_model": "yes" if one.saw_model else "no",
                "time": one.time,
            }


def disputed_cases(reviews: Iterable[Review]) -> set[str]:
    """Return the cases of which different diagnoses are said to be confirmed."""
    found: dict[str, set[str | None]] = {}
    for one in reviews:
        if one.confirmed:
            found.setdefault(one.case_id, set()).add(one.diagnosis)
    return {case for case, diagnoses in found.items() if len(diagnoses) > 1}


def with_reviews(records: Records, reviews: Iterable[Review]) -> Records:
    """Return the records with the answers about their cases added to the table `labels`; warns of disputed cases."""
    here = set(records.case_ids.tolist())
    some = [one for one in reviews if one.case_id in here]
    rows = list(label_rows(some))
    disputed = len(disputed_cases(latest(some)))
    if disputed:
        says = f"Reviewers confirm different diagnoses of {disputed:,} cases: none of these is taken to learn from."
        warnings.warn(says, DiagnosisWarning, stacklevel=3)
    tables: dict[str, Any] = {name: records.arrow(name) for name in records.names}
    before = tables["labels"].to_pylist() if "labels" in tables else []
    names = list(dict.fromkeys([*TABLES["labels"].columns, *(tables["labels"].column_names if before else ())]))
    made = [*before, *rows]
    used = [name for name in names if any(row.get(name) is not None for row in made)]
    if made:
        tables["labels"] = {name: _column([row.get(name) for row in made]) for name in used}
    return Records.from_tables(tables, records.info).with_vocabulary(records.vocabulary)


def _column(values: list[Any]) -> Any:
    """Times of the log are texts and those of the records are not: all become texts."""
    return pa.array([one.isoformat() if hasattr(one, "isoformat") else one for one in values])
