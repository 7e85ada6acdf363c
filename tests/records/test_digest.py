"""A digest is of what a table says, not of how it is held."""

from __future__ import annotations

import pyarrow as pa
import pytest

from diagnosis.records.digest import digest_of

TEXT = pa.array(["a", None, "发热", ""])
LISTS = pa.array([[1, None], None, []], pa.list_(pa.int64()))
# The second row is missing, and there is 7.5 in memory all the same.
HIDDEN = pa.Array.from_buffers(pa.float64(), 2, [pa.py_buffer(b"\x01"), pa.array([1.5, 7.5]).buffers()[1]])
STRUCTS = pa.array([{"a": 1, "b": "x"}, None])


def digest(array: pa.Array | pa.ChunkedArray) -> str:
    return digest_of({"t": pa.table({"c": array})})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (TEXT, TEXT.cast(pa.large_string())),
        (TEXT, TEXT.cast(pa.string_view())),
        (TEXT, TEXT.dictionary_encode()),
        (TEXT, pa.array(["x", *TEXT.to_pylist()])[1:]),
        (TEXT, pa.chunked_array([TEXT[:1], TEXT[1:1], TEXT[1:]])),
        (pa.array([1.5, None]), pa.array([0.0, 1.5, None])[1:]),
        # What lies under a missing row is nobody's business.
        (pa.array([1.5, None]), HIDDEN),
        (pa.array([True, None, False]), pa.array([False, True, None, False])[1:]),
        (LISTS, pa.concat_arrays([LISTS[:1], LISTS[1:]])),
        (LISTS, LISTS.cast(pa.list_(pa.field("element", pa.int64())))),
        (STRUCTS, pa.concat_arrays([STRUCTS[1:], STRUCTS])[1:]),
        (pa.array([None, 0], pa.timestamp("us", "UTC")), pa.array([5, None, 0], pa.timestamp("us", "UTC"))[1:]),
        (pa.array([None, 0], pa.date32()), pa.array([5, None, 0], pa.date32())[1:]),
        (pa.array([None, b"\xff"]), pa.array([b"", None, b"\xff"])[1:]),
        (pa.array([None, 1], pa.decimal128(5, 2)), pa.array([7, None, 1], pa.decimal128(5, 2))[1:]),
        (pa.nulls(3), pa.chunked_array([pa.nulls(1), pa.nulls(2)])),
    ],
    ids=range(16),
)  # fmt: skip
def test_the_same(one: pa.Array, other: pa.Array) -> None:
    assert digest(one) == digest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.array(["a", "b"]), pa.array(["b", "a"])),
        (pa.array(["ab", "c"]), pa.array(["a", "bc"])),
        (pa.array(["", "a"]), pa.array([None, "a"])),
        (pa.array([0.0]), pa.array([None], pa.float64())),
        (pa.array([None, 1.0]), pa.array([1.0, None])),
        (pa.array([1]), pa.array([1.0])),
        (pa.array([True]), pa.array([False])),
        (pa.array([[1], [2]]), pa.array([[1, 2], []])),
        (pa.array([[]], pa.list_(pa.int64())), pa.array([None], pa.list_(pa.int64()))),
        (pa.array([{"a": 1}]), pa.array([{"b": 1}])),
        (pa.array([0], pa.timestamp("us", "UTC")), pa.array([1], pa.timestamp("us", "UTC"))),
        (pa.nulls(2), pa.nulls(3)),
    ],
    ids=range(12),
)
def test_not_the_same(one: pa.Array, other: pa.Array) -> None:
    assert digest(one) != digest(other)


def test_names_count_and_their_order_does_not() -> None:
    a, b = pa.array([1]), pa.array([2])
    assert digest_of({"t": pa.table({"a": a, "b": b})}) == digest_of({"t": pa.table({"b": b, "a": a})})
    assert digest_of({"t": pa.table({"a": a, "b": b})}) != digest_of({"t": pa.table({"a": b, "b": a})})
    assert digest_of({"t": pa.table({"a": a})}) != digest_of({"u": pa.table({"a": a})})
