"""Cases counted and encoded apart give the encoder and the rows of all together, whoever reads them."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from diagnosis import Case, Finding, write_records
from diagnosis.distributed import encode_apart, folder_parts, send_rows, sent_parts
from diagnosis.distributed.parts import shares_of
from diagnosis.errors import InputError
from diagnosis.features import FindingEncoder
from diagnosis.features.apart import count_cases, encoder_of
from diagnosis.records import Records

MOMENT = {"at": 1.0, "unknown_time": "keep"}


def test_counts_are_the_same_however_the_cases_are_cut(cases: Records):
    for options in ({}, {"range_scores": True, "max_codes": 5}, {"reference_ranges": False, "min_cases": 9}):
        encoder = FindingEncoder(**options)
        whole = FindingEncoder(**options).fit(cases).to_json()
        for bounds in ([0, 400], [0, 1, 130, 400], [0, 80, 160, 240, 320, 400]):
            counts = [count_cases(cases[i:j], encoder) for i, j in pairwise(bounds)]
            assert encoder_of(counts, encoder).to_json() == whole
        backwards = [count_cases([cases[200:]], encoder), count_cases([cases[:200]], encoder)]
        assert encoder_of(backwards, encoder).to_json() == whole


def test_what_a_hierarchy_implies_is_counted_as_well():
    tree = {"code": ["rash", "vesicles", "papules"], "parents": [None, "rash", "rash"]}
    codes = ("vesicles", "papules", "rash", "vesicles")
    made = [Case([Finding(code)], diagnosis="flu", case_id=f"c{i}") for i, code in enumerate(codes)]
    records, encoder = Records.from_cases(made, vocabulary=tree), FindingEncoder(hierarchy=True)
    counts = [count_cases(records[i : i + 1], encoder) for i in range(4)]
    assert encoder_of(counts, encoder).to_json() == FindingEncoder(hierarchy=True).fit(records).to_json()


def test_windows_are_counted_over_whole_patients(cases: Records):
    encoder = FindingEncoder(windows=(30, "ever"))
    patients = cases.groups.astype(str)
    early = np.array([int(name[1:]) % 3 == 0 for name in patients])
    counts = [count_cases(cases[early], encoder), count_cases(cases[~early], encoder)]
    assert encoder_of(counts, encoder).to_json() == FindingEncoder(windows=(30, "ever")).fit(cases).to_json()


def test_rows_are_those_of_one_machine(cases: Records, two):
    encoder, spread = encode_apart(two, sent_parts(cases, 2), FindingEncoder())
    X = FindingEncoder().fit_transform(cases)
    assert spread.shape == X.shape
    assert spread.n_entries == X.nnz
    some = np.array([0, 3, 199, 200, 399])
    assert (spread.rows(some) != X[some]).nnz == 0
    assert encoder.get_feature_names_out().tolist() == FindingEncoder().fit(cases).get_feature_names_out().tolist()


@pytest.fixture(scope="module")
def folder(cases: Records, tmp_path_factory: pytest.TempPathFactory):
    return write_records(cases, tmp_path_factory.mktemp("records") / "set", form="parquet")


def in_parts(folder: Path, to: Path) -> Path:
    """The same tables as folders of parts, with groups of rows that end anywhere."""
    shutil.copytree(folder, to)
    for name, rows, group in (("cases", 150, 40), ("findings", 700, 333)):
        table = pq.read_table(to / f"{name}.parquet")
        (to / f"{name}.parquet").unlink()
        (to / name).mkdir()
        for i, start in enumerate(range(0, len(table), rows)):
            pq.write_table(table[start : start + rows], to / name / f"part-{i}.parquet", row_group_size=group)
    return to


def test_workers_read_their_rows_of_a_folder(cases: Records, folder, two, tmp_path):
    taken = np.delete(np.arange(400), np.arange(50, 120))  # a part in the middle that nobody learns from
    seen = cases[taken].as_of(1.0)
    X = FindingEncoder().fit_transform(seen)
    for place in (folder, in_parts(folder, tmp_path / "parts")):
        parts = folder_parts(two, place, seen, **MOMENT)
        assert parts is not None
        assert sum(part.n_cases for part in parts) == len(taken)
        _, spread = encode_apart(two, parts, FindingEncoder())
        assert (spread.rows(np.arange(len(taken))) != X).nnz == 0


def test_a_folder_that_was_changed_is_noticed(cases: Records, folder, two, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    parts = folder_parts(two, copy, cases.as_of(1.0), **MOMENT)
    shutil.rmtree(copy)
    write_records(cases.without(np.arange(len(cases.coded)) == 7), copy, form="parquet")
    with pytest.raises(InputError, match="was changed"):
        encode_apart(two, parts, FindingEncoder())


def test_cases_are_sent_where_workers_cannot_read_them(cases: Records, folder, two, tmp_path):
    csv = write_records(cases, tmp_path / "csv", form="csv")
    assert folder_parts(two, csv, cases, **MOMENT) is None
    assert folder_parts(two, tmp_path / "nowhere", cases, **MOMENT) is None
    assert folder_parts(two, folder, cases[::-1], **MOMENT) is None


def test_every_worker_needs_a_case(cases: Records, three):
    assert shares_of(np.array([5, 5, 5, 5]), 2) == [slice(0, 2), slice(2, 4)]
    with pytest.raises(InputError, match="fewer workers"):
        send_rows(three, np.eye(2))
