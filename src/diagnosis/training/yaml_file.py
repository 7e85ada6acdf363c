"""A YAML text as plain values with the line of every key; the plain part of YAML only.

Scalars follow the YAML 1.2 core schema, so `no`, `12:30`, `010` and `2024-01-01` stay text and `1e-3` is a number.
Anchors, aliases, merge keys, tags, duplicate keys and keys that are not text are refused: each of them can make a
file mean something else than it seems to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import yaml

from diagnosis.errors import ConfigError

__all__ = ["KeyPath", "Parsed", "dump_yaml", "parse_value", "parse_yaml"]

KeyPath = tuple[str | int, ...]
_DIGITS = 300


@dataclass(frozen=True, slots=True)
class Parsed:
    """Plain values (dict, list, str, int, float, bool, None) and, for each key path, its 1-based line."""

    value: object
    lines: Mapping[KeyPath, int]


class _CoreLoader(yaml.SafeLoader):
    """Resolves scalars as YAML 1.2's core schema does."""


_CORE = (
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("tag:yaml.org,2002:int", r"^[-+]?(?:0|[1-9][0-9]*)$", list("-+0123456789")),
    (
        "tag:yaml.org,2002:float",
        r"^(?:[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        list("-+.0123456789"),
    ),
)
_CoreLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in _CORE:
    _CoreLoader.add_implicit_resolver(_tag, re.compile(_pattern), _first)


class _CoreDumper(yaml.SafeDumper):
    """Quotes text that YAML 1.1 or YAML 1.2's core schema would take for something else; writes no anchors."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


# `1e-3` is text in YAML 1.1, and a number in the core schema.
_CoreDumper.yaml_implicit_resolvers = {
    first: [
        *yaml.SafeDumper.yaml_implicit_resolvers.get(first, []),
        *_CoreLoader.yaml_implicit_resolvers.get(first, []),
    ]
    for first in {*yaml.SafeDumper.yaml_implicit_resolvers, *_CoreLoader.yaml_implicit_resolvers}
}


def dump_yaml(value: object) -> str:
    """Write plain values as YAML that `parse_yaml` reads back as they are; keys keep their order.

    Examples
    --------
    >>> dump_yaml({"name": "1e-3", "C": 0.5})
    "name: '1e-3'\\nC: 0.5\\n"
    """
    text: str = yaml.dump(value, Dumper=_CoreDumper, allow_unicode=True, sort_keys=False, width=120)
    return text


def parse_yaml(text: str, source: str) -> Parsed:
    """Read one YAML document.

    Parameters
    ----------
    text : str
        The document.
    source : str
        What to call it in messages, such as the file's name.

    Raises
    ------
    ConfigError
        If it is not YAML, or uses more than its plain part; the message names the line.
    """
    try:
        _refuse_events(text, source)
        node = yaml.compose(text, Loader=_CoreLoader)
    except yaml.YAMLError as error:
        raise _not_yaml(error, source) from None
    except RecursionError:
        raise ConfigError(
            f"{source} must be YAML", "Its brackets stand in one another too deep", "Correct it."
        ) from None
    lines: dict[KeyPath, int] = {}
    value = None if node is None else _value(node, (), lines, source)
    return Parsed(value, MappingProxyType(lines))


def parse_value(text: str, source: str) -> object:
    """Read one YAML value, as in `--set a.b=VALUE`."""
    return parse_yaml(text, source).value


def _refuse_events(text: str, source: str) -> None:
    for event in yaml.parse(text, Loader=_CoreLoader):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _refused(source, line, "an anchor or an alias (& or *)", "Write the value out where it is used.")
        if getattr(event, "tag", None) is not None:
            raise _refused(source, line, "a tag (!)", "Remove it; values are text, numbers, true, false or null.")


def _value(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], source: str) -> object:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines, source)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, i), lines, source) for i, item in enumerate(node.value)]
    kind, text = node.tag.rpartition(":")[2], str(node.value)
    if kind in ("int", "float") and len(text) > _DIGITS:
        raise _refused(source, node.start_mark.line + 1, f"a number of more than {_DIGITS} digits", "Write another.")
    return _scalar(kind, text)


def _scalar(kind: str, text: str) -> object:
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int":
        return int(text)
    if kind == "float":
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def _mapping(node: yaml.MappingNode, path: KeyPath, lines: dict[KeyPath, int], source: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
        if not isinstance(key, str) or key_node.tag != "tag:yaml.org,2002:str":
            raise _refused(source, line, "a key that is not text", "Use the names of the documented keys.")
        if key == "<<":
            raise _refused(source, line, "a merge key (<<)", "Write the values out where they are used.")
        if key in found:
            first = lines[(*path, key)]
            raise _refused(
                source, line, f"the key {key!r} a second time (first in line {first})", "Keep one of the two."
            )
        lines[(*path, key)] = line
        found[key] = _value(value_node, (*path, key), lines, source)
    return found


def _refused(source: str, line: int, what: str, do: str) -> ConfigError:
    return ConfigError(f"{source} must be plain YAML", f"Line {line} has {what}", do)


def _not_yaml(error: yaml.YAMLError, source: str) -> ConfigError:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    where = f"Line {mark.line + 1}: " if mark is not None else ""
    return ConfigError(f"{source} must be YAML", f"{where}{problem}", "Correct the line; indent with spaces.")
