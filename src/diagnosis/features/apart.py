"""An encoder whose training cases are counted apart, in any number of places, and learned from together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from diagnosis.features.encoder import FindingEncoder
from diagnosis.features.learning import Learner, check_options, packed
from diagnosis.features.ready import Ready
from diagnosis.features.streaming import Source, over_parts
from diagnosis.records.records import Records

__all__ = ["count_cases", "encoder_of"]


def count_cases(source: Source, encoder: FindingEncoder) -> Learner:
    """Count what some of the training cases show, for the options of an encoder.

    With windows a patient's encounters must all be among them.
    """
    options = encoder.get_params(deep=False)
    check_options(options)

    def counted(parts: Iterator[tuple[Records, Ready | None]]) -> Learner:
        learner = Learner(options)
        for records, ready in parts:
            learner.add(records, ready)
        return learner

    return over_parts(source, counted, partial(packed, wanted=not encoder.hierarchy))


def encoder_of(counts: Iterable[Learner], encoder: FindingEncoder) -> FindingEncoder:
    """Return the encoder that `FindingEncoder.fit` makes of all cases together; the counts are used up.

    Raises
    ------
    InputError
        Nothing in them makes a column.
    """
    together, *others = counts
    for one in others:
        together.merge(one)
    return FindingEncoder.from_json(together.learned().to_json(encoder.get_params(deep=False)))
