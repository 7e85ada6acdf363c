"""Two diagnoses side by side: the findings that separate them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from diagnosis.explanation.evidence import Line, SuggestionEvidence

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
    """

    a: str
    b: str
    log_ratio: float
    base: float
    lines: tuple[Line, ...]

    def __str__(self) -> str:
        rows = "\n".join(
            f"  {line.contribution:+.2f}  {line.code or 'unrecorded'} {line.state}" for line in self.lines[:8]
        )
        return f"{self.a} against {self.b}: log ratio {self.log_ratio:+.3f}, base {self.base:+.3f}\n{rows}"

    def to_json(self) -> dict[str, Any]:
        """The contrast as plain values."""
        return {
            "a": self.a,
            "b": self.b,
            "log_ratio": self.log_ratio,
            "base": self.base,
            "contributions": [line.to_json() for line in self.lines],
        }


def contrast(a: SuggestionEvidence, b: SuggestionEvidence) -> Contrast:
    """Subtract the evidence of two diagnoses of one case, line by line."""
    other = {(line.code, line.state): line.contribution for line in b.lines}
    lines = []
    for line in a.lines:
        difference = line.contribution - other[line.code, line.state]
        lines.append(replace(line, contribution=difference, relative=difference))
    ordered = tuple(sorted(lines, key=lambda line: -abs(line.contribution)))
    return Contrast(a.diagnosis, b.diagnosis, a.log_probability - b.log_probability, a.base - b.base, ordered)
