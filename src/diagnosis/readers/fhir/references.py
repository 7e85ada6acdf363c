"""What refers to what: references in relative, absolute and urn:uuid form as one 64-bit number for one resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diagnosis.readers.fhir.memory import Memory

__all__ = ["NOBODY", "References", "key_of"]

#: Refers to nothing that can be looked up here.
NOBODY = 0
_KEPT = 1 << 17


def key_of(kind: str, ident: str) -> int:
    """The number of a resource; of 100 million resources two share one with a chance of about 1 in 4,000."""
    return hash(f"{kind}/{ident}") or 1


class References:
    """Reads references to one type of resource.

    ``Encounter/1``, ``https://any.server/fhir/Encounter/1``, ``Encounter/1/_history/2`` and ``urn:uuid:1`` all mean
    the Encounter 1: an export comes from one server, so the server's address tells nothing apart.

    Parameters
    ----------
    kind : str
        The type that is looked for. A reference to another type is `NOBODY`.

    Attributes
    ----------
    unresolvable : int
        References that were a contained resource or a search instead of a name.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.unresolvable = 0
        self._keys = Memory(self._read, _KEPT)

    def __call__(self, reference: Mapping[str, Any] | None) -> int:
        """The number of the resource that is meant; `NOBODY` for none, for another type, for one that has no name."""
        if reference is None:
            return NOBODY
        text = reference.get("reference")
        return NOBODY if text is None else self._keys[text]

    def _read(self, text: str) -> int:
        ident = named(text, self.kind)
        if ident is None:
            self.unresolvable += text[:1] == "#" or "?" in text
            return NOBODY
        return key_of(self.kind, ident)


def named(text: str, kind: str) -> str | None:
    """The id in a reference to a resource of type `kind`; None where it is none.

    Examples
    --------
    >>> named("http://x.org/fhir/Encounter/7/_history/2", "Encounter"), named("Patient/7", "Encounter")
    ('7', None)
    """
    for scheme in ("urn:uuid:", "urn:oid:"):
        if text.startswith(scheme):
            return text[len(scheme) :] or None
    path = text.partition("/_history/")[0].split("/")
    return path[-1] if len(path) > 1 and path[-2] == kind and path[-1] and "?" not in path[-1] else None
