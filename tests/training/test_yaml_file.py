"""The plain part of YAML, and nothing that can mean something else than it seems to say."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from diagnosis.errors import ConfigError
from diagnosis.training.yaml_file import parse_value, parse_yaml

keys = st.text("abcdefgh_", min_size=1, max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("abcXYZ 0123456789:-#,[]{}'\"~!&*.é发热", max_size=12)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8
)


@given(st.dictionaries(keys, values, max_size=4))
def test_what_is_written_as_json_is_read_back(plain):
    import json

    assert parse_yaml(json.dumps(plain), "x").value == plain


@given(st.dictionaries(keys, st.integers() | st.booleans() | st.none(), max_size=4))
def test_what_pyyaml_writes_plainly_is_read_back(plain):
    assert (parse_yaml(yaml.safe_dump(plain, default_flow_style=False), "x").value or {}) == plain


@pytest.mark.parametrize(
    "text", ["no", "yes", "on", "off", "12:30", "010", "1_000", "2024-01-01", "0x1f", "=", "1.2.3"]
)
def test_old_yaml_surprises_stay_text(text):
    assert parse_value(text, "x") == text


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 1e-3), ("-2", -2), ("+.5", 0.5), ("2.", 2.0), ("true", True), ("False", False), ("~", None), ("", None)],
)
def test_numbers_booleans_and_null(text, value):
    found = parse_value(text, "x")
    assert found == value
    assert type(found) is type(value)


def test_infinity_and_nan_are_numbers():
    assert parse_value("-.inf", "x") == float("-inf")
    assert parse_value(".nan", "x") != parse_value(".nan", "x")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: &x 2\n", "Line 2 has an anchor"),
        ("a: 1\nb: *x\n", "Line 2 has an anchor or an alias"),
        ("a:\n  <<: {b: 1}\n", "Line 2 has a merge key"),
        ("a: !!python/object/apply:os.system [ls]\n", "Line 1 has a tag"),
        ("a: !!int 3\n", "Line 1 has a tag"),
        ("a: 1\nb: 2\na: 3\n", "Line 3 has the key 'a' a second time (first in line 1)"),
        ("a: {b: 1, b: 2}\n", "the key 'b' a second time"),
        ("1: a\n", "Line 1 has a key that is not text"),
        ("[a]: b\n", "Line 1 has a key that is not text"),
        ("a: [1\nb: 2\n", "Line 2:"),
        ("a: b: c\n", "Line 1: mapping values are not allowed here"),
        ("a: 1\n---\nb: 2\n", "another document"),
        ("\ta: 1\n", "Line 1:"),
        pytest.param("a: 1\nb: 1" + "0" * 5000, "Line 2 has a number of more than 300 digits", id="digits"),
        pytest.param("a: " + "[" * 1200 + "]" * 1200, "too deep", id="deep"),
    ],
)
def test_refused_with_the_line(text, says):
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "the file")
    assert says in str(caught.value)
    assert str(caught.value).startswith("the file must be")


def test_lines_of_nested_keys():
    lines = parse_yaml("a: 1\n\nb:\n  c: [x,\n    y]\n  d: 2\n", "x").lines
    assert lines[("a",)] == 1
    assert lines[("b", "c")] == 4
    assert lines[("b", "c", 1)] == 5
    assert lines[("b", "d")] == 6
