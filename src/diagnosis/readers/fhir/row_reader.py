"""What the readers of all types of resources share: their rows, and whose and when a resource is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pyarrow as pa

from diagnosis.readers.fhir.references import References
from diagnosis.readers.fhir.rows import Rows
from diagnosis.readers.fhir.times import Clock

__all__ = ["LINKED", "Links", "RowReader"]

#: Columns by which a row is given to a case: the resource, whose it is, the first and last moment that its time may
#: mean, and when it was known.
LINKED: Mapping[str, pa.DataType] = MappingProxyType(
    dict.fromkeys(("resource", "patient", "encounter", "first", "last", "known"), pa.int64())
)


@dataclass(frozen=True, slots=True)
class Links:
    """What tells when a resource was, and which others it names."""

    clock: Clock
    patients: References
    encounters: References
    conditions: References


class RowReader:
    """Reads resources into `rows`.

    Parameters
    ----------
    layout : mapping of str to pa.DataType
        Columns of the rows.
    links : Links

    Attributes
    ----------
    rows : Rows
    """

    def __init__(self, layout: Mapping[str, pa.DataType], links: Links) -> None:
        self.rows = Rows(layout)
        self._time = links.clock.time
        self._patients = links.patients
        self._encounters = links.encounters
