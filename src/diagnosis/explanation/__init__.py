"""Why a diagnosis is suggested: scores taken apart by finding, exactly, and read against the other suggestions.

Public names: `Evidence` (one case's suggestions explained), `SuggestionEvidence`, `Line`, `Contrast` (two diagnoses
side by side), `ProbabilitySplit` (the shown probability as a sum), `explain_case` (the work: encoded case and model ->
evidence), `AnswerCounts` (what training cases answered, for what to ask next), `GlobalEvidence` (what was learned for a
diagnosis, over many cases) with `GlobalFinding`, `Dependence` and `Stability`.
"""

from diagnosis.explanation.answer_counts import AnswerCounts
from diagnosis.explanation.contrast import Contrast, contrast
from diagnosis.explanation.dependence import Dependence
from diagnosis.explanation.evidence import Evidence, Line, SuggestionEvidence
from diagnosis.explanation.explain import explain_case
from diagnosis.explanation.global_evidence import GlobalEvidence, GlobalFinding
from diagnosis.explanation.probability_split import ProbabilitySplit
from diagnosis.explanation.stability import Stability

__all__ = [
    "AnswerCounts",
    "Contrast",
    "Dependence",
    "Evidence",
    "GlobalEvidence",
    "GlobalFinding",
    "Line",
    "ProbabilitySplit",
    "Stability",
    "SuggestionEvidence",
    "contrast",
    "explain_case",
]
