"""What a case says through the hierarchy, so that answers to questions are spread as the encoder would spread them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diagnosis.explanation.answered_rows import Kin, state_columns

if TYPE_CHECKING:
    from diagnosis.records import Records
    from diagnosis.suggestions.diagnoser import Diagnoser

__all__ = ["kin_of"]


def kin_of(diagnoser: Diagnoser, case: Records) -> Kin | None:
    """Return what a case's findings say of others; None where the encoder knows no hierarchy.

    Parameters
    ----------
    diagnoser : Diagnoser
    case : Records
        One case.
    """
    encoder, words = diagnoser.encoder_, diagnoser.vocabulary_
    if not encoder.hierarchy:
        return None
    lineage = encoder.lineage_
    own = np.flatnonzero(~lineage.context).tolist()
    place = {(str(lineage.key_code[k]), lineage.key_subject[k]): k for k in own}
    by_name = {str(lineage.keys[k]): k for k in own}
    recorded = set(np.flatnonzero(encoder.recorded(case).toarray()[0]).tolist())
    present, absent = state_columns(lineage, "present"), state_columns(lineage, "absent")
    above: dict[int, tuple[int, ...]] = {}
    below: dict[int, list[int]] = {}
    for (code, subject), key in place.items():
        broader = [place[one, subject] for one in sorted(words.ancestors(code)) if (one, subject) in place]
        above[key] = tuple(k for k in broader if present[k] >= 0 and k not in recorded)
        for k in broader:
            if absent[key] >= 0 and key not in recorded:
                below.setdefault(k, []).append(key)
    sources = {
        by_name[key]: tuple(by_name[one] for one in from_ if one in by_name)
        for key, from_ in encoder.inherited(case)[0].items()
    }
    return Kin(above, {key: tuple(narrower) for key, narrower in below.items()}, sources)
