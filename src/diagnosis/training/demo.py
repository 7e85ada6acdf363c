"""The demonstration: train on the synthetic sample, judge on unseen patients, show three cases on one page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from diagnosis.training.explaining import review_page
from diagnosis.training.run import TrainingResult, train
from diagnosis.training.schema import AsOf, Config, ModelChoice, SplitPlan
from diagnosis.training.whole_file import write_whole

__all__ = ["Demo", "demo_config", "run_demo"]

_TITLE = {"en": "Demonstration", "zh": "演示"}


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
    write_whole(page, review_page(result.diagnoser, result.test, result.judged, _TITLE))
    return Demo(result, page)


def demo_config(output: str | Path) -> Config:
    """Return the config of the demonstration: that of `configs/sample.yaml`, under a name of its own."""
    model = ModelChoice.model_validate({"kind": "hybrid"})
    split = SplitPlan(by="patient", test=0.25)
    return Config(name="demo", as_of=AsOf(at="index"), split=split, model=model, output=str(output))
