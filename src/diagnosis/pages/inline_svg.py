"""A picture as part of a page: SVG without a header, an address or a date."""

from __future__ import annotations

import re
from html import escape

from markupsafe import Markup

from diagnosis.pages.plot import Plot

__all__ = ["inline_svg"]

_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_STYLE = re.compile(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>", re.DOTALL)  # it would hold for the whole page
_NAMESPACES = re.compile(r'\s+xmlns(:\w+)?="[^"]*"')
_BLANKS = re.compile(r">\s+<")


def inline_svg(plot: Plot, says: str, prefix: str) -> Markup:
    """Return a plot as an SVG element for a page.

    Parameters
    ----------
    plot : Plot
    says : str
        What it shows, for who cannot see it.
    prefix : str
        Letters that set its ids apart from those of the page's other pictures.
    """
    text = plot.to_svg()
    text = _STYLE.sub("", _METADATA.sub("", text[text.index("<svg") :])).replace("xlink:href", "href")
    text = _BLANKS.sub("><", _NAMESPACES.sub("", text)).strip()
    for mark in (' id="', 'href="#', "url(#"):
        text = text.replace(mark, mark + prefix)
    label = f'<svg role="img" style="stroke-linejoin:round;stroke-linecap:butt" aria-label="{escape(says, quote=True)}"'
    return Markup(text.replace("<svg", label, 1))  # noqa: S704 -- drawn here; matplotlib escapes what it writes
