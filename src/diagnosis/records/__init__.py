"""What was observed: cases, findings, who judged what, and when each thing was known.

Public names: `Records` (many cases), `Case` and `Finding` (one by hand), `Report` and `Problem` (what was wrong),
`Moment` (what `as_of` set aside), `Split` and `split` (two sides without a shared patient), `OTHER`, `pool` and
`labels_of` (the diagnosis to learn), `recode` (retired codes brought up to date), `checked_records` (refuses what is no
`Records`), `TABLES` (format 1).
"""

from diagnosis.records.as_of import At, Moment, UnknownTime
from diagnosis.records.case import Case, Finding
from diagnosis.records.coded import CodedFindings
from diagnosis.records.given import checked_records
from diagnosis.records.labels import OTHER, Pooling, Rest, labels_of, pool
from diagnosis.records.recode import Recoded, recode
from diagnosis.records.records import Records
from diagnosis.records.report import Problem, Report
from diagnosis.records.schema import FORMAT, TABLES
from diagnosis.records.splits import Split, split, split_indices

__all__ = [
    "FORMAT",
    "OTHER",
    "TABLES",
    "At",
    "Case",
    "CodedFindings",
    "Finding",
    "Moment",
    "Pooling",
    "Problem",
    "Recoded",
    "Records",
    "Report",
    "Rest",
    "Split",
    "UnknownTime",
    "checked_records",
    "labels_of",
    "pool",
    "recode",
    "split",
    "split_indices",
]
