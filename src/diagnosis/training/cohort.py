"""Which cases take part in a run, with every case that does not counted under its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diagnosis.errors import InputError

if TYPE_CHECKING:
    from diagnosis.records import Records
    from diagnosis.records.as_of import Moment
    from diagnosis.training.schema import Config

__all__ = ["Taken", "take_part"]


@dataclass(frozen=True, slots=True)
class Taken:
    """The cases that take part, seen as of the config's moment.

    Parameters
    ----------
    records : Records
    flow : mapping of str to int
        `read`, then one `excluded: REASON` for each reason, `findings`, `later findings set aside`, how many of them
        are without a time and how many cases without a moment, and `taken`.
    """

    records: Records
    flow: dict[str, int]


def take_part(records: Records, config: Config) -> Taken:
    """Keep the cases of the cohort that have a label, as of the config's moment.

    A case without a `visit` counts as `unknown`. A case without a label under the rule of the config can neither teach
    nor be judged: it is left out and counted.

    Raises
    ------
    InputError
        If no case is left.
    """
    flow = {"read": len(records)}
    visits = np.array([visit or "unknown" for visit in records.column("visit")], dtype=object)
    kept = _keep(records, np.isin(visits, list(config.cohort.visit)), visits, "visit", flow)
    labels = kept.labels(config.labels.status)
    has_label = np.array([label is not None for label in labels], dtype=bool)
    kept = _keep(kept, has_label, np.full(len(kept), "none", dtype=object), "label", flow)
    if not len(kept):
        raise InputError(
            f"Labelled cases with a visit of {_list(config.cohort.visit)} were asked for",
            "; ".join(f"{reason}: {n:,}" for reason, n in flow.items()),
            "Check cohort.visit and labels.status, and the columns visit and diagnosis.",
        )
    seen = kept.as_of(config.as_of.at, unknown_time=config.as_of.unknown_time)
    flow |= _set_aside(seen.moment)
    flow["taken"] = len(seen)
    return Taken(seen, flow)


def _set_aside(moment: Moment | None) -> dict[str, int]:
    """Count the findings that were known later, and those of which nobody can say."""
    if moment is None:
        return {}
    flow = {"findings": moment.rows, "later findings set aside": moment.later}
    if moment.untimed:
        flow[f"findings without a time, {'kept' if moment.unknown_time == 'keep' else 'set aside'}"] = moment.untimed
    if moment.no_moment:
        flow["cases that do not say when their moment is"] = moment.no_moment
    return flow


def _keep(
    records: Records, mask: NDArray[np.bool_], values: NDArray[np.object_], name: str, flow: dict[str, int]
) -> Records:
    """Take the cases of the mask; count the others by value."""
    if mask.all():
        return records
    for value, n in sorted(Counter(values[~mask].tolist()).items()):
        flow[f"excluded: {name} {value}"] = n
    return records[mask]


def _list(names: Sequence[str]) -> str:
    return " or ".join(names)
