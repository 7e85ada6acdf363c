"""The demonstration: train on the synthetic sample, judge on unseen patients, show three cases on one page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diagnosis.pages import SummaryRow, render_review
from diagnosis.records import OTHER
from diagnosis.suggestions.case_page import page_of
from diagnosis.training.run import TrainingResult, train
from diagnosis.training.schema import AsOf, Config, ModelChoice, SplitPlan
from diagnosis.training.whole_file import write_whole

if TYPE_CHECKING:
    from diagnosis.models.batch import Batch

__all__ = ["Demo", "choose_cases", "demo_config", "run_demo"]

_SHOWN: Mapping[str, dict[str, str]] = {
    "easy": {"en": "An easy case: the diagnosis on record leads the list", "zh": "简单病例：记录的诊断居首位"},
    "hard": {
        "en": "A hard case: the diagnosis on record is on the list, not first",
        "zh": "疑难病例：记录的诊断在列，但非首位",
    },
    "must_not_miss": {"en": "A case of a diagnosis that must not be missed", "zh": "不可漏诊的病例"},
}
_MEASURES = (
    ("top.1", {"en": "the diagnosis on record comes first", "zh": "记录的诊断居首位"}),
    ("top.3", {"en": "… is among the first three", "zh": "……居前三位"}),
    ("top.5", {"en": "… is among the first five", "zh": "……居前五位"}),
    ("log_loss", {"en": "log-loss", "zh": "对数损失"}),
    ("ece", {"en": "calibration error", "zh": "校准误差"}),
    ("set.coverage", {"en": "the set holds the diagnosis on record", "zh": "预测集包含记录的诊断"}),
    ("must_not_miss.sensitivity", {"en": "must-not-miss cases that are flagged", "zh": "不可漏诊病例被提示的比例"}),
    ("must_not_miss.flags_per_case", {"en": "flags a case", "zh": "每例提示数"}),
)
_INTRO = {
    "en": "Synthetic patients, not for care. {shown} of {n} cases that the model had not seen, chosen as headed.",
    "zh": "合成患者，不得用于诊疗。以下为模型未见过的 {n} 例中的 {shown} 例，按标题所述选取。",
}


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demonstration made.

    Parameters
    ----------
    result : TrainingResult
    page : Path
        The review page, one HTML file.
    """

    result: TrainingResult
    page: Path


def run_demo(output: str | Path = "runs/demo") -> Demo:
    """Run the demonstration; needs nothing but the package. Tracked in `mlflow.db` of the working directory."""
    result = train(demo_config(output))
    page = Path(output) / "review.html"
    write_whole(page, _review(result))
    return Demo(result, page)


def demo_config(output: str | Path) -> Config:
    """Return the config of the demonstration: that of `configs/sample.yaml`, under a name of its own."""
    model = ModelChoice.model_validate({"kind": "hybrid"})
    split = SplitPlan(by="patient", test=0.25)
    return Config(name="demo", as_of=AsOf(at="index"), split=split, model=model, output=str(output))


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


def _review(result: TrainingResult) -> str:
    diagnoser, test = result.diagnoser, result.test
    truth = diagnoser.truth(test)
    chosen = choose_cases(diagnoser.batch(test), truth)
    differentials = diagnoser.suggest(test[np.array(list(chosen.values()))])
    pages = [
        page_of(differential, heading=_SHOWN[kind], outcome=str(truth[row]))
        for (kind, row), differential in zip(chosen.items(), differentials, strict=True)
    ]
    found, intervals = result.evaluation.metrics(), result.evaluation.to_json()["intervals"]
    rows = [SummaryRow(label, found.get(name), _interval(intervals.get(name))) for name, label in _MEASURES]
    intro = {lang: text.format(shown=len(pages), n=f"{len(test):,}") for lang, text in _INTRO.items()}
    return render_review(pages, {"en": "Demonstration", "zh": "演示"}, rows, intro=intro)


def _interval(ends: list[float] | None) -> tuple[float, float] | None:
    return None if ends is None else (ends[0], ends[1])
