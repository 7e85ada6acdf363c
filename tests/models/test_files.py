"""Plain files: byte-stable, and nothing that could run code."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnosis.errors import BundleError
from diagnosis.models.files import read_arrays, read_json, write_arrays, write_json


def test_two_writes_of_arrays_are_byte_equal(tmp_path, monkeypatch):
    arrays = {"b": np.arange(6.0).reshape(2, 3), "a": np.array([1.5, np.nan])}
    write_arrays(tmp_path / "one.npz", arrays)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 86_400 * 400)
    write_arrays(tmp_path / "two.npz", dict(reversed(arrays.items())))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    for name, array in read_arrays(tmp_path / "two.npz").items():
        np.testing.assert_array_equal(array, arrays[name])


def test_object_arrays_are_neither_written_nor_read(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"):
        write_arrays(tmp_path / "a.npz", {"a": np.array([{}], dtype=object)})
    np.savez(tmp_path / "b.npz", a=np.array([{}], dtype=object))
    with pytest.raises(BundleError):
        read_arrays(tmp_path / "b.npz")


def test_what_is_no_npz_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(3))
    with pytest.raises(BundleError):
        read_arrays(tmp_path / "a.npy")
    with pytest.raises(BundleError):
        read_arrays(tmp_path / "missing.npz")


texts = st.text(st.characters(exclude_categories=["Cs"]))


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(texts, st.one_of(texts, st.floats(allow_nan=False, allow_infinity=False), st.integers())))
def test_json_comes_back_and_floats_keep_every_bit(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("json") / "a.json"
    stored = {"kind": "test", "format": 1, "content": content}
    write_json(path, stored)
    assert read_json(path, "test") == stored


@pytest.mark.parametrize("text", ["[]", "{", '{"kind": "other", "format": 1}', '{"kind": "test", "format": 2}', "null"])
def test_other_json_is_refused(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(BundleError):
        read_json(path, "test")


def test_numbers_json_does_not_have_are_refused(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
