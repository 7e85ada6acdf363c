"""Matrix to scores: models that give every diagnosis a score which is a sum, and what is chosen on such scores.

A model learns from encoded cases (a sparse or dense matrix) and answers with one float64 score a diagnosis; the softmax
is the probability, and `contributions` takes the score apart by column, exactly. Around the models stand cross-fitting
that keeps patients whole, the temperature, conformal sets and the must-not-miss thresholds. Nothing here knows what a
column means. LightGBM is loaded when a boosted model is first fitted or used.
"""

from __future__ import annotations

from diagnosis.models.boosted import BoostedModel
from diagnosis.models.calibration import fit_temperature, log_softmax, softmax
from diagnosis.models.conformal import lac_quantile, sets
from diagnosis.models.crossfit import fit_with_cross_scores
from diagnosis.models.folds import grouped_folds
from diagnosis.models.hybrid import HybridModel
from diagnosis.models.linear import LinearModel
from diagnosis.models.policy import BurdenPoint, burden_curve, flag_thresholds
from diagnosis.models.protocol import Contributions, CrossFitted, Model
from diagnosis.models.ranker import Knowledge, RankerModel
from diagnosis.models.registry import MODELS, choose_kind, make_model

__all__ = [
    "MODELS",
    "BoostedModel",
    "BurdenPoint",
    "Contributions",
    "CrossFitted",
    "HybridModel",
    "Knowledge",
    "LinearModel",
    "Model",
    "RankerModel",
    "burden_curve",
    "choose_kind",
    "fit_temperature",
    "fit_with_cross_scores",
    "flag_thresholds",
    "grouped_folds",
    "lac_quantile",
    "log_softmax",
    "make_model",
    "sets",
    "softmax",
]
