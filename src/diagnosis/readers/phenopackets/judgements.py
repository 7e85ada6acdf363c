"""Diseases and interpretations of a packet -> its principal diagnosis and its other judgements."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from diagnosis.readers.phenopackets.terms import Words, class_of
from diagnosis.readers.phenopackets.times import BadPartError, When, when

__all__ = ["STATUS", "Judged", "Judgement", "Several", "judge"]

Several = Literal["first", "none"]

#: What the progress of an interpretation says of its disease: only a solved one is a definitive diagnosis.
STATUS: Mapping[str, str] = MappingProxyType(
    {
        "SOLVED": "confirmed",
        "COMPLETED": "provisional",
        "IN_PROGRESS": "provisional",
        "UNKNOWN_PROGRESS": "provisional",
        "UNSOLVED": "differential",
    }
)
_ROLES = frozenset({"principal", "secondary", "complication", "comorbidity", "admission", "referral", "differential"})


class Judgement(NamedTuple):
    """One row of `labels`, without its case."""

    diagnosis: str
    role: str | None
    status: str
    rank: int | None = None
    probability: float | None = None


class Judged(NamedTuple):
    """What a packet says about its diagnosis.

    Parameters
    ----------
    principal : str, optional
    rule : str
        By which rule the principal diagnosis was found, or why there is none.
    others : list of Judgement
        Every other judgement.
    onset : When, optional
        When the principal disease began.
    """

    principal: str | None
    rule: str
    others: list[Judgement]
    onset: When | None


def judge(diseases: list[Any], interpretations: list[Any], several: Several, words: Words) -> Judged:
    """Read the judgements of a packet.

    The principal diagnosis is the disease of its solved interpretation; without one, the disease that `diseases` says
    is present. Of several it is the first that is stated, or none (`several`); the others are confirmed and secondary.
    An excluded disease is ruled out.

    Parameters
    ----------
    diseases, interpretations : list
        JSON of the two fields.
    several : {"first", "none"}
    words : Words
        Receives what the diseases are called.

    Raises
    ------
    BadPartError
        A disease without an id, a status that is none, or a disease that is both excluded and present.
    """
    present, excluded, onsets = _diseases(diseases, words)
    made = list(_interpreted(interpretations, words))
    solved = [j.diagnosis for j in made if j.status == "confirmed"]
    rule = "a solved interpretation" if solved else "a disease that is present"
    candidates = list(dict.fromkeys(solved or present))
    confirmed = {*solved, *present}
    if len(candidates) == len(confirmed) == 1 and len(solved) == len(made) and not excluded:
        return Judged(candidates[0], rule, [], onsets.get(candidates[0]))
    if not confirmed.isdisjoint(excluded):
        raise BadPartError("a disease is both excluded and present")
    principal = candidates[0] if candidates and (several == "first" or len(candidates) == 1) else None
    if not candidates:
        rule = "no disease is confirmed"
    elif len(candidates) > 1:
        rule = f"the first of several, each {rule}" if principal else "several diseases are confirmed"
    others = [code for code in dict.fromkeys([*solved, *present]) if code != principal]
    rest = [Judgement(code, "secondary", "confirmed") for code in others]
    rest += [Judgement(code, None, "ruled_out") for code in dict.fromkeys(excluded)]
    rest += [j for j in made if j.status != "confirmed"]
    return Judged(principal, rule, rest, onsets.get(principal or ""))


def _diseases(diseases: list[Any], words: Words) -> tuple[list[str], list[str], dict[str, When]]:
    present: list[str] = []
    excluded: list[str] = []
    onsets: dict[str, When] = {}
    for one in diseases:
        if type(one) is not dict:
            raise BadPartError("a disease is no object")
        code, label = class_of(one.get("term"), "a disease")
        words.met(code, label)
        out = one.get("excluded", False)
        if out is not False and out is not True:
            raise BadPartError("excluded of a disease is neither true nor false")
        (excluded if out else present).append(code)
        if "onset" in one:
            onsets[code] = when(one["onset"])
    return present, excluded, onsets


def _interpreted(interpretations: list[Any], words: Words) -> Iterator[Judgement]:
    for one in interpretations:
        if type(one) is not dict:
            raise BadPartError("an interpretation is no object")
        progress = one.get("progressStatus", "UNKNOWN_PROGRESS")
        if type(progress) is not str or progress not in STATUS:
            raise BadPartError("the progressStatus of an interpretation is none of the schema")
        diagnosis = one.get("diagnosis")
        if diagnosis is None:
            continue
        if type(diagnosis) is not dict:
            raise BadPartError("the diagnosis of an interpretation is no object")
        code, label = class_of(diagnosis.get("disease"), "the disease of an interpretation")
        words.met(code, label)
        yield _ranked(Judgement(code, None, STATUS[progress]), one.get("summary"))


def _ranked(plain: Judgement, summary: Any) -> Judgement:
    """Add rank, probability and role where the summary is one that this library writes."""
    if plain.status == "confirmed" or type(summary) is not str or not summary.startswith('{"'):
        return plain
    try:
        said = json.loads(summary)
    except (ValueError, RecursionError):
        return plain
    rank, chance, role = (said.get(name) for name in ("rank", "probability", "role"))
    good_rank = type(rank) is int and 1 <= rank < 1 << 53
    good_chance = type(chance) in (int, float) and 0 <= chance <= 1
    return plain._replace(
        rank=rank if good_rank else None,
        probability=float(chance) if good_chance else None,
        role=role if type(role) is str and role in _ROLES else None,
    )
