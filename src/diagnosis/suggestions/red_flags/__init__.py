"""Red flags: rules from guidelines that stand beside the model and that no probability suppresses.

A rule is one line of a closed language (`parse`): states of findings, values with units, age, sex, pregnancy, altitude,
and, or, not. About a dozen ship with the package, each with its source; a set of records adds its own in a table
`red_flags`. They work over any vocabulary whose codes, `hpo` or `loinc` name the finding.
"""

from diagnosis.suggestions.red_flags.judging import Judge
from diagnosis.suggestions.red_flags.language import RuleError, parse
from diagnosis.suggestions.red_flags.reach import within_reach
from diagnosis.suggestions.red_flags.table import RedFlag, raised, read_red_flags, red_flags_of, shipped_red_flags

__all__ = [
    "Judge",
    "RedFlag",
    "RuleError",
    "parse",
    "raised",
    "read_red_flags",
    "red_flags_of",
    "shipped_red_flags",
    "within_reach",
]
