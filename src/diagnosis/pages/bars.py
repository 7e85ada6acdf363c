"""Two inline SVG bars: a probability from 0 to 1, and a factor to the left or right of one.

They need no script, scale with the text, and carry their number in words for those who do not see them.
"""

from __future__ import annotations

from markupsafe import Markup, escape

__all__ = ["factor_bar", "probability_bar"]


def probability_bar(p: float, label: str, quiet: bool = False) -> Markup:
    """Return a bar of length `p`; `quiet` is the tone for what stands outside the set."""
    tone = " dx-quiet" if quiet else ""
    return Markup(  # noqa: S704 -- numbers, and the label escaped
        f'<svg class="dx-bar" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="{escape(label)}">'
        '<rect class="dx-track" width="100" height="10"/>'
        f'<rect class="dx-fill{tone}" width="{_short(100 * p)}" height="10"/></svg>'
    )


def factor_bar(relative: float, scale: float, label: str) -> Markup:
    """Return a bar to the right for `relative` above 0 and to the left below; half the width is `scale`."""
    width = 50 * min(abs(relative) / scale, 1.0) if scale > 0 else 0.0
    side = "dx-plus" if relative > 0 else "dx-minus"
    return Markup(  # noqa: S704 -- numbers, and the label escaped
        '<svg class="dx-tilt" viewBox="-50 0 100 10" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}">'
        f'<rect class="{side}" x="{_short(0 if relative > 0 else -width)}" y="1" width="{_short(width)}" height="8"/>'
        '<rect class="dx-zero" x="-0.4" y="0" width="0.8" height="10"/></svg>'
    )


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0").replace("-0.0", "0")
