"""What the account says beside the counts: labels and their rules, dates, words, kinds of values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from diagnosis.readers.fhir.intake import Intake
from diagnosis.readers.fhir.tables import Made
from diagnosis.readers.states import states_of
from diagnosis.records import Problem

__all__ = ["notes_of"]


def notes_of(read: Intake, made: Made, ignored: int) -> list[Problem]:
    """Notes and warnings about a reading; `ignored` files were neither JSON nor NDJSON."""
    return [_findings(made), *_labels(made), *_oddities(read, made, ignored)]


def _findings(made: Made) -> Problem:
    names = ("Observations", "Conditions that are symptoms", "allergies and family history")
    listed = [f"{n:,} of {name}" for n, name in zip(made.origins, names, strict=True) if n]
    return states_of(made.tables["findings"], ", ".join(listed))


def _labels(made: Made) -> Iterator[Problem]:
    judged = made.judgements
    n = sum(judged.by_rule.values())
    by_rule = "; ".join(f"{count:,} by {rule}" for rule, count in judged.by_rule.items())
    without = "; ".join(f"{count:,} {reason}" for reason, count in judged.without.items())
    says = f"{n:,} of {made.n_cases:,} cases got a confirmed principal diagnosis" + (f" ({by_rule})" if by_rule else "")
    if without:
        says += f"; {made.n_cases - n:,} did not ({without})"
    yield Problem("note", "labels", "labels", "", says, count=n)


def _oddities(read: Intake, made: Made, ignored: int) -> Iterator[Problem]:
    judged, clock = made.judgements, read.clock
    yield from _one("note", "several", "labels", judged.several, "cases have several diagnoses that nothing ranks")
    says = "entries of Encounter.diagnosis name a Condition that is not among these files"
    yield from _one("warning", "unresolved", "Encounter", judged.unresolved, says)
    says = "Conditions have no verificationStatus and are taken as confirmed"
    yield from _one("warning", "unverified", "Condition", read.conditions.unverified, says)
    for name, n in read.observations.not_read.most_common():
        yield from _one("warning", "value_not_read", "Observation", n, f"values are not read: {name}")
    zone = "they are taken in the zone that the option timezone names, else in UTC"
    yield from _one("warning", "no_time_zone", "times", clock.zoneless, f"distinct times name no zone: {zone}")
    says = "distinct dates are a year or a month alone and are not used as times"
    yield from _one("warning", "partial_date", "times", clock.partial, says)
    yield from _one(
        "warning", "bad_time", "times", clock.unreadable, "distinct texts are no FHIR time and are not used"
    )
    in_words = read.finding_terms.in_words + read.diagnosis_terms.in_words
    yield from _one("warning", "no_code", "codes", in_words, "concepts have words and no code: the words are the code")
    lost = sum(r.unresolvable for r in read.references)
    yield from _one(
        "warning", "unresolvable", "references", lost, "distinct references are contained or a search: not followed"
    )
    contained = read.contained.total()
    listed = ", ".join(f"{kind} {n:,}" for kind, n in read.contained.most_common())
    says = f"resources stand inside others; of them only a prescription's Medication is read: {listed}"
    yield from _one("note", "contained", "others", contained, says)
    yield from _one("note", "bundles", "files", read.bundles, "bundles were opened")
    yield from _one("note", "ignored", "files", ignored, "files that end in neither .json nor .ndjson were not read")


def _one(severity: Literal["warning", "note"], kind: str, table: str, n: int, says: str) -> Iterator[Problem]:
    if n:
        yield Problem(severity, kind, table, "", f"{n:,} {says}", count=n)
