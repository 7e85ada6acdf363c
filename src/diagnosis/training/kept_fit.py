"""What fitting makes, as plain files: a fitted encoder and model with out-of-fold scores, and a fold's judgements."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diagnosis.features import FindingEncoder
from diagnosis.models.batch import Batch
from diagnosis.models.files import read_arrays, write_arrays
from diagnosis.models.registry import MODELS
from diagnosis.suggestions.learned import Labelled, OutOfFold
from diagnosis.training.engine import Learning

if TYPE_CHECKING:
    from diagnosis.models.protocol import Model
    from diagnosis.suggestions.masking import Masking
    from diagnosis.training.kept import Kept
    from diagnosis.training.steps import Steps

__all__ = ["LearnOnce", "read_batch", "write_batch"]


class LearnOnce:
    """`learn`, unless its step is finished already: then what it made is read.

    Parameters
    ----------
    kept : Kept
    name : str
        Of the step.
    steps : Steps
    text : str
        What is shown while it lasts.
    learning : callable
        `learn`, or what takes its place.
    """

    def __init__(self, kept: Kept, name: str, steps: Steps, text: str, learning: Learning) -> None:
        self.kept = kept
        self.name = name
        self.steps = steps
        self.text = text
        self.learning = learning

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
        """Take the step, or read it; see `diagnosis.suggestions.learned.learn`."""
        done = self.kept.finished(self.name)
        if done is not None:
            return _read(done)
        with self.steps("fit", self.text):
            made = self.learning(labelled, encoder, model, weight=weight, folds=folds, seed=seed, masking=masking)
            with self.kept.step(self.name) as folder:
                _write(folder, *made)
        return made


def _write(folder: Path, encoder: FindingEncoder, model: Model, oof: OutOfFold) -> None:
    kind = next(name for name, cls in MODELS.items() if type(model) is cls)
    (folder / "encoder.json").write_text(json.dumps({"model": kind, "encoder": encoder.to_json()}), encoding="utf-8")
    (folder / "model").mkdir()
    model.to_files(folder / "model")
    write_arrays(
        folder / "out_of_fold.npz", dict(_given({one.name: getattr(oof, one.name) for one in fields(OutOfFold)}))
    )


def _read(folder: Path) -> tuple[FindingEncoder, Model, OutOfFold]:
    plain = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
    arrays = read_arrays(folder / "out_of_fold.npz")
    given: dict[str, Any] = {one.name: arrays.get(one.name) for one in fields(OutOfFold)}
    oof = OutOfFold(**given)
    return FindingEncoder.from_json(plain["encoder"]), MODELS[plain["model"]].from_files(folder / "model"), oof


def write_batch(folder: Path, batch: Batch, truth: NDArray[np.object_]) -> None:
    """Write the judgements of a fold."""
    plain: dict[str, Any] = {one.name: getattr(batch, one.name) for one in fields(Batch)}
    texts = {name: plain.pop(name) for name in ("coverage", "reading", "as_of")}
    arrays = {name: np.asarray(value, dtype=str) if value.dtype == object else value for name, value in _given(plain)}
    known = np.array([one is not None for one in truth])
    arrays |= {"truth": np.where(known, truth, np.array("", dtype=object)).astype(str), "known": known}
    write_arrays(folder / "batch.npz", arrays)
    (folder / "batch.json").write_text(json.dumps(texts), encoding="utf-8")


def _given(plain: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in plain.items() if value is not None]


def read_batch(folder: Path) -> tuple[Batch, NDArray[np.object_]]:
    """Read what `write_batch` wrote."""
    texts = json.loads((folder / "batch.json").read_text(encoding="utf-8"))
    stored = read_arrays(folder / "batch.npz")
    arrays: dict[str, Any] = {n: one.astype(object) if one.dtype.kind == "U" else one for n, one in stored.items()}
    truth, known = arrays.pop("truth"), arrays.pop("known")
    truth[~known] = None
    return Batch(**arrays, **texts), truth
