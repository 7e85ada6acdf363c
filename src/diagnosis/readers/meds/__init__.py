"""The Medical Event Data Standard, 0.3 and 0.4, in and out.

Public names: `read_meds`, `write_meds`, `MedsCodes`. On the way in, `files` checks the shards, `events` turns each into
arrays, `windows` finds the cases and what falls into them, and `shard` writes their rows; `own` reads what `write_meds`
wrote, in the `layout` that both know.
"""

from diagnosis.readers.meds.codes import MedsCodes
from diagnosis.readers.meds.read import read_meds
from diagnosis.readers.meds.write import write_meds

__all__ = ["MedsCodes", "read_meds", "write_meds"]
