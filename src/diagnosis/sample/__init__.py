"""The synthetic cohort: the tables it is drawn from, the generator, its own posterior, and the shipped sample.

No row stands for a person; for software tests and teaching, not for the care of patients. Public names: `load_sample`
(the shipped cohort as Records), `make_cohort` (a cohort of any size, as Records or straight to a folder), `make_tables`
(the same as plain Arrow tables), `posterior` (the probabilities no model can beat on average), `plant_traps` (faults a
checker should find, with their ledger), `write_sample` (make the shipped files again).
"""

from diagnosis.sample.cohort import make_cohort, make_tables
from diagnosis.sample.load import load_sample, write_sample
from diagnosis.sample.posterior import posterior
from diagnosis.sample.traps import plant_traps

__all__ = ["load_sample", "make_cohort", "make_tables", "plant_traps", "posterior", "write_sample"]
