"""The sentence of a flag: built from its numbers where the pages know its kind, else as it came."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from diagnosis.pages.numbers import age_text, percent_text, share_text
from diagnosis.pages.observations import in_language
from diagnosis.pages.translations import counted, phrase
from diagnosis.pages.values import FlagView

__all__ = ["flag_text"]


def flag_text(flag: FlagView, lang: str) -> str:
    """Return what a flag says in `lang`.

    Examples
    --------
    >>> flag = FlagView(kind="must_not_miss", values={"probability": 0.314, "flag_at": 0.04})
    >>> flag_text(flag, "en").replace("\\u00a0", " ")
    "Its probability, 31 %, has reached this diagnosis' threshold of 4 %."
    """
    built = _KINDS.get(flag.kind)
    says = built(flag.values, lang) if built else None
    return says or in_language(flag.says, lang, flag.kind)


def _must_not_miss(values: Mapping[str, Any], lang: str) -> str | None:
    p, threshold = values.get("probability"), values.get("flag_at")
    if p is None or threshold is None:
        return None
    return phrase(
        "flag_says.must_not_miss", lang, {"p": percent_text(p, lang), "threshold": share_text(threshold, lang)}
    )


def _out_of_range_age(values: Mapping[str, Any], lang: str) -> str | None:
    seen = values.get("training_age_days")
    if seen is None:
        return None
    low, high = (age_text(None, days, lang) for days in seen)
    return phrase("flag_says.out_of_range_age", lang, {"low": low, "high": high})


def _unknown_codes(values: Mapping[str, Any], lang: str) -> str | None:
    n = values.get("n")
    return None if n is None else counted("flag_says.unknown_codes", int(n), lang)


def _too_little(_: Mapping[str, Any], lang: str) -> str:
    return phrase("flag_says.too_little_evidence", lang)


_KINDS: Mapping[str, Callable[[Mapping[str, Any], str], str | None]] = {
    "must_not_miss": _must_not_miss,
    "out_of_range_age": _out_of_range_age,
    "unknown_codes": _unknown_codes,
    "too_little_evidence": _too_little,
}
