"""What was found about a model on unseen cases, as it is written down; the whole `Evaluation` where it is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diagnosis.evaluation import Evaluation

__all__ = ["Judged", "read_judged", "write_judged"]

_PLAIN, _TEXT, _HTML, _CURVE = "evaluation.json", "evaluation.txt", "evaluation.html", "curve.json"


@dataclass(frozen=True, eq=False)
class Judged:
    """An evaluation as plain values and as tables.

    Parameters
    ----------
    plain : dict
        `Evaluation.to_json`.
    text, html : str
        Its tables.
    curve : dict
        Points of the calibration curve of the first suggestion: `confidence`, `accuracy` and `n` of each bin.
    again : callable
        Gives the `Evaluation`; in a run that was resumed after this step it has to be made again.
    """

    plain: dict[str, Any]
    text: str
    html: str
    curve: dict[str, list[float]]
    again: Callable[[], Evaluation]

    @cached_property
    def evaluation(self) -> Evaluation:
        """The evaluation itself."""
        return self.again()

    @classmethod
    def of(cls, evaluation: Evaluation) -> Judged:
        """Write an evaluation down."""
        points = evaluation.reliability
        curve = {name: getattr(points, name).tolist() for name in ("confidence", "accuracy", "n")}
        return cls(evaluation.to_json(), repr(evaluation), str(evaluation._repr_html_()), curve, lambda: evaluation)


def write_judged(folder: Path, judged: Judged) -> None:
    """Write it as files."""
    plain = json.dumps(judged.plain, ensure_ascii=False, indent=2)
    for name, text in ((_PLAIN, plain), (_TEXT, judged.text), (_HTML, judged.html), (_CURVE, json.dumps(judged.curve))):
        (folder / name).write_text(text, encoding="utf-8")


def read_judged(folder: Path, again: Callable[[], Evaluation]) -> Judged:
    """Read what `write_judged` wrote."""
    names = (_PLAIN, _TEXT, _HTML, _CURVE)
    plain, text, html, curve = ((folder / name).read_text(encoding="utf-8") for name in names)
    return Judged(json.loads(plain), text, html, json.loads(curve), again)
