"""A differential as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from diagnosis.pages.translations import phrase

if TYPE_CHECKING:
    from diagnosis.suggestions.differential import Differential

__all__ = ["text_of"]


def text_of(differential: Differential) -> str:
    """Say what it could be, what must not be missed, and what the input did not bear."""
    d = differential
    marks = {s.diagnosis: ("!" if s.diagnosis in d.must_not_miss else " ") for s in d.ranked}
    rows = [
        f"{s.rank:>3}{marks[s.diagnosis]} {_percent(s.probability)}  {_coded(s.diagnosis, s.name)}" for s in d.ranked
    ]
    rest = 1 - sum(s.probability for s in d.ranked) - (d.other or 0.0)
    if len(d.proba) > len(d.ranked) + (d.other is not None):
        rows.append(f"     {_percent(max(rest, 0.0))}  others the model knows")
    if d.other is not None:
        rows.append(f"     {_percent(d.other)}  {phrase('list.other', 'en').lower()}")
    if beyond := [one for one in d.must_not_miss if one not in marks]:
        names = [_coded(one, d.records.vocabulary.diagnosis_name(one), " ") for one in beyond]
        rows.append(f"not to be missed, beyond this list: {', '.join(names)}")
    rows += _notes(d)
    if d.abstained:
        rows.insert(0, f"abstains: {d.abstain_reason}")
    rows = [*(f"RED FLAG  {f.rule}" for f in d.flags if f.kind == "red_flag"), *rows]
    return "\n".join([f"case {d.case_id}, as of {d.as_of}, {d.reading}", *rows])


def _coded(code: str, name: str, between: str = "  ") -> str:
    """A diagnosis by code and name; once where it has no name of its own."""
    return code if name == code else f"{code}{between}{name}"


def _named(d: Differential, code: str) -> str:
    """A code with its name, where it has one."""
    name = d.records.vocabulary.name(code)
    return code if name == code else f"{name} ({code})"


def _notes(d: Differential) -> list[str]:
    """What the input did not bear, in lines."""
    notes, values = [], {f.kind: f.values for f in d.flags}
    if d.unknown_codes:
        near = values.get("unknown_codes", {}).get("near", {})
        said = [_named(d, c) + (f" (perhaps {', '.join(near[c])}?)" if c in near else "") for c in d.unknown_codes]
        notes.append(f"not understood: {', '.join(said)}")
    if d.not_used["values"]:
        notes.append(f"values not used, for their unit or size: {d.not_used['values']}")
    notes += _odd_values(d)
    if "unlike_training" in values:
        notes.append("no training case resembles this one")
    if "trained_on" in values:
        notes.append("the case or its patient was among the training cases")
    return notes


def _odd_values(d: Differential) -> Iterator[str]:
    for values in (f.values for f in d.flags if f.kind == "values_not_used" and "without_unit" in f.values):
        known = [f"{_named(d, code)} is known in {', '.join(units)}" for code, units in values["without_unit"].items()]
        yield f"not used, without a unit: {'; '.join(known)}"
    for values in (f.values for f in d.flags if f.kind == "values_not_used" and "foreign" in f.values):
        given = [f"{_named(d, code)} {one['value']:g} {one['unit']}" for code, one in values["foreign"].items()]
        yield f"not used, the unit does not convert: {', '.join(given)}"
    for values in (f.values for f in d.flags if f.kind == "assumed_unit"):
        taken = [f"{_named(d, code)} {one['value']:g} {one['unit']}" for code, one in values["assumed"].items()]
        yield f"without a unit, taken as recorded in training: {', '.join(taken)}"
    for values in (f.values for f in d.flags if f.kind == "implausible_value"):
        why = "far outside everything seen in training" if "beyond" in values else "no living patient has this value"
        yield f"not used, {why}: {', '.join(_named(d, code) for code in values['codes'])}"


def _percent(p: float) -> str:
    """A probability in six places; never 0 and never 100 per cent."""
    return " <0.1%" if p < 0.001 else ">99.9%" if p > 0.999 else f"{p:6.1%}"
