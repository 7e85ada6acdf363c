"""How well does it do on many cases: ranking, calibration, sets, flags and abstention, overall and by group.

`evaluate` takes a diagnoser and records, `evaluate_batch` plain arrays; both return an `Evaluation` with intervals over
patients and a list of suspicions about the cases themselves. `cross_evaluate` fits copies by a design and judges every
case by fits that have not seen its patient, `site_matrix` site by site, `open_world` with diagnoses left out; `compare`
puts fitted diagnosers side by side. `find_suspicions` looks at the cases alone; `evaluate_stages` repeats the figures
stage by stage of a visit, `evaluate_verified` on diagnoses a test confirmed, `shift_effects` from one set of records to
another; `participant_flow`, `sample_size`, `label_agreement` and `compare_records` speak of the cases. `concatenate`
puts batches of several models together.
"""

from diagnosis.evaluation.agreement import Agreement, label_agreement
from diagnosis.evaluation.calibration import Reliability
from diagnosis.evaluation.comparing import Comparison, Difference, compare
from diagnosis.evaluation.concatenate import concatenate
from diagnosis.evaluation.cross import cross_evaluate
from diagnosis.evaluation.cross_evaluation import CrossEvaluation, HeldOut, OptimismOf
from diagnosis.evaluation.details import Details
from diagnosis.evaluation.doubtful_labels import DoubtfulLabels, doubtful_labels
from diagnosis.evaluation.duplicates import Twins, find_twins
from diagnosis.evaluation.evaluate import evaluate
from diagnosis.evaluation.evaluate_batch import evaluate_batch
from diagnosis.evaluation.evaluation import Evaluation, Suppressed
from diagnosis.evaluation.flow import Flow, FlowStep, participant_flow
from diagnosis.evaluation.gaps import Gap
from diagnosis.evaluation.open_world import OpenWorld, open_world
from diagnosis.evaluation.reference_lists import ListScores, score_lists
from diagnosis.evaluation.report import EvaluationReport, report
from diagnosis.evaluation.sample_size import SampleSize, sample_size
from diagnosis.evaluation.scores import Scores
from diagnosis.evaluation.shift import ShareDifference, Shift, compare_records
from diagnosis.evaluation.shift_effect import ShiftEffect, ShiftEffects, shift_effects
from diagnosis.evaluation.site_matrix import SiteMatrix, site_matrix
from diagnosis.evaluation.stages import Stage, Stages, StageScores, evaluate_stages
from diagnosis.evaluation.suspicion import Suspicion
from diagnosis.evaluation.suspicions import find_suspicions, score_jump
from diagnosis.evaluation.verification import Verification, VerifiedShare, evaluate_verified

__all__ = [
    "Agreement",
    "Comparison",
    "CrossEvaluation",
    "Details",
    "Difference",
    "DoubtfulLabels",
    "Evaluation",
    "EvaluationReport",
    "Flow",
    "FlowStep",
    "Gap",
    "HeldOut",
    "ListScores",
    "OpenWorld",
    "OptimismOf",
    "Reliability",
    "SampleSize",
    "Scores",
    "ShareDifference",
    "Shift",
    "ShiftEffect",
    "ShiftEffects",
    "SiteMatrix",
    "Stage",
    "StageScores",
    "Stages",
    "Suppressed",
    "Suspicion",
    "Twins",
    "Verification",
    "VerifiedShare",
    "compare",
    "compare_records",
    "concatenate",
    "cross_evaluate",
    "doubtful_labels",
    "evaluate",
    "evaluate_batch",
    "evaluate_stages",
    "evaluate_verified",
    "find_suspicions",
    "find_twins",
    "label_agreement",
    "open_world",
    "participant_flow",
    "report",
    "sample_size",
    "score_jump",
    "score_lists",
    "shift_effects",
    "site_matrix",
]
