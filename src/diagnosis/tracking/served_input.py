"""What a served model is asked: a table of findings, or cases as JSON, into what a diagnoser takes.

Nothing that was sent is dropped without a word: a key or column that has no meaning here is refused with the nearest
known one. Messages name columns, rows and positions, never what stands in them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from diagnosis.errors import InputError, RecordsError, UnknownCodeError, nearest
from diagnosis.records import Case, Finding, Records
from diagnosis.records.schema import STATES

if TYPE_CHECKING:
    import pandas as pd

    from diagnosis.vocabulary import Vocabulary

__all__ = ["CASES", "CASE_COLUMNS", "FINDINGS", "FINDING_COLUMNS", "asked"]

#: The key of cases as JSON, and of the findings of a case.
CASES, FINDINGS = "cases", "findings"
#: Columns of `findings` that a table of findings may have, beside `case_id`.
FINDING_COLUMNS = tuple(one.name for one in fields(Finding))
_ANSWERS = ("diagnosis", "differential", "triage_scheme", "triage_level", "disposition", "outcome", "outcome_time")
_OF_CASE = tuple(one.name for one in fields(Case) if one.name not in (*_ANSWERS, FINDINGS))
#: Columns of `cases` that may stand beside each finding; a case's own start is `case_time` there, as `time` is taken.
CASE_COLUMNS = tuple("case_time" if name == "time" else name for name in _OF_CASE)

_SHAPES = (
    "Send a table of findings with the columns case_id, code and status, "
    'or cases: [{"case_id": "1", "age_years": 4, "findings": [{"code": "fever", "status": "present"}]}].'
)


def asked(given: object, words: Vocabulary) -> Records | list[Case]:
    """Read what a model was sent.

    Parameters
    ----------
    given : DataFrame, or mapping, or sequence of mappings
        A table of findings, a row a finding, with columns of `cases` beside it where wanted (the same in every row of a
        case); or cases, each a mapping with its `findings` as a list, under the key ``cases``, as rows or as a list.
    words : Vocabulary
        In which findings may go by their names.

    Raises
    ------
    InputError
        It has another shape, or an unknown key or column.
    RecordsError
        A value is not what its column may hold.
    """
    import pandas as pd

    if isinstance(given, Mapping):
        plain = {str(key): value for key, value in given.items()}
        if CASES in plain or FINDINGS in plain:
            return _cases(plain.pop(CASES) if set(plain) == {CASES} else [plain])
        given = _frame(plain)
    if isinstance(given, pd.DataFrame):
        if CASES in given.columns:
            return _cases(_nested(given))
        return _cases(given.to_dict("records")) if FINDINGS in given.columns else _from_table(given, words)
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        if given and all(isinstance(one, Mapping) and FINDINGS not in one and "code" in one for one in given):
            return _from_table(pd.DataFrame(list(given)), words)
        return _cases(given)
    raise InputError("A table of findings, or cases, was expected.", f"Found {_kind(given)}.", _SHAPES)


def _frame(columns: Mapping[str, Any]) -> pd.DataFrame:
    import pandas as pd

    scalar = {name for name, column in columns.items() if isinstance(column, str) or not hasattr(column, "__len__")}
    if scalar or len({len(column) for column in columns.values()}) > 1:
        raise InputError(
            "A table of findings was expected, as columns of one length.", f"Found {_kind(columns)}.", _SHAPES
        )
    return pd.DataFrame(dict(columns))


def _nested(table: pd.DataFrame) -> list[Any]:
    """The cases of a column ``cases``, each cell of which is a case or a list of them."""
    found: list[Any] = []
    for cell in table[CASES]:
        found += list(cell) if isinstance(cell, Sequence) and not isinstance(cell, str) else [cell]
    return found


def _cases(given: object) -> list[Case]:
    if isinstance(given, Mapping):
        given = [given]
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
        raise InputError("`cases` is a list of cases.", f"Found {_kind(given)}.", _SHAPES)
    return [_case(one, place) for place, one in enumerate(given, start=1)]


def _case(given: object, place: int) -> Case:
    where = f"case {place}"
    found = _known(given, (*_OF_CASE, FINDINGS), where)
    findings = found.pop(FINDINGS, ())
    if not isinstance(findings, Sequence) or isinstance(findings, str):
        raise InputError(f"The findings of {where} are a list.", f"Found {_kind(findings)}.", _SHAPES)
    made = [_finding(one, f"finding {n} of {where}") for n, one in enumerate(findings, start=1)]
    found.setdefault("case_id", str(place))
    return _made(lambda: Case(findings=made, **found), where)


def _finding(given: object, where: str) -> Finding:
    found = _known(given, FINDING_COLUMNS, where)
    if not isinstance(found.get("code"), str):
        raise InputError(f"{where} has a code, as text.", f"Found {_kind(found.get('code'))}.", _SHAPES)
    if (
        "status" not in found and isinstance(given, Mapping) and "status" in given
    ):  # stated as nothing, which is not present
        raise InputError(f"The status of {where} is one of {', '.join(STATES)}.", "Found nothing.", "State it.")
    return _made(lambda: Finding(**found), where)


def _known(given: object, names: Sequence[str], where: str) -> dict[str, Any]:
    """The filled keys of a mapping, all of them known."""
    if not isinstance(given, Mapping):
        raise InputError(f"{where} is a mapping of keys.", f"Found {_kind(given)}.", _SHAPES)
    strange = [str(key) for key in given if key not in names]
    if strange:
        near = [name for key in strange for name in nearest(key, names)]
        raise InputError(
            f"{where} has keys of the records format.",
            f"Not among them: {', '.join(key[:40] for key in strange)}.",
            "Correct or remove them.",
            near=near,
        )
    return {str(key): value for key, value in given.items() if not _is_missing(value)}


def _made(make: Any, where: str) -> Any:
    try:
        return make()
    except InputError as error:
        # What was found may be a patient's value; the place and what is allowed are enough to mend it.
        raise InputError(f"In {where}: {error.asked}", "found something else", error.do, near=error.near) from None
    except TypeError:
        raise InputError(f"In {where} every value is text or a number", "found something else", _SHAPES) from None


def _from_table(table: pd.DataFrame, words: Vocabulary) -> Records:
    """Take a table of findings, as many cases as there are ids; a row without a code is a case without a finding."""
    table = _unfolded(table)
    _check_columns(table)
    for name in table.columns:
        nested = [n for n, one in enumerate(table[name], start=1) if isinstance(one, Mapping | list | set | tuple)]
        if nested:
            rows = ", ".join(map(str, nested[:5]))
            raise InputError(f"Each cell of {name} is one value.", f"Row {rows} holds several.", "Write a row each.")
    ids = table["case_id"]
    if ids.isna().any():
        rows = ", ".join(str(n) for n in (ids.isna().to_numpy().nonzero()[0][:5] + 1))
        raise InputError("Every row has a case_id.", f"Row {rows} has none.", "Fill it.")
    beside = [name for name in CASE_COLUMNS if name in table.columns and name != "case_id"]
    several = [name for name in beside if (table.groupby("case_id", sort=False)[name].nunique(dropna=False) > 1).any()]
    if several:
        raise InputError(
            "A column about the case has one value in all rows of a case.",
            f"{', '.join(several)} differs within a case.",
            "Write the same value in each row of the case.",
        )
    cases = table.drop_duplicates("case_id")[["case_id", *beside]].rename(columns={"case_time": "time"})
    findings = table.loc[table["code"].notna(), ["case_id", *(n for n in FINDING_COLUMNS if n in table.columns)]]
    codes = {one: _code(one, words) for one in findings["code"].unique()}
    findings = findings.assign(code=findings["code"].map(codes))
    tables = {"cases": _plain(cases), "findings": _plain(findings)}
    try:
        return Records.from_tables(tables)
    except RecordsError as error:
        said = "; ".join(str(problem) for problem in error.report.errors)
        raise RecordsError("A table of findings was sent.", said, "Correct it.", report=error.report) from None


def _unfolded(table: pd.DataFrame) -> pd.DataFrame:
    """One row that holds whole columns (as MLflow hands over columns by name) as the table of these columns."""
    if len(table) != 1 or not all(isinstance(table[name].iloc[0], list) for name in table.columns):
        return table
    return _frame({str(name): table[name].iloc[0] for name in table.columns})


def _check_columns(table: pd.DataFrame) -> None:
    known = (*FINDING_COLUMNS, *CASE_COLUMNS)
    strange = [str(name) for name in table.columns if name not in known]
    missing = [name for name in ("case_id", "code", "status") if name not in table.columns]
    if missing or strange:
        found = [f"it has no {', '.join(missing)}"] if missing else []
        found += [f"not known: {', '.join(name[:40] for name in strange)}"] if strange else []
        raise InputError(
            "A table of findings has the columns case_id, code and status, and others of the records format.",
            f"Found that {'; '.join(found)}.",
            _SHAPES if strange else f"{_SHAPES} MLflow leaves out columns it does not know: see to their spelling.",
            near=[name for key in strange for name in nearest(key, known)],
        )


def _plain(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Columns as lists, what is missing as None; a column nobody fills is left out."""
    columns = {str(name): [None if _is_missing(one) else one for one in table[name]] for name in table.columns}
    always = ("case_id", "code", "status")
    return {name: column for name, column in columns.items() if name in always or any(x is not None for x in column)}


def _code(text: object, words: Vocabulary) -> object:
    if not isinstance(text, str):
        return text
    try:
        return words.resolve(text)
    except UnknownCodeError:
        return text


def _is_missing(value: Any) -> bool:
    """Whether it is None, NaN, NaT or NA, none of which equals itself."""
    if value is None or isinstance(value, Mapping | Sequence):
        return value is None
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas' NA is neither true nor false; an array is no one value
        return getattr(value, "shape", None) is None


def _kind(value: object) -> str:
    """What something is, without saying what it holds."""
    if isinstance(value, Mapping):
        return f"a mapping with the keys {', '.join(str(key)[:40] for key in list(value)[:10])}" if value else "no key"
    names = {"NoneType": "nothing", "str": "text", "list": "a list", "int": "a number", "float": "a number"}
    return names.get(type(value).__name__, f"a {type(value).__name__}")
