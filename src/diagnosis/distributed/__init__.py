"""Work on more than one machine, with Dask: cases are read, counted and encoded by its workers, each of which keeps its
share of the matrix; the linear model is fitted by sums over them, trees are grown by LightGBM's own network between
them. `workers_here` starts workers on this machine, `workers_at` uses those of a cluster; `encode_apart` and
`fit_apart` do there what `FindingEncoder.fit_transform` and `fit_with_cross_scores` do on one machine. Dask sends
Python objects (pickle) between its processes: only in a network whose every machine is trusted.
"""

from diagnosis.distributed.cluster import Workers, check_dask, workers_at, workers_here
from diagnosis.distributed.fitting import check_model, fit_apart
from diagnosis.distributed.folder import folder_parts
from diagnosis.distributed.parts import CasePart, SentPart, sent_parts
from diagnosis.distributed.spread import Spread, encode_apart, send_rows

__all__ = [
    "CasePart",
    "SentPart",
    "Spread",
    "Workers",
    "check_dask",
    "check_model",
    "encode_apart",
    "fit_apart",
    "folder_parts",
    "send_rows",
    "sent_parts",
    "workers_at",
    "workers_here",
]
