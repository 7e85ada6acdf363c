"""What stands behind a diagnosis in training: what confirmed it, how often it was right, what similar cases had."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from diagnosis.errors import InputError
from diagnosis.models.track_record import LEAST_CASES
from diagnosis.pages import RecordView
from diagnosis.records.labels import judged

if TYPE_CHECKING:
    from diagnosis.records import Records
    from diagnosis.suggestions.differential import Differential, Suggestion

__all__ = ["confirmed_by", "confirmed_text", "record_of", "similar_text"]

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


def confirmed_by(records: Records, y: npt.NDArray[np.object_]) -> dict[str, dict[str, int]]:
    """Count what the diagnosis of each training case rests on; counts below five are left out.

    A case counts once at most: by the basis of its principal confirmed label of the diagnosis that it is learned as.

    Parameters
    ----------
    records : Records
    y : ndarray of object, shape (n_cases,)
        The diagnosis that each case is learned as.

    Returns
    -------
    dict of diagnosis to dict of basis to int
        Empty where the records do not say.
    """
    if "labels" not in records.names:
        return {}
    labels = records.arrow("labels")
    if not {"case_id", "diagnosis", "role", "status", "basis"} <= set(labels.column_names):
        return {}
    own = dict(zip(records.case_ids.tolist(), (str(one) for one in y), strict=True))
    rows = labels.select(["case_id", "diagnosis", "role", "status", "basis"]).to_pylist()
    counting = [
        r["role"] == "principal"
        and r["status"] == "confirmed"
        and bool(r["basis"])
        and own.get(r["case_id"]) == r["diagnosis"]
        for r in rows
    ]
    rests_on = judged(labels.filter(pa.array(counting, pa.bool_())), "basis")
    counts = Counter((own[case], basis) for case, basis in rests_on.items())
    made: dict[str, dict[str, int]] = {}
    for (diagnosis, basis), n in sorted(counts.items(), key=lambda one: (one[0][0], -one[1], one[0][1])):
        if n >= _LEAST:
            made.setdefault(diagnosis, {})[basis] = n
    return made


def confirmed_text(card: Mapping[str, Any], diagnosis: str) -> dict[str, str] | None:
    """Say what confirmed the training cases of a diagnosis; None where the records did not say."""
    counts: Mapping[str, int] = card.get("confirmed_by", {}).get(diagnosis, {})
    if not counts or sum(counts.values()) > card.get("n_by_diagnosis", {}).get(diagnosis, math.inf):
        return None  # older releases counted labels, of which a case may have several
    return {
        lang: _JOIN[lang].join(f"{_BASES.get(basis, {}).get(lang, basis)} {n:,}" for basis, n in counts.items())
        for lang in _JOIN
    }


def record_of(differential: Differential, suggestion: Suggestion) -> RecordView | None:
    """Say how often a diagnosis was right among training cases that were given a probability like the one shown.

    None where it was not counted: by an older release, or where the probabilities are no longer those that were counted
    (adapted to another place, from an updated model, or of the differential reading).
    """
    diagnoser = differential.diagnoser
    record, card = diagnoser.calibration_.record, diagnoser.card_
    if record is None or "adapted" in card or card.get("updates") or differential.reading != "posterior":
        return None
    place = int(np.searchsorted(diagnoser.classes_.astype(str), suggestion.diagnosis))
    low, high, given, had = record.at(place, suggestion.probability)
    return RecordView(low=low, high=high, given=given, had=had, least=LEAST_CASES)


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
