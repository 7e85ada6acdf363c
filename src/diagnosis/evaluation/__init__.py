"""How well does it do on many cases: ranking, calibration, sets, flags and abstention, overall and by group.

`evaluate` takes a diagnoser and records, `evaluate_batch` plain arrays; both return an `Evaluation` with intervals over
patients and a list of suspicions about the cases themselves. `concatenate` puts batches of several models together.
"""

from diagnosis.evaluation.calibration import Reliability
from diagnosis.evaluation.concatenate import concatenate
from diagnosis.evaluation.evaluate import evaluate, evaluate_batch
from diagnosis.evaluation.evaluation import Evaluation, Suppressed
from diagnosis.evaluation.reference_lists import ListScores, score_lists
from diagnosis.evaluation.scores import Scores
from diagnosis.evaluation.suspicion import Suspicion
from diagnosis.evaluation.suspicions import find_suspicions

__all__ = [
    "Evaluation",
    "ListScores",
    "Reliability",
    "Scores",
    "Suppressed",
    "Suspicion",
    "concatenate",
    "evaluate",
    "evaluate_batch",
    "find_suspicions",
    "score_lists",
]
