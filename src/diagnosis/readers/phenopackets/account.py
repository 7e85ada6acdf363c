"""What became of every packet, and what a reader should know about what was read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

import pyarrow as pa

from diagnosis.readers.phenopackets.packets import Packets
from diagnosis.readers.states import states_of
from diagnosis.records import Problem

__all__ = ["broken", "notes_of"]

_FINDING_NOTES = (
    ("warning", "onset_unplaced", "onsets are dates without a date of birth, or classes that are not known: no age"),
    ("warning", "severity", "severities are not one of the four of the format and stand among the modifiers"),
    ("warning", "unknown_field", "fields of features are not in version 2 of the schema and are not read"),
    ("note", "disease", "features name a disease: they are judgements, not findings"),
    ("note", "gene", "features name a gene: they are not read"),
    ("note", "evidence", "features cite evidence, which is not read"),
    ("note", "procedure", "measurements name a procedure, which is not read"),
)
_PACKET_NOTES = (
    ("warning", "unknown_field", "fields of packets are not in version 2 of the schema and are not read"),
    ("note", "biosamples", "packets have biosamples, which are not read"),
    ("note", "files", "packets name files, which are not read"),
    ("note", "several_publications", "packets cite several publications; the first is their group"),
)


def broken(table: str, lost: Sequence[tuple[int, str]]) -> list[Problem]:
    """An error for each reason for which rows of a table cannot be read."""
    rows: dict[str, list[int]] = {}
    for number, reason in lost:
        rows.setdefault(reason, []).append(number)
    return [Problem("error", "unreadable", table, "", says, tuple(n), count=len(n)) for says, n in rows.items()]


def notes_of(read: Packets, findings: pa.Table, n_lost: int, qualified: int, ignored: int) -> Iterator[Problem]:
    """The account of a reading."""
    n = len(read.cases)
    yield _note("account", "packets", n, f"{n + n_lost:,} packets read: {n:,} cases, {n_lost:,} set aside")
    yield states_of(findings)
    counts = read.findings.counts
    labelled = sum("diagnosis" in case for case in read.cases)
    by_rule = "; ".join(f"{count:,} by {rule}" for rule, count in read.rules.most_common())
    yield _note("labels", "labels", labelled, f"{labelled:,} of {n:,} cases have a principal diagnosis: {by_rule}")
    groups = len({case["group"] for case in read.cases if "group" in case})
    yield _note("groups", "cases", groups, f"{groups:,} publications or families are the groups")
    yield from _counted(_FINDING_NOTES, counts, "findings")
    yield from _counted(_PACKET_NOTES, read.counts, "packets")
    if read.actions.unread:
        yield _note("not_read", "actions", read.actions.unread, f"{read.actions.unread:,} medical actions are not read")
    if qualified:
        says = f"{qualified:,} ids of subjects stand in several groups and are qualified by their group"
        yield Problem("warning", "shared_ids", "cases", "patient_id", says, count=qualified)
    named = Counter(name for name, _ in read.systems)
    several = ", ".join(f"{name[:20]} ({n})" for name, n in sorted(named.items()) if n > 1)
    if several:
        yield _note("versions", "systems", len(named), f"ontologies of several versions (how many): {several}")
    if ignored:
        yield _note("ignored", "files", ignored, f"{ignored:,} files end in neither .json nor .ndjson: not read")


def _counted(kinds: Sequence[tuple[str, str, str]], counts: Counter[str], table: str) -> Iterator[Problem]:
    for severity, kind, says in kinds:
        if counts[kind]:
            level: Literal["warning", "note"] = "warning" if severity == "warning" else "note"
            yield Problem(level, kind, table, "", f"{counts[kind]:,} {says}", count=counts[kind])


def _note(kind: str, table: str, count: int, says: str) -> Problem:
    return Problem("note", kind, table, "", says, count=count)
