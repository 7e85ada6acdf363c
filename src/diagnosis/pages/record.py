"""How often a diagnosis was right where it was given a probability, in words."""

from __future__ import annotations

from diagnosis.pages.numbers import share_text
from diagnosis.pages.translations import phrase
from diagnosis.pages.values import RecordView

__all__ = ["record_text"]


def record_text(record: RecordView, lang: str) -> str:
    """Return the counts in one clause, or that the cases are too few to tell.

    Examples
    --------
    >>> record_text(RecordView(low=0.6, high=0.8, given=44, had=31, least=10), "en").replace("\u00a0", " ")
    'of the 44 cases given 60 to 80 %, 31 had it'
    >>> record_text(RecordView(low=0.0, high=0.01, given=0, had=0, least=10), "zh")
    '给出的概率低于 1%的病例不足 10 例，无法判断其校准'
    """
    values = {"given": f"{record.given:,}", "had": f"{record.had:,}", "least": record.least}
    key = "record.says" if record.given else "record.few"
    return phrase(key, lang, {**values, "share": _share(record.low, record.high, lang)})


def _share(low: float, high: float, lang: str) -> str:
    if low <= 0:
        return phrase("record.below", lang, {"high": share_text(high, lang)})
    if high >= 1:
        return phrase("record.from", lang, {"low": share_text(low, lang)})
    return phrase("record.between", lang, {"low": f"{100 * low:g}", "high": share_text(high, lang)})
