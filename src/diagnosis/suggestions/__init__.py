"""All of it for one case: the estimator that learns from records, what it answers, and the folder it is kept in.

Public names: `Diagnoser` (fit, suggest, adapt, save), `Policy` (by which rules), `Differential` and `Suggestion` (the
answer), `Flag`, `load_bundle`.
"""

from diagnosis.suggestions.bundle import load_bundle
from diagnosis.suggestions.diagnoser import Diagnoser
from diagnosis.suggestions.differential import Differential, Suggestion
from diagnosis.suggestions.flags import Flag
from diagnosis.suggestions.policy import Policy

__all__ = ["Diagnoser", "Differential", "Flag", "Policy", "Suggestion", "load_bundle"]
