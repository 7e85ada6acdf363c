"""Which cases and patients a model was trained on, as salted digests: enough to recognise them, not to name them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from diagnosis.records import Records

__all__ = ["TrainingIds"]


@dataclass(frozen=True, slots=True)
class TrainingIds:
    """Digests of the training ids.

    Parameters
    ----------
    salt : str
        Made of all the ids in their order: two fits on the same cases are saved byte for byte alike, and digests of
        models that learned other cases cannot be compared.
    digests : frozenset of str
        SHA-256 of salt, kind and id; empty where they did not travel with the model.
    kinds : bool
        False in bundles of format 1, whose digests do not tell a case's id from a patient's.
    """

    salt: str = ""
    digests: frozenset[str] = field(default=frozenset(), repr=False)
    kinds: bool = True

    @classmethod
    def of(cls, case_ids: Iterable[Any], patients: Iterable[Any]) -> TrainingIds:
        """Digest the ids of training cases and their patients."""
        cases, people = list(case_ids), list(patients)
        begun = hashlib.sha256()
        for one in (*cases, *people):
            begun.update(f"{one}\n".encode())
        made = cls(begun.hexdigest()[:32])
        ids = {made._digest("case", i) for i in set(cases)} | {made._digest("patient", i) for i in set(people)}
        return replace(made, digests=frozenset(ids))

    def __len__(self) -> int:
        return len(self.digests)

    def seen(self, records: Records) -> npt.NDArray[np.bool_]:
        """Return which cases were trained on, or are of a patient who was; shape (n_cases,).

        Ids are compared as text, so records of another source that number from 1 as well are taken for the same.
        """
        if not self.digests:
            return np.zeros(len(records), bool)
        return self._known("case", records.case_ids) | self._known("patient", records.groups)

    def trained_on(self, case_ids: npt.NDArray[np.object_]) -> npt.NDArray[np.bool_]:
        """Return which of these are the ids of training cases; shape as given."""
        return self._known("case", case_ids)

    def joined(self, records: Records) -> TrainingIds:
        """Return these with the cases and patients of further records, under the same salt."""
        pairs = (("case", set(records.case_ids)), ("patient", set(records.groups)))
        return replace(self, digests=self.digests | {self._digest(kind, one) for kind, ids in pairs for one in ids})

    def to_json(self) -> dict[str, Any]:
        """The digests as plain values."""
        return {"salt": self.salt, "sha256": sorted(self.digests), "kinds": self.kinds}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> TrainingIds:
        """Read what `to_json` wrote, also by the release before."""
        return cls(str(plain["salt"]), frozenset(map(str, plain["sha256"])), bool(plain.get("kinds", False)))

    def _known(self, kind: str, ids: npt.NDArray[np.object_]) -> npt.NDArray[np.bool_]:
        begun, digests = hashlib.sha256(self._named(kind).encode()), self.digests

        def is_known(one: object) -> bool:
            made = begun.copy()
            made.update(str(one).encode())
            return made.hexdigest() in digests

        return np.fromiter(map(is_known, ids.tolist()), bool, len(ids))

    def _named(self, kind: str) -> str:
        return f"{self.salt}:{kind}:" if self.kinds else f"{self.salt}:"

    def _digest(self, kind: str, one: object) -> str:
        return hashlib.sha256(f"{self._named(kind)}{one}".encode()).hexdigest()
