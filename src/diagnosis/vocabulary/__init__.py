"""Codes and what they mean: names, synonyms, hierarchy, units.

Public names: `Vocabulary` (names, kinds, parents of findings and diagnoses, nearest match) and `convert`, `is_unit`
(UCUM units, between mass and amount of substance where the analyte's molar mass is known).
"""

from diagnosis.vocabulary.terms import Term, Vocabulary
from diagnosis.vocabulary.units import convert, is_unit

__all__ = ["Term", "Vocabulary", "convert", "is_unit"]
