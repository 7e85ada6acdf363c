"""GA4GH phenopackets, version 2, in and out.

Public names: `read_phenopackets` and `write_phenopackets`. On the way in, `files` gives one JSON value after another,
`packets` takes each apart (`findings`, `judgements`, `actions`, `times`, `terms`), and `tables` puts the rows together.
"""

from diagnosis.readers.phenopackets.read import read_phenopackets
from diagnosis.readers.phenopackets.write import write_phenopackets

__all__ = ["read_phenopackets", "write_phenopackets"]
