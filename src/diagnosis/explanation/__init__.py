"""Why a diagnosis is suggested: scores taken apart by finding, exactly, and read against the other suggestions.

Public names: `Evidence` (one case's suggestions explained), `SuggestionEvidence`, `Line`, `Contrast` (two diagnoses
side by side), `explain_case` (the work: encoded case and model -> evidence).
"""

from diagnosis.explanation.contrast import Contrast, contrast
from diagnosis.explanation.evidence import Evidence, Line, SuggestionEvidence
from diagnosis.explanation.explain import explain_case

__all__ = ["Contrast", "Evidence", "Line", "SuggestionEvidence", "contrast", "explain_case"]
