"""What a red-flag rule is once it is read: a small tree. `str` of it is the rule again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = [
    "KEYWORDS",
    "NUMBERS",
    "STATES",
    "WORDS",
    "All",
    "Compared",
    "Either",
    "Is",
    "Known",
    "Not",
    "Operator",
    "Rule",
    "State",
    "quoted",
]

Operator = Literal["<", "<=", ">", ">=", "=", "!="]
State = Literal["present", "absent", "uncertain"]
STATES: tuple[State, ...] = ("present", "absent", "uncertain")

#: What can be asked about a case itself: numbers in the unit of their name, and words.
NUMBERS = (
    "age_days",
    "age_years",
    "gestational_age_weeks",
    "birth_weight_g",
    "pregnancy_weeks",
    "altitude_m",
)
WORDS = ("sex", "pregnant", "setting", "visit", "informant")
KEYWORDS = ("and", "or", "not", "any", "known", *STATES)


@dataclass(frozen=True, slots=True)
class Is:
    """A finding of the patient is in a state: ``present HP:0001945``."""

    state: State
    code: str

    def __str__(self) -> str:
        return f"{self.state} {quoted(self.code)}"


@dataclass(frozen=True, slots=True)
class Known:
    """A finding is recorded, or the case states a field: ``known altitude_m``. Always true or false."""

    name: str
    is_field: bool

    def __str__(self) -> str:
        return f"known {self.name if self.is_field else quoted(self.name)}"


@dataclass(frozen=True, slots=True)
class Compared:
    """A measured value or a field of the case against a number or a word: ``LOINC:8310-5 >= 38 Cel``, ``sex = male``.

    Parameters
    ----------
    name : str
        A code, or a field of `NUMBERS` or `WORDS`.
    is_field : bool
    operator : str
    value : float or str
    unit : str or None
        UCUM, of a measured value.
    """

    name: str
    is_field: bool
    operator: Operator
    value: float | str
    unit: str | None = None

    def __str__(self) -> str:
        value = self.value if isinstance(self.value, str) else repr(self.value)
        unit = "" if self.unit is None else f" {quoted(self.unit, code=False)}"
        return f"{self.name if self.is_field else quoted(self.name)} {self.operator} {value}{unit}"


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite; of what is not known, not known."""

    one: Rule

    def __str__(self) -> str:
        return f"not {_inside(self.one)}"


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: tuple[Rule, ...]

    def __str__(self) -> str:
        return " and ".join(_inside(p) for p in self.parts)


@dataclass(frozen=True, slots=True)
class Either:
    """At least one part holds."""

    parts: tuple[Rule, ...]

    def __str__(self) -> str:
        return " or ".join(_inside(p) for p in self.parts)


Rule: TypeAlias = Is | Known | Compared | Not | All | Either


def quoted(text: str, *, code: bool = True) -> str:
    """Return a code or unit as a rule writes it: in quotes unless it can stand alone."""
    bare = text and not set(text) & set(' \t\n()<>=!",') and text.isprintable() and text not in KEYWORDS
    return text if bare and (":" in text or not code) else f'"{text}"'


def _inside(rule: Rule) -> str:
    return f"({rule})" if isinstance(rule, All | Either) else str(rule)
