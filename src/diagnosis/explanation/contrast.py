"""Two diagnoses side by side: the findings that separate them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from diagnosis.explanation.evidence import Line, SuggestionEvidence, as_recorded

__all__ = ["Contrast", "contrast"]


@dataclass(frozen=True, slots=True)
class Contrast:
    """What separates diagnosis `a` from `b`: ``log_ratio == base + sum of contributions == log(p_a / p_b)`` to 1e-9.

    Parameters
    ----------
    a, b : str
    log_ratio : float
        Natural logarithm of p(a) / p(b).
    base : float
        The part that was there before any finding was looked at.
    lines : tuple of Line
        Strongest first; a contribution above 0 speaks for `a`, ``exp(contribution)`` is the factor against `b`.
    names : mapping of str to str
        Names of the codes, for display.
    """

    a: str
    b: str
    log_ratio: float
    base: float
    lines: tuple[Line, ...]
    names: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        rows = [f"  {line.contribution:+.2f}  {self._name(line.code)} {as_recorded(line)}" for line in self.lines[:8]]
        head = f"{self._name(self.a)} against {self._name(self.b)}: log ratio {self.log_ratio:+.3f}"
        return "\n".join([f"{head}, base {self.base:+.3f}", *rows])

    def _name(self, code: str | None) -> str:
        return "all that is" if code is None else self.names.get(code, code)

    def to_json(self) -> dict[str, Any]:
        """The contrast as plain values."""
        return {
            "a": self.a,
            "b": self.b,
            "log_ratio": self.log_ratio,
            "base": self.base,
            "contributions": [line.to_json() for line in self.lines],
        }


def contrast(a: SuggestionEvidence, b: SuggestionEvidence, names: Mapping[str, str] | None = None) -> Contrast:
    """Subtract the evidence of two diagnoses of one case, line by line; `names` are for display."""
    other = {(line.code, line.state): line.contribution for line in b.lines}
    lines = []
    for line in a.lines:
        difference = line.contribution - other[line.code, line.state]
        lines.append(replace(line, contribution=difference, relative=difference))
    ordered = tuple(sorted(lines, key=lambda line: -abs(line.contribution)))
    log_ratio = a.log_probability - b.log_probability
    return Contrast(a.diagnosis, b.diagnosis, log_ratio, a.base - b.base, ordered, names or {})
