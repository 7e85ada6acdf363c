"""Which rules can speak at all over a vocabulary: those that name a finding it has."""

from __future__ import annotations

from diagnosis.suggestions.red_flags.rule import All, Compared, Either, Is, Known, Not, Rule
from diagnosis.vocabulary import Vocabulary

__all__ = ["codes_in", "names_of", "within_reach"]


def names_of(code: str, words: Vocabulary) -> set[str]:
    """Return the codes that a finding goes by in rules: its own, and those in its `hpo` and `loinc`."""
    term = words.findings.get(code)
    hpo = str(term.fields.get("hpo") or "") if term else ""
    loinc = str(words.loinc(code) or "")
    names = {code, *(h.strip() for h in hpo.split("|")), *(f"LOINC:{c.strip()}" for c in loinc.split("|") if c)}
    return names - {""}


def codes_in(rule: Rule) -> frozenset[str]:
    """Return the findings a rule names."""
    match rule:
        case Is(code=code):
            return frozenset({code})
        case Known(name, is_field) | Compared(name, is_field):
            return frozenset() if is_field else frozenset({name})
        case Not(one):
            return codes_in(one)
        case All(parts) | Either(parts):
            return frozenset[str]().union(*(codes_in(part) for part in parts))


def within_reach(rules: tuple[Rule, ...], words: Vocabulary) -> int:
    """Count the rules that name at least one finding of a vocabulary."""
    # Page after page asks about the words of one model.
    known: set[str] | None = words.__dict__.get("_names_in_rules")
    if known is None:
        known = {name for code in words.findings for name in names_of(code, words)}
        words.__dict__["_names_in_rules"] = known
    return sum(not codes_in(rule).isdisjoint(known) for rule in rules)
