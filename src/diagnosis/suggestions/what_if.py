"""`WhatIf`: the differential of a case beside that of the same case with some findings changed."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix

from diagnosis.errors import InputError
from diagnosis.records import Records
from diagnosis.suggestions.answers import answer, batch_of, probabilities_of
from diagnosis.suggestions.edits import Change, changed_records

if TYPE_CHECKING:
    import pandas as pd

    from diagnosis.suggestions.differential import Differential

__all__ = ["WhatIf", "what_if"]

_HEAD = {
    "en": ("diagnosis", "as recorded", "changed"),
    "zh": ("诊断", "按记录", "更改后"),
}


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Two differentials of one case: as recorded, and with some findings changed. Nothing recorded is altered.

    Parameters
    ----------
    before, after : Differential
    changes : tuple of Change
        What was changed, finding by finding.
    """

    before: Differential
    after: Differential
    changes: tuple[Change, ...]

    def rows(self) -> list[tuple[str, str, float, float]]:
        """Code, name, probability before and after, of all that stands on either list; by the new probability."""
        codes = [str(c) for c in self.before.diagnoser.codes(self.before.reading)]
        listed = {s.diagnosis for s in (*self.before, *self.after)}
        names = {s.diagnosis: s.name for s in (*self.before, *self.after)}
        made = [
            (code, names[code], float(self.before.proba[k]), float(self.after.proba[k]))
            for k, code in enumerate(codes)
            if code in listed
        ]
        return sorted(made, key=lambda row: (-row[3], row[0]))

    @property
    def first_changes(self) -> bool:
        """Whether another diagnosis comes first."""
        return self.before[0].diagnosis != self.after[0].diagnosis

    def __str__(self) -> str:
        said = "; ".join(change.words() for change in self.changes)
        rows = [f"  {before:6.1%} -> {after:6.1%}  {code}  {name}" for code, name, before, after in self.rows()]
        return "\n".join([f"what if: {said}", *rows])

    def __repr__(self) -> str:
        return f"<WhatIf of case {self.before.case_id}: {len(self.changes)} findings changed>"

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_html(self, lang: str = "en") -> str:
        """A small table, to be put into another page; in English (``en``) or Chinese (``zh``)."""
        said = "; ".join(change.words(lang) for change in self.changes)
        head = "".join(f"<th>{escape(word)}</th>" for word in _HEAD[lang])
        words = self.before.records.vocabulary
        body = "".join(
            f"<tr><td>{escape(words.diagnosis_name(code, lang))}</td><td>{before:.1%}</td><td>{after:.1%}</td></tr>"
            for code, _, before, after in self.rows()
        )
        return f"<table><caption>{escape(said)}</caption><tr>{head}</tr>{body}</table>"

    def to_frame(self) -> pd.DataFrame:
        """One row a diagnosis: its code, name, probability before and after."""
        import pandas as pd

        return pd.DataFrame(self.rows(), columns=["diagnosis", "name", "before", "after"])

    def to_json(self) -> dict[str, Any]:
        """Both differentials and the changes as plain values."""
        return {
            "changes": [change.to_json() for change in self.changes],
            "before": self.before.to_json(),
            "after": self.after.to_json(),
        }


def what_if(differential: Differential, changes: tuple[Change, ...]) -> WhatIf:
    """Score a case anew with some findings changed, the whole way from its records.

    Raises
    ------
    InputError
        There is no change.
    """
    if not changes:
        raise InputError(
            "at least one finding to add, to remove or to flip",
            "none was named",
            "name it: what_if(add=...), what_if(remove=...) or what_if(flip=...)",
        )
    diagnoser, asked = differential.diagnoser, differential.reading
    seen = changed_records(differential.records, changes)
    row = changed_row(differential, seen)
    after = answer(
        diagnoser,
        seen,
        row,
        batch_of(diagnoser, seen, row),
        diagnoser.encoder_.unknown(seen),
        np.array([differential.not_used["after_moment"]]),
        len(differential),
        None if asked == "posterior" else probabilities_of(diagnoser, row, asked),
    )[0]
    return WhatIf(differential, after, changes)


def changed_row(differential: Differential, seen: Records) -> csr_matrix:
    """Encode the changed case; what its patient's earlier encounters say stays as it was."""
    encoder = differential.diagnoser.encoder_
    row = encoder.transform(seen)
    was = differential.row
    if was is None or not encoder.windows:
        return row
    earlier = encoder.lineage_.history[encoder.lineage_.finding]
    kept, new = earlier[was.indices], ~earlier[row.indices]
    columns = np.concatenate([was.indices[kept], row.indices[new]])
    data = np.concatenate([was.data[kept], row.data[new]])
    made = csr_matrix((data, (np.zeros(len(columns), np.int32), columns)), shape=row.shape)
    made.sort_indices()
    return made
