"""Trees that several processes grow together: LightGBM's own network, each process with cases of its own.

Every process of the network makes the same boosters in the same order. Histograms are added up over all of them, so
each ends with the same trees. Its sockets are neither encrypted nor authenticated: a trusted network only.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from diagnosis.errors import WorkError
from diagnosis.models.protocol import Matrix
from diagnosis.models.trees import load_lightgbm

__all__ = ["ALONE", "Shared", "Together", "free_port", "joined", "lost_others"]

# Minutes that a process waits for the others before it gives up: theirs may have more cases to put into bins.
_MINUTES = 10


@dataclass(frozen=True, slots=True)
class Together:
    """How a process grows trees with others.

    Attributes
    ----------
    machines : tuple of str
        ``host:port`` of every process, in one order for all; two at least.
    number : int
        Which of them this process is.
    reference : matrix of shape (n_rows, n_columns)
        Cases that the bins of every column come from, the same for all processes. With bins of their own, processes
        whose cases differ (sorted by diagnosis, say) would add up what does not belong together.
    """

    machines: tuple[str, ...]
    number: int
    reference: Matrix


@dataclass(frozen=True, slots=True)
class Shared:
    """What the datasets and boosters of every process have in common.

    Attributes
    ----------
    parameters : dict
        What LightGBM's parameters say beside those of one process.
    bins : lightgbm.Dataset or None
        The bins of every column.
    """

    parameters: dict[str, Any]
    bins: Any


#: For a process that grows its trees by itself.
ALONE = Shared({}, None)


def free_port(host: str) -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as tried:
        tried.bind((host, 0))
        return int(tried.getsockname()[1])


def lost_others() -> WorkError:
    """The error for a network that broke."""
    return WorkError(
        "LightGBM's network between the workers broke: another process ended, or cannot be reached. "
        "See what became of it, and start the run again."
    )


@contextmanager
def joined(together: Together, parameters: dict[str, Any]) -> Iterator[Shared]:
    """Join the network; all that this thread asks of LightGBM meanwhile, the other processes must ask as well.

    Parameters
    ----------
    together : Together
    parameters : dict
        LightGBM's, as of one process.

    Raises
    ------
    WorkError
        The other processes cannot be reached.
    """
    lgb, number, machines = load_lightgbm(), together.number, together.machines
    own = {"tree_learner": "data", "num_machines": len(machines), "pre_partition": True}
    rows: Any = together.reference
    bins = lgb.Dataset(rows, np.zeros(int(rows.shape[0])), params=parameters | own).construct()
    # The network belongs to the thread; a booster is only what opens and closes it.
    holder = lgb.Booster({"verbosity": -1}, lgb.Dataset(np.zeros((2, 1)), [0.0, 1.0], params={"verbosity": -1}))
    try:
        holder.set_network(",".join(machines), int(machines[number].rpartition(":")[2]), _MINUTES, len(machines))
    except lgb.basic.LightGBMError as error:
        raise lost_others() from error
    try:
        yield Shared(own, bins)
    finally:
        holder.free_network()
