"""Codes and what they mean: names, synonyms, hierarchy, units, reference ranges.

Public names: `Vocabulary` and `Term` (names, kinds, parents of findings and diagnoses, nearest match),
`read_vocabulary` (from a CSV, an OBO file or an OBO Graphs file), `IcdCode`, `parse_icd10` and `roll_up` (diagnosis
codes with their edition), `convert` and `is_unit` (UCUM units, between mass and amount of substance where the analyte's
molar mass is known), `ucum_of` (common spellings of them), `suspected_unit_swaps` (impossible in one unit, possible in
another), `Range`, `Ranges`, `reference_range` and `reference_ranges` (what is usual by age, sex, specimen, altitude and
pregnancy).
"""

from diagnosis.vocabulary.icd import IcdCode, parse_icd10, roll_up
from diagnosis.vocabulary.ranges import Range, Ranges, reference_range, reference_ranges
from diagnosis.vocabulary.reading import read_vocabulary
from diagnosis.vocabulary.term import Term
from diagnosis.vocabulary.terms import Vocabulary
from diagnosis.vocabulary.unit_swaps import suspected_unit_swaps
from diagnosis.vocabulary.units import convert, is_unit, ucum_of

__all__ = [
    "IcdCode",
    "Range",
    "Ranges",
    "Term",
    "Vocabulary",
    "convert",
    "is_unit",
    "parse_icd10",
    "read_vocabulary",
    "reference_range",
    "reference_ranges",
    "roll_up",
    "suspected_unit_swaps",
    "ucum_of",
]
