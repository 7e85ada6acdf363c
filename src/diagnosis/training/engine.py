"""Where a run encodes and fits: on this machine, or on the workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray

from diagnosis.distributed import (
    Spread,
    Workers,
    check_dask,
    check_model,
    encode_apart,
    fit_apart,
    folder_parts,
    send_rows,
    sent_parts,
    workers_at,
    workers_here,
)
from diagnosis.errors import ConfigError
from diagnosis.features import FindingEncoder
from diagnosis.models.registry import AUTO
from diagnosis.suggestions.learned import OutOfFold, learn
from diagnosis.suggestions.masking import wants_copies, with_copies
from diagnosis.suggestions.structure import with_columns
from diagnosis.training.building import build_diagnoser

if TYPE_CHECKING:
    from diagnosis.distributed import CasePart
    from diagnosis.models.protocol import Model
    from diagnosis.suggestions.learned import Labelled
    from diagnosis.suggestions.masking import Masking
    from diagnosis.training.schema import Config

__all__ = ["Learning", "SpreadLearning", "learning_on", "where_done"]

Learning: TypeAlias = Callable[..., tuple[FindingEncoder, "Model", OutOfFold]]


@contextmanager
def learning_on(config: Config) -> Iterator[Learning]:
    """Give what stands for `diagnosis.suggestions.learned.learn` under the config's engine.

    Raises
    ------
    InputError
        Dask is not installed, there is no scheduler at the address, or too few workers.
    ConfigError
        The model is fitted on one machine only.
    """
    if config.engine == "local":
        yield learn
        return
    check_dask()
    _check(config)
    plan = config.dask
    here = workers_here(plan.workers or max(2, effective_n_jobs(-1)))
    with here if plan.scheduler is None else workers_at(plan.scheduler, plan.workers) as workers:
        yield SpreadLearning(workers, config)


def _check(config: Config) -> None:
    if config.model.kind == "ranker":
        raise ConfigError(
            "engine: dask fits linear, boosted and hybrid models",
            "The config has the kind 'ranker'",
            "Choose another kind, or engine: local.",
        )
    model = build_diagnoser(config).model
    if model != AUTO:
        check_model(model)


def where_done(config: Config) -> str:
    """Say what of a run was done where; nothing where all of it was done here."""
    if config.engine == "local":
        return ""
    return (
        " Counted, encoded and fitted by Dask workers; checked, split, calibrated, evaluated and explained on this "
        "machine."
    )


class SpreadLearning:
    """`learn`, with the cases spread over workers.

    Parameters
    ----------
    workers : Workers
    config : Config
    """

    def __init__(self, workers: Workers, config: Config) -> None:
        self.workers = workers
        self.config = config

    def __call__(
        self,
        labelled: Labelled,
        encoder: FindingEncoder,
        model: Model,
        *,
        weight: NDArray[np.float64] | None,
        folds: int,
        seed: int,
        masking: Masking = "auto",
    ) -> tuple[FindingEncoder, Model, OutOfFold]:
        """Encode and fit; see `diagnosis.suggestions.learned.learn`."""
        case: NDArray[np.int64] = np.arange(len(labelled.records), dtype=np.int64)
        encoder, spread = self._encoded(labelled, encoder)
        if wants_copies(masking, labelled.records):
            X = encoder.transform(labelled.given)[labelled.rows]
            both = with_copies(X, labelled.given, labelled.rows, encoder, seed, masking)
            spread, case = send_rows(self.workers, both.X), both.case
            weight = both.weight * (1.0 if weight is None else weight[case])
        fitted, scores = fit_apart(
            spread,
            labelled.y[case].astype(str),
            with_columns(model, encoder, labelled.records.vocabulary),
            sample_weight=weight,
            groups=labelled.groups[case],
            also=labelled.also_at(case),
            folds=folds,
            seed=seed,
        )
        return encoder, fitted, OutOfFold(scores, case, weight)

    def _encoded(self, labelled: Labelled, encoder: FindingEncoder) -> tuple[FindingEncoder, Spread]:
        """Encode on the workers; here, where windows look back at encounters that lie elsewhere."""
        if encoder.windows:
            X = encoder.fit(labelled.records).transform(labelled.given)[labelled.rows]
            return encoder, send_rows(self.workers, X)
        return encode_apart(self.workers, self._parts(labelled), encoder)

    def _parts(self, labelled: Labelled) -> list[CasePart]:
        """Rows of the folder, where the workers can read it; otherwise the cases themselves."""
        source, moment = self.config.records, self.config.as_of
        if source.format == "tables" and source.path is not None:
            parts = folder_parts(
                self.workers, source.path, labelled.records, at=moment.at, unknown_time=moment.unknown_time
            )
            if parts is not None:
                return parts
        return sent_parts(labelled.records, len(self.workers))
