"""The rules of the house, as a checker over the source of one module.

Data goes down the list of rooms once, and a module imports only from rooms above its own. Some libraries are heavy or
unsafe, so they live in one room, or in none. The rules are explained in CONTRIBUTING.md.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

__all__ = ["ALLOWED", "HOMES", "ROOMS", "Import", "function_length", "imports", "violations"]

#: From the top of the house to the bottom; the package root is free.
ROOMS = (
    *("errors", "pages", "vocabulary", "records", "readers", "sample", "features", "models", "distributed"),
    *("explanation", "suggestions", "evaluation", "review", "tracking", "training", "cli"),
)

#: Rooms that alone may import a library.
HOMES = {
    "mlflow": ("tracking",),
    "shap": ("explanation",),
    "lightgbm": ("models", "explanation"),
    "matplotlib": ("pages",),
    "dask": ("distributed",),
    "distributed": ("distributed",),
}

#: What loads code along with data.
_UNSAFE = ("pickle", "cPickle", "_pickle", "cloudpickle", "dill", "shelve", "marshal", "skops")
_UNSAFE_CALLS = {
    **{("joblib", name): "a bundle holds plain files" for name in ("load", "dump")},
    **{("pd", name): "write CSV or Parquet" for name in ("read_pickle", "to_pickle")},
}

#: Imports that go up all the same, each with its reason; for annotations only, never when running.
ALLOWED = {
    ("diagnosis.errors", "diagnosis.records"): "the type of `RecordsError.report`",
}

MAX_FILE_LINES = 350
MAX_FUNCTION_LINES = 50


class Import:
    """One import: the dotted name, its line, and whether it is only there for the type checker."""

    __slots__ = ("for_types", "line", "name")

    def __init__(self, name: str, line: int, for_types: bool) -> None:
        self.name = name
        self.line = line
        self.for_types = for_types

    @property
    def top(self) -> str:
        """The package: `diagnosis`, `numpy`."""
        return self.name.partition(".")[0]


def imports(module: str, tree: ast.AST, *, is_package: bool = False) -> Iterator[Import]:
    """Every import of a module: at the top, inside functions, for types only, and by name."""
    typed = {id(inner) for node in ast.walk(tree) if _is_type_checking(node) for inner in _body(node)}
    for node in ast.walk(tree):
        for_types = id(node) in typed
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, for_types) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node, is_package)
            # `from diagnosis import records` names a room, so the alias belongs to the name.
            yield from (Import(f"{base}.{alias.name}", node.lineno, for_types) for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node)[-1] in ("import_module", "__import__") and node.args:
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield Import(name.value, node.lineno, for_types)


def violations(module: str, source: str, *, is_package: bool = False) -> list[str]:
    """What one module does against the rules; each line says where and what to do."""
    tree = ast.parse(source)
    lines = source.count("\n")
    found = [*_directions(module, tree, is_package), *_libraries(module, tree, is_package), *_code(module, tree)]
    if lines > MAX_FILE_LINES:
        found.append(f"{module}: {lines} lines, at most {MAX_FILE_LINES}. Move one idea into a file of its own.")
    return found


def function_length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, without the docstring."""
    length = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is not None:
        length -= (first.end_lineno or first.lineno) - first.lineno + 1
    return length


def _directions(module: str, tree: ast.AST, is_package: bool) -> Iterator[str]:
    if module == "diagnosis":
        return
    room = _room(module)
    if room not in ROOMS:
        yield f"{module}: {room!r} is no room. Add it to ROOMS in tests/house.py, where its data comes from above."
        return
    for one in imports(module, tree, is_package=is_package):
        if one.top != "diagnosis":
            continue
        other = _room(one.name)
        if other not in ROOMS:
            yield (
                f"{module}:{one.line}: imports {one.name} from the package root. "
                "Import it from the room it lives in, or the direction of imports is lost."
            )
        elif ROOMS.index(other) > ROOMS.index(room):
            if one.for_types and (module, f"diagnosis.{other}") in ALLOWED:
                continue
            yield (
                f"{module}:{one.line}: imports {one.name}, and {other}/ is below {room}/. "
                f"Move what both need up into {room}/ or above, or hand it over as an argument."
            )


def _libraries(module: str, tree: ast.AST, is_package: bool) -> Iterator[str]:
    room = _room(module)
    for one in imports(module, tree, is_package=is_package):
        homes = HOMES.get(one.top)
        if homes and room not in homes:
            yield f"{module}:{one.line}: imports {one.top}, which lives in {' and '.join(homes)} alone. Ask that room."
        if one.top in _UNSAFE:
            yield f"{module}:{one.line}: imports {one.top}, which runs code from files. Write JSON, npz, Parquet."
        if one.name in ("joblib.load", "joblib.dump"):
            yield f"{module}:{one.line}: {one.name} is pickle. Write JSON, npz, text or Parquet."


def _code(module: str, tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = _called(node)
            if name == ("print",) and not module.startswith("diagnosis.cli"):
                yield f"{module}:{node.lineno}: prints. Return the text, warn, or print it in cli/."
            if name[-2:] in _UNSAFE_CALLS:
                yield f"{module}:{node.lineno}: {'.'.join(name)} is pickle: {_UNSAFE_CALLS[name[-2:]]}."
            if any(k.arg == "allow_pickle" and getattr(k.value, "value", None) is not False for k in node.keywords):
                yield f"{module}:{node.lineno}: allow_pickle other than False. Store no object arrays."
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.args.kwarg and _is_public(node.name):
                yield f"{module}:{node.lineno}: {node.name} takes **{node.args.kwarg.arg}. Name every argument."
            length = function_length(node)
            if length > MAX_FUNCTION_LINES:
                yield (
                    f"{module}:{node.lineno}: {node.name} has {length} lines without its docstring, "
                    f"at most {MAX_FUNCTION_LINES}. Give a step a name."
                )


def _room(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def _is_public(name: str) -> bool:
    return not name.startswith("_") or name.startswith("__")


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _body(node: ast.AST) -> Iterator[ast.AST]:
    assert isinstance(node, ast.If)
    for statement in node.body:
        yield from ast.walk(statement)


def _absolute(module: str, node: ast.ImportFrom, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    parts = parts[: len(parts) - node.level + is_package]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _called(node: ast.Call) -> tuple[str, ...]:
    try:
        return tuple(ast.unparse(node.func).split("."))
    except (ValueError, RecursionError):  # pragma: no cover
        return ("",)


def is_standard(name: str) -> bool:
    """Whether a top-level module comes with Python."""
    return name in sys.stdlib_module_names
