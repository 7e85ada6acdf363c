"""A few unseen cases explained on one page, which stays in the run's folder: it speaks of patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diagnosis.pages import SummaryRow, render_review
from diagnosis.records import OTHER
from diagnosis.suggestions.case_page import page_of

if TYPE_CHECKING:
    from diagnosis.models.batch import Batch
    from diagnosis.records import Records
    from diagnosis.suggestions import Diagnoser
    from diagnosis.training.asked_once import AskedOnce
    from diagnosis.training.judged import Judged

__all__ = ["choose_cases", "review_page"]

_SHOWN: Mapping[str, dict[str, str]] = {
    "easy": {"en": "An easy case: the diagnosis on record leads the list", "zh": "简单病例：记录的诊断居首位"},
    "hard": {
        "en": "A hard case: the diagnosis on record is on the list, not first",
        "zh": "疑难病例：记录的诊断在列，但非首位",
    },
    "must_not_miss": {"en": "A case of a diagnosis that must not be missed", "zh": "不可漏诊的病例"},
}
_MEASURES = (
    (("top", "1"), {"en": "the diagnosis on record comes first", "zh": "记录的诊断居首位"}),
    (("top", "3"), {"en": "… is among the first three", "zh": "……居前三位"}),
    (("top", "5"), {"en": "… is among the first five", "zh": "……居前五位"}),
    (("log_loss",), {"en": "log-loss", "zh": "对数损失"}),
    (("ece",), {"en": "calibration error", "zh": "校准误差"}),
    (("set", "coverage"), {"en": "the set holds the diagnosis on record", "zh": "预测集包含记录的诊断"}),
    (
        ("must_not_miss", "sensitivity"),
        {"en": "must-not-miss cases that are flagged", "zh": "不可漏诊病例被提示的比例"},
    ),
    (("must_not_miss", "flags_per_case"), {"en": "flags a case", "zh": "每例提示数"}),
)
_SYNTHETIC = {"en": "Synthetic patients, not for care. ", "zh": "合成患者，不得用于诊疗。"}
_INTRO = {
    "en": "{shown} of {n} cases that the model had not seen, chosen as headed.",
    "zh": "以下为模型未见过的 {n} 例中的 {shown} 例，按标题所述选取。",
}


def choose_cases(batch: Batch, truth: NDArray[np.object_]) -> dict[str, int]:
    """Choose an easy case, a hard one, and one of a diagnosis that must not be missed.

    Easy: the true diagnosis comes first with the highest probability of all. Hard: it is among the first five but not
    first, and the first has the lowest probability. Must not be missed: such a true diagnosis, flagged, whose
    probability is nearest to one half. A kind without a case is left out; ties take the earlier case.

    Returns
    -------
    dict of str to int
        Position of the case by kind.
    """
    column = {diagnosis: k for k, diagnosis in enumerate(batch.diagnoses.tolist())}
    named = np.array([d in column and d != OTHER for d in truth.tolist()], dtype=bool)
    k = np.array([column.get(d, 0) for d in truth.tolist()], dtype=np.int64)
    rows = np.arange(len(batch))
    own = batch.proba[rows, k]
    rank = 1 + (batch.proba > own[:, None]).sum(axis=1)
    grave = named & batch.must_not_miss[k]
    wanted = {
        "easy": (named & ~grave & (rank == 1), -own),
        "hard": (named & ~grave & (rank > 1) & (rank <= 5), batch.proba.max(axis=1)),
        "must_not_miss": (grave & batch.flagged[rows, k], np.abs(own - 0.5)),
    }
    return {
        kind: int(np.flatnonzero(mask)[np.argmin(order[mask])]) for kind, (mask, order) in wanted.items() if mask.any()
    }


def review_page(diagnoser: Diagnoser | AskedOnce, test: Records, judged: Judged, title: str | Mapping[str, str]) -> str:
    """Return the page: how the model did, then an easy case, a hard one and a grave one, each explained in full."""
    truth = diagnoser.truth(test)
    chosen = choose_cases(diagnoser.batch(test), truth)
    differentials = diagnoser.suggest(test[np.array(list(chosen.values()), dtype=np.int64)])
    pages = [
        page_of(differential, heading=_SHOWN[kind], outcome=str(truth[row]))
        for (kind, row), differential in zip(chosen.items(), differentials, strict=True)
    ]
    plain, ends = judged.plain, judged.plain["intervals"]
    rows = [SummaryRow(label, _at(plain, path), _interval(ends.get(".".join(path)))) for path, label in _MEASURES]
    before = _SYNTHETIC if test.info.get("synthetic") else dict.fromkeys(_INTRO, "")
    intro = {lang: before[lang] + text.format(shown=len(pages), n=f"{len(test):,}") for lang, text in _INTRO.items()}
    name = {"en": title, "zh": title} if isinstance(title, str) else dict(title)
    return render_review(pages, name, rows, intro=intro)


def _at(plain: Mapping[str, object], path: Sequence[str]) -> float | None:
    found: object = plain
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, float) else None


def _interval(ends: Sequence[float] | None) -> tuple[float, float] | None:
    return None if ends is None else (ends[0], ends[1])
