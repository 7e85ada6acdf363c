"""The JSON values of lines: the same from both parsers."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnosis.readers.json_values import BadValueError, Decoder

TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
ODD = [
    *(b'{"a": 1} x', b'{"a": 1', b"", b"[" * 5000, b'{"a": NaN}', b'{"a": "\xff"}', b'"\\ud800"', b"1e999", b"01"),
    *(b'\xef\xbb\xbf{"a": 1}\r\n', b'{"a": 1, "a": 2}', b'{"a": "\x01"}', b"-0"),
]


def value_of(line: bytes, fast: object) -> tuple[str, object]:
    decoder = Decoder()
    decoder._fast = fast  # type: ignore[assignment]
    try:
        return "value", decoder.value(line)
    except BadValueError as error:
        return "refused", str(error)


@pytest.mark.parametrize("line", ODD)
def test_both_parsers_take_and_refuse_the_same_lines(line: bytes) -> None:
    assert value_of(line, orjson.loads) == value_of(line, None)


@given(TREES, st.booleans())
def test_both_parsers_read_the_same_values(tree: object, ascii: bool) -> None:
    line = json.dumps(tree, ensure_ascii=ascii).encode("utf-8", "surrogatepass")
    fast, plain = value_of(line, orjson.loads), value_of(line, None)
    assert (fast, repr(fast)) == (plain, repr(plain))


def test_another_encoding_is_left_to_pythons_parser() -> None:
    assert Decoder("gb18030").value('{"a": "发热"}'.encode("gb18030")) == {"a": "发热"}
    assert Decoder("utf8")._fast is orjson.loads
