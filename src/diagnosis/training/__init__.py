"""One config file, one run: a fitted, evaluated, tracked and saved diagnoser.

`read_config` reads the file into a closed `Config` (`config_schema` describes it to editors), `train` runs it and
returns a `TrainingResult`, `run_demo` trains on the synthetic sample and writes a review page. `tune` chooses options
by cross-validation on the training side and writes the best config.
"""

from diagnosis.training.config import Config, config_schema, read_config
from diagnosis.training.demo import Demo, run_demo
from diagnosis.training.result import TrainingResult
from diagnosis.training.run import train
from diagnosis.training.tuning import tune
from diagnosis.training.tuning_result import TuningResult

__all__ = [
    "Config",
    "Demo",
    "TrainingResult",
    "TuningResult",
    "config_schema",
    "read_config",
    "run_demo",
    "train",
    "tune",
]
