"""Draw a cohort of any size: in memory as tables, or block by block into a folder of Parquet parts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from diagnosis.errors import InputError
from diagnosis.readers.whole_folder import whole_folder
from diagnosis.records import Records
from diagnosis.sample.cases import case_rows, draw_disposition, draw_informant, draw_stay
from diagnosis.sample.chart import new_chart
from diagnosis.sample.clock import draw_clock
from diagnosis.sample.codebook import NOTICE, diagnoses_table, records_info, sites_table, vocabulary_table
from diagnosis.sample.findings import draw_course
from diagnosis.sample.labels import NOISE, draw_labels, draw_recorded
from diagnosis.sample.model import sample_model
from diagnosis.sample.ordering import ask_and_examine, derive_signs, follow_orders, repeat_vitals
from diagnosis.sample.population import PATIENTS_PER_CASE, draw_encounters
from diagnosis.sample.rows import finding_rows
from diagnosis.sample.traps import plant_traps

__all__ = ["BLOCK", "draw_block", "draw_tables", "make_cohort", "make_tables", "write_table"]

#: Cases drawn together, each block from a seed of its own.
BLOCK = 8192
_BLOCKS_PER_PART = 16
_METADATA = {"synthetic": "true", "notice": NOTICE}
_CASE_TABLES = ("cases", "findings", "labels")


@overload
def make_cohort(n_cases: int = ..., seed: int = ..., *, to: None = ..., traps: bool = ...) -> Records: ...
@overload
def make_cohort(n_cases: int = ..., seed: int = ..., *, to: str | Path, traps: bool = ...) -> Path: ...
def make_cohort(
    n_cases: int = 6000, seed: int = 0, *, to: str | Path | None = None, traps: bool = False
) -> Records | Path:
    """Draw a synthetic cohort.

    Parameters
    ----------
    n_cases : int
        Encounters; about three quarters as many patients.
    seed : int
        The same seed and size give the same cohort.
    to : path, optional
        A new folder that receives the tables as Parquet parts, block by block, in memory that does not grow with
        `n_cases`; its path is returned. Without it the cohort is returned as `Records`.
    traps : bool
        Plant the faults that a checker of records should find (see `diagnosis.sample.traps`); in memory only.

    Returns
    -------
    Records or Path

    Raises
    ------
    InputError
        If `n_cases` is not positive, `to` holds something already, or traps are wanted in a folder.
    """
    if to is not None:
        if traps:
            raise InputError("A cohort with traps in a folder.", "Traps are planted in memory only.", "Leave out `to`.")
        return _stream(_checked(n_cases), seed, Path(to))
    tables, illness = draw_tables(n_cases, seed)
    if traps:
        tables, _ = plant_traps(tables, illness, seed)
    return Records.from_tables(tables, records_info(seed))


def make_tables(n_cases: int = 6000, seed: int = 0) -> dict[str, pa.Table]:
    """Return a cohort as plain Arrow tables by name; the same rows as `make_cohort`."""
    return draw_tables(n_cases, seed)[0]


def draw_tables(n_cases: int, seed: int) -> tuple[dict[str, pa.Table], npt.NDArray[np.int64]]:
    """Return a cohort as Arrow tables, and the true illness of each case."""
    blocks = list(_blocks(_checked(n_cases), seed))
    joined = {name: pa.concat_tables([b[name] for b, _ in blocks]).unify_dictionaries() for name in _CASE_TABLES}
    return joined | _codebook(), np.concatenate([illness for _, illness in blocks])


def draw_block(seed: int, block: int, n: int) -> tuple[dict[str, pa.Table], npt.NDArray[np.int64]]:
    """Draw the `block`-th block of a cohort; it depends on the seed, its number and its size alone.

    Returns
    -------
    tables : dict of str to pa.Table
        Cases, findings and labels.
    illness : ndarray of shape (n,)
        The true illness of each case, as an index into the model's illnesses.
    """
    rng = np.random.default_rng([seed, block])
    model = sample_model()
    e = draw_encounters(rng, n)
    chart = new_chart(rng, model, e)
    ask_and_examine(rng, chart, model)
    follow_orders(rng, chart, model)
    repeat_vitals(rng, chart, model)
    derive_signs(chart, model)
    draw_course(rng, chart, model, np.where(np.isnan(e.age_days), e.age_years * 365.25, e.age_days))
    disposition = draw_disposition(rng, model, e.state, e.site)
    clock = draw_clock(rng, model, e.start, e.site, draw_stay(rng, disposition), chart.status >= 0)
    recorded = draw_recorded(rng, e.illness, chart.context, NOISE)
    informant = draw_informant(rng, chart)
    ids = _ids("C", block * BLOCK, np.arange(n)), _ids("P", round(block * BLOCK * PATIENTS_PER_CASE), e.patient)
    tables = {
        "cases": case_rows(rng, model, e, chart, clock, ids, informant, recorded, disposition),
        "findings": finding_rows(chart, clock, ids[0], informant, model),
        "labels": draw_labels(rng, model, ids[0], e, chart.context, recorded, clock),
    }
    return tables, e.illness


def write_table(table: pa.Table, path: Path) -> None:
    """Write one table as Parquet, marked as synthetic; equal tables give equal bytes."""
    pq.write_table(table.replace_schema_metadata(_METADATA), path, compression="zstd", compression_level=9)


def _checked(n_cases: int) -> int:
    if n_cases < 1:
        raise InputError("A cohort of at least one case.", f"`n_cases` is {n_cases}.", "Ask for a positive number.")
    return n_cases


def _codebook() -> dict[str, pa.Table]:
    return {"vocabulary": vocabulary_table(), "diagnoses": diagnoses_table(), "sites": sites_table()}


def _blocks(n_cases: int, seed: int) -> Iterator[tuple[dict[str, pa.Table], npt.NDArray[np.int64]]]:
    for block, first in enumerate(range(0, n_cases, BLOCK)):
        yield draw_block(seed, block, min(BLOCK, n_cases - first))


def _stream(n_cases: int, seed: int, target: Path) -> Path:
    """Write the cohort beside `target` and move it there when it is whole."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError("An empty or new folder for the cohort.", f"{target} holds something.", "Name another one.")
    with whole_folder(target) as made:
        _write_parts(n_cases, seed, made)
        for name, table in _codebook().items():
            write_table(table, made / f"{name}.parquet")
        text = json.dumps(records_info(seed), indent=1, ensure_ascii=False)
        (made / "records.json").write_text(text + "\n", encoding="utf-8")
    return target


def _write_parts(n_cases: int, seed: int, folder: Path) -> None:
    writers: dict[str, pq.ParquetWriter] = {}
    for name in _CASE_TABLES:
        (folder / name).mkdir()
    try:
        for block, (tables, _) in enumerate(_blocks(n_cases, seed)):
            part, within = divmod(block, _BLOCKS_PER_PART)
            for name, table in tables.items():
                marked = table.replace_schema_metadata(_METADATA)
                if within == 0:
                    if name in writers:
                        writers[name].close()
                    path = folder / name / f"part-{part:05d}.parquet"
                    writers[name] = pq.ParquetWriter(path, marked.schema, compression="zstd")
                writers[name].write_table(marked)
    finally:
        for writer in writers.values():
            writer.close()


def _ids(letter: str, first: int, index: npt.NDArray[np.int64]) -> pa.Array:
    return pa.array(np.char.add(letter, np.char.zfill((first + 1 + index).astype(str), 7)), pa.string())
