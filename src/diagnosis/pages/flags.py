"""The sentence of a flag: built from its numbers where the pages know its kind, else as it came."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from diagnosis.pages.numbers import age_text, percent_text, threshold_text
from diagnosis.pages.observations import in_language
from diagnosis.pages.translations import counted, phrase
from diagnosis.pages.values import FlagView

__all__ = ["flag_text", "reached"]


def flag_text(flag: FlagView, lang: str) -> str:
    """Return what a flag says in `lang`.

    Examples
    --------
    >>> flag_text(FlagView(kind="unknown_codes", values={"n": 2}), "en")
    '2 recorded findings are not known to the model and were not used.'
    """
    built = _KINDS.get(flag.kind)
    says = built(flag.values, lang) if built else None
    return says or in_language(flag.says, lang, flag.kind)


def reached(flag: FlagView, lang: str) -> str:
    """Return how a must-not-miss diagnosis stands to its threshold; empty where the flag brings no numbers."""
    p, threshold = flag.values.get("probability"), flag.values.get("flag_at")
    if flag.kind != "must_not_miss" or p is None or threshold is None:
        return ""
    values = {"p": percent_text(p, lang), "threshold": threshold_text(threshold, lang)}
    return phrase("flag_says.must_not_miss", lang, values)


def _out_of_range_age(values: Mapping[str, Any], lang: str) -> str | None:
    seen = values.get("training_age_days")
    if seen is None:
        return None
    low, high = (age_text(None, days, lang) for days in seen)
    return phrase("flag_says.out_of_range_age", lang, {"low": low, "high": high})


def _unknown_codes(values: Mapping[str, Any], lang: str) -> str | None:
    n = values.get("n")
    if n is None:
        return None
    near = [
        phrase("flag_says.near", lang, {"text": text, "names": phrase("comma", lang).join(names)})
        for text, names in values.get("near", {}).items()
    ]
    return counted("flag_says.unknown_codes", int(n), lang) + "".join(near)


def _too_little(_: Mapping[str, Any], lang: str) -> str:
    return phrase("flag_says.too_little_evidence", lang)


_KINDS: Mapping[str, Callable[[Mapping[str, Any], str], str | None]] = {
    "out_of_range_age": _out_of_range_age,
    "unknown_codes": _unknown_codes,
    "too_little_evidence": _too_little,
}
