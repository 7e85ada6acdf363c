"""DDXPlus: synthetic patients of 49 diseases with what they answer, as released by its authors, and drawn anew.

Public names: `read_ddxplus` (a release as records), `sample_ddxplus` (patients drawn from the tables of probabilities).
"""

from diagnosis.readers.ddxplus.reading import read_ddxplus
from diagnosis.readers.ddxplus.sampling import sample_ddxplus

__all__ = ["read_ddxplus", "sample_ddxplus"]
