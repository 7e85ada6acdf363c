"""Ontology files: OBO 1.2 / 1.4 text and OBO Graphs JSON, plain or gzip, into terms and a list of retired codes."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diagnosis.errors import InputError
from diagnosis.vocabulary.limited_text import MAX_BYTES, open_text
from diagnosis.vocabulary.term import Term

__all__ = ["Ontology", "read_ontology"]

_IRI = "http://purl.obolibrary.org/obo/"
_REPLACED_BY = _IRI + "IAO_0100001"
_ALT_ID = "http://www.geneontology.org/formats/oboInOwl#hasAlternativeId"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
# The quoted text of a synonym, and its scope.
_SYNONYM = re.compile(r'"((?:[^"\\]|\\.)*)"\s*([A-Z]*)')
_ESCAPES = {"n": "\n", "t": "\t", "W": " "}
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Ontology:
    """What an ontology file holds.

    Parameters
    ----------
    terms : tuple of Term
        Current terms, in the order of the file; only exact synonyms, because a broader one says something else.
    retired : mapping of str to str or None
        Obsolete and alternative codes, each with the current code that stands for it; None where the file names none,
        or several.
    prefix : str
        ``HP``.
    version : str or None
        The date of the release where there is one, else what the file says.
    """

    terms: tuple[Term, ...]
    retired: Mapping[str, str | None]
    prefix: str
    version: str | None


@dataclass(slots=True)
class _Node:
    """One term as it stands in the file, whichever form it has."""

    code: str = ""
    name: str = ""
    synonyms: list[str] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)
    alternatives: list[str] = field(default_factory=list)
    replaced_by: list[str] = field(default_factory=list)
    obsolete: bool = False


def read_ontology(path: Path, prefix: str | None = None, max_bytes: int = MAX_BYTES) -> Ontology:
    """Read ``.obo`` or ``.json``, each also with ``.gz``.

    Parameters
    ----------
    path : Path
    prefix : str, optional
        Keep terms of this prefix; without it, of the commonest one (files carry terms of other ontologies along).
    max_bytes : int
        A file that holds more, unfolded, is refused.

    Raises
    ------
    InputError
        It is none of the two forms, broken, or has no terms.
    """
    is_json = path.name.removesuffix(".gz").endswith(".json")
    try:
        with open_text(path, max_bytes) as lines:
            version, nodes = _graph_nodes(json.load(lines)) if is_json else _obo_nodes(lines)
    except InputError:
        raise
    except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise _unreadable(path, f"It cannot be read ({type(error).__name__}).") from error
    counts = Counter(n.code.partition(":")[0] for n in nodes if n.name and not n.obsolete and ":" in n.code)
    if not counts:
        raise _unreadable(path, "No term with a name was found.")
    kept = prefix or counts.most_common(1)[0][0]
    nodes = [n for n in nodes if n.code.startswith(f"{kept}:")]
    if not nodes:
        raise _unreadable(path, f"No term starts with {kept}:, but {', '.join(f'{p}:' for p in sorted(counts)[:5])}.")
    return Ontology(tuple(_terms(nodes)), _retired(nodes), kept, version)


def _terms(nodes: Iterable[_Node]) -> Iterator[Term]:
    for node in nodes:
        if not node.obsolete:
            synonyms = tuple(dict.fromkeys(s for s in node.synonyms if s != node.name))
            yield Term(node.code, {"en": node.name} if node.name else {}, synonyms, tuple(dict.fromkeys(node.parents)))


def _retired(nodes: Iterable[_Node]) -> dict[str, str | None]:
    """Every code that is current no longer, with the one at the end of its chain of replacements."""
    nodes = list(nodes)
    current = {n.code for n in nodes if not n.obsolete}
    step: dict[str, set[str]] = {}
    for node in nodes:
        if node.obsolete:
            step.setdefault(node.code, set()).update(node.replaced_by)
        for other in node.alternatives:
            step.setdefault(other, set()).add(node.code)
    return {code: _end_of(code, step, current) for code in step if code not in current}


def _end_of(code: str, step: Mapping[str, set[str]], current: set[str]) -> str | None:
    seen = set()
    while code not in current:
        nexts = step.get(code, set())
        if code in seen or len(nexts) != 1:
            return None
        seen.add(code)
        code = next(iter(nexts))
    return code


def _obo_nodes(lines: Iterable[str]) -> tuple[str | None, list[_Node]]:
    version, nodes = None, list[_Node]()
    node: _Node | None = None
    header = True
    for line in lines:
        if line.startswith("["):
            header, node = False, None
            if line.startswith("[Term]"):
                node = _Node()
                nodes.append(node)
        elif node is not None:
            _obo_tag(node, line)
        elif header and line.startswith("data-version:"):
            version = _dated(line.partition(":")[2].strip())
    return version, nodes


def _obo_tag(node: _Node, line: str) -> None:
    tag, _, rest = line.partition(": ")
    if tag == "name":
        node.name = _unescaped(rest.strip())
    elif tag == "synonym":
        found = _SYNONYM.match(rest)
        if found and found[2] == "EXACT":
            node.synonyms.append(_unescaped(found[1]))
    elif tag in {"id", "is_a", "alt_id", "replaced_by"}:
        code = rest.split(None, 1)[0]  # what follows is a comment or a modifier
        if tag == "id":
            node.code = code
        else:
            {"is_a": node.parents, "alt_id": node.alternatives, "replaced_by": node.replaced_by}[tag].append(code)
    elif tag == "is_obsolete":
        node.obsolete = rest.startswith("true")


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda m: _ESCAPES.get(m[1], m[1]), text) if "\\" in text else text


def _graph_nodes(document: Mapping[str, Any]) -> tuple[str | None, list[_Node]]:
    graph = document["graphs"][0]
    nodes = {n["id"]: _graph_node(n) for n in graph["nodes"] if n.get("type", "CLASS") == "CLASS"}
    for edge in graph.get("edges", ()):
        if edge["pred"] == "is_a" and edge["sub"] in nodes:
            nodes[edge["sub"]].parents.append(_curie(edge["obj"]))
    version = (graph.get("meta") or {}).get("version")
    return _dated(version) if version else None, list(nodes.values())


def _graph_node(node: Mapping[str, Any]) -> _Node:
    meta = node.get("meta") or {}
    made = _Node(_curie(node["id"]), node.get("lbl") or "", obsolete=meta.get("deprecated") is True)
    made.synonyms = [s["val"] for s in meta.get("synonyms", ()) if s["pred"] == "hasExactSynonym"]
    for value in meta.get("basicPropertyValues", ()):
        if value["pred"] == _ALT_ID:
            made.alternatives.append(_curie(value["val"]))
        elif value["pred"] == _REPLACED_BY:
            made.replaced_by.append(_curie(value["val"]))
    return made


def _curie(iri: str) -> str:
    return iri.removeprefix(_IRI).replace("_", ":", 1) if iri.startswith(_IRI) else iri


def _dated(version: str) -> str:
    found = _DATE.search(version)
    return found[0] if found else version


def _unreadable(path: Path, found: str) -> InputError:
    return InputError(
        f"An ontology file was expected in {path.name}.",
        found,
        "Give hp.obo or hp.json (OBO Graphs) as released, plain or gzip.",
    )
