"""`Plot`: a picture that shows itself in a notebook, and writes itself as PNG or as SVG that is always the same."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Plot"]


@dataclass(frozen=True, slots=True, eq=False)
class Plot:
    """A picture that shows itself in a notebook; `figure` is matplotlib's."""

    figure: Figure

    def _repr_png_(self) -> bytes:
        return self.to_png()

    def to_png(self, dpi: int = 150) -> bytes:
        """The picture as PNG."""
        out = io.BytesIO()
        self.figure.savefig(out, format="png", dpi=dpi, bbox_inches="tight", metadata={"Software": None})
        return out.getvalue()

    def save(self, path: str | Path) -> Path:
        """Write a file, its kind by the ending: ``.png``, ``.svg``, ``.pdf``."""
        self.figure.savefig(path, dpi=150, bbox_inches="tight")
        return Path(path)

    def to_svg(self) -> str:
        """The picture as SVG, text as text; the same numbers give the same bytes."""
        from matplotlib import rc_context

        out = io.StringIO()
        with rc_context({"svg.hashsalt": "diagnosis", "svg.fonttype": "none"}):
            self.figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
        return out.getvalue()
