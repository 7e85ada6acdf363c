"""Codes and what they mean: names, synonyms, hierarchy, units.

Public names: `Vocabulary` and `Term` (names, kinds, parents of findings and diagnoses, nearest match), `convert` and
`is_unit` (UCUM units, between mass and amount of substance where the analyte's molar mass is known).
"""

from diagnosis.vocabulary.term import Term
from diagnosis.vocabulary.terms import Vocabulary
from diagnosis.vocabulary.units import convert, is_unit

__all__ = ["Term", "Vocabulary", "convert", "is_unit"]
