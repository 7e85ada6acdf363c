"""All of it for one case: the estimator that learns from records, what it answers, and the folder it is kept in.

Public names: `Diagnoser` (fit, suggest, adapt, save), `Policy` (by which rules), `Differential` and `Suggestion` (the
answer), `WhatIf` (the answer with findings changed), `Question` and `Questions` (what to ask next), `simulate_workup`
and `Workup` (asking through many cases), `global_evidence` (what was learned for a diagnosis), `Flag`, `load_bundle`.
"""

from diagnosis.suggestions.bundle import load_bundle
from diagnosis.suggestions.diagnoser import Diagnoser
from diagnosis.suggestions.differential import Differential, Suggestion
from diagnosis.suggestions.flags import Flag
from diagnosis.suggestions.global_explanation import global_evidence
from diagnosis.suggestions.policy import Policy
from diagnosis.suggestions.questions import Question, Questions
from diagnosis.suggestions.what_if import WhatIf
from diagnosis.suggestions.workup import Workup, simulate_workup

__all__ = [
    "Diagnoser",
    "Differential",
    "Flag",
    "Policy",
    "Question",
    "Questions",
    "Suggestion",
    "WhatIf",
    "Workup",
    "global_evidence",
    "load_bundle",
    "simulate_workup",
]
