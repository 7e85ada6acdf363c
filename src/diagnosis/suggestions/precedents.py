"""What stands behind a diagnosis in the training cases: what confirmed it, and which diagnoses similar cases had."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from diagnosis.errors import InputError

if TYPE_CHECKING:
    from diagnosis.records import Records
    from diagnosis.suggestions.differential import Differential

__all__ = ["confirmed_by", "confirmed_text", "similar_text"]

# Fewer training cases than this are not told apart.
_LEAST = 5
_BASES = {
    "clinical": {"en": "clinically", "zh": "临床"},
    "laboratory": {"en": "by laboratory", "zh": "检验"},
    "microbiology": {"en": "by microbiology", "zh": "微生物学"},
    "imaging": {"en": "by imaging", "zh": "影像"},
    "pathology": {"en": "by pathology", "zh": "病理"},
    "genetic": {"en": "by genetics", "zh": "基因检测"},
    "treatment_response": {"en": "by response to treatment", "zh": "治疗反应"},
    "follow_up": {"en": "by follow-up", "zh": "随访"},
    "consensus": {"en": "by consensus", "zh": "会诊共识"},
    "administrative": {"en": "by administrative code", "zh": "行政编码"},
}
_JOIN = {"en": ", ", "zh": "、"}


def confirmed_by(records: Records, diagnoses: Iterable[str]) -> dict[str, dict[str, int]]:
    """Count what the confirmed labels of each diagnosis rest on; counts below five are left out.

    Returns
    -------
    dict of diagnosis to dict of basis to int
        Empty where the records do not say.
    """
    if "labels" not in records.names:
        return {}
    labels = records.arrow("labels")
    if not {"diagnosis", "basis", "status"} <= set(labels.column_names):
        return {}
    wanted = {str(one) for one in diagnoses}
    rows = labels.select(["diagnosis", "basis", "status"]).to_pylist()
    counts = Counter((r["diagnosis"], r["basis"]) for r in rows if r["status"] == "confirmed" and r["basis"])
    made: dict[str, dict[str, int]] = {}
    for (diagnosis, basis), n in sorted(counts.items(), key=lambda one: (one[0][0], -one[1], one[0][1])):
        if n >= _LEAST and diagnosis in wanted:
            made.setdefault(diagnosis, {})[basis] = n
    return made


def confirmed_text(card: Mapping[str, Any], diagnosis: str) -> dict[str, str] | None:
    """Say what confirmed the training cases of a diagnosis; None where the records did not say."""
    counts: Mapping[str, int] = card.get("confirmed_by", {}).get(diagnosis, {})
    if not counts:
        return None
    return {
        lang: _JOIN[lang].join(f"{_BASES.get(basis, {}).get(lang, basis)} {n:,}" for basis, n in counts.items())
        for lang in _JOIN
    }


def similar_text(differential: Differential, k: int) -> dict[str, str] | None:
    """Say which diagnoses the `k` most similar training cases had: counts, no case; None where none is at hand."""
    if k < 1:
        return None
    try:
        found = differential.similar_cases(k)
    except InputError:
        return None
    if not len(found):
        return None
    words = differential.diagnoser.vocabulary_
    counts = sorted(Counter(found["diagnosis"].tolist()).items(), key=lambda one: (-one[1], one[0]))
    return {lang: _JOIN[lang].join(f"{words.diagnosis_name(code, lang)} {n}" for code, n in counts) for lang in _JOIN}
