"""What training cases answered, by diagnosis, counted once when a diagnoser is fitted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from diagnosis.explanation import AnswerCounts
from diagnosis.features import FindingEncoder
from diagnosis.records import Records
from diagnosis.suggestions.policy import groups_of_cases

__all__ = ["GROUPED_BY", "count_answers"]

#: A question that no training case of the same group was asked is not put to a case.
GROUPED_BY = ("age_band", "sex", "pregnant")


def count_answers(
    records: Records, encoder: FindingEncoder, y: npt.NDArray[np.object_], classes: npt.NDArray[np.object_]
) -> AnswerCounts:
    """Count the answers of training cases; `y` are the diagnoses they are learned as."""
    order = {str(one): i for i, one in enumerate(classes)}
    y_index = np.array([order.get(str(one), -1) for one in y], dtype=np.int64)
    is_value = encoder.lineage_.state == "value"
    groups = groups_of_cases(records, GROUPED_BY)
    return AnswerCounts.of(encoder.transform(records), y_index, len(classes), is_value, groups)
