"""Records become a sparse matrix here: `FindingEncoder` gives every state of a finding, every measured value and the
patient's age and sex columns of their own, and its `Lineage` leads from each column back to the finding it came from.
`Shards` hold a matrix that is larger than memory. Age bands and the keys of findings are defined here as well, for all
who group by them.
"""

from diagnosis.features.context import AGE_BANDS, age_band
from diagnosis.features.encoder import FindingEncoder
from diagnosis.features.lineage import EARLIER, Lineage
from diagnosis.features.reference import UsedRanges
from diagnosis.features.rows import finding_key
from diagnosis.features.shards import Shards, open_shards
from diagnosis.features.values import ValueScale
from diagnosis.features.windows import checked_windows

__all__ = [
    "AGE_BANDS",
    "EARLIER",
    "FindingEncoder",
    "Lineage",
    "Shards",
    "UsedRanges",
    "ValueScale",
    "age_band",
    "checked_windows",
    "finding_key",
    "open_shards",
]
