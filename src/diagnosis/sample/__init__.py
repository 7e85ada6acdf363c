"""Sample room."""

from diagnosis.sample.cohort import make_cohort, make_tables

__all__ = ["make_cohort", "make_tables"]
