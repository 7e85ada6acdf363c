"""A picture as part of a page: SVG without a header, an address or a date, in the page's own colours and language."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape, unescape

from markupsafe import Markup

from diagnosis.pages.plot import Plot

__all__ = ["inline_svg"]

_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_STYLE = re.compile(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>", re.DOTALL)  # it would hold for the whole page
_NAMESPACES = re.compile(r'\s+xmlns(:\w+)?="[^"]*"')
_BLANKS = re.compile(r">\s+<")
_SHEET = re.compile(r'(<g id="patch_\d+">\s*<path [^>]*style="fill: )#ffffff')
_TEXT = re.compile(r"(<text [^>]*>)([^<]+)")
# Of the plots' own colours; those of cells and bands that carry their meaning in a shade stay.
_COLOURS = {
    "#000000": "currentColor",
    "#0a5f86": "var(--dx-for)",
    "#b35900": "var(--dx-against)",
    "#64798a": "var(--dx-quiet)",
}


def inline_svg(plot: Plot, says: str, prefix: str, speaks: Callable[[str], str] = str) -> Markup:
    """Return a plot as an SVG element for a page.

    Parameters
    ----------
    plot : Plot
    says : str
        What it shows, for who cannot see it.
    prefix : str
        Letters that set its ids apart from those of the page's other pictures.
    speaks : callable
        Says a text in the language of the page.
    """
    text = plot.to_svg()
    text = _STYLE.sub("", _METADATA.sub("", text[text.index("<svg") :])).replace("xlink:href", "href")
    text = _BLANKS.sub("><", _NAMESPACES.sub("", text)).strip()
    text = _TEXT.sub(
        lambda found: found[1] + escape(speaks(unescape(found[2])), quote=False), _SHEET.sub(r"\1none", text)
    )
    for colour, name in _COLOURS.items():
        text = text.replace(colour, name)
    for mark in (' id="', 'href="#', "url(#"):
        text = text.replace(mark, mark + prefix)
    label = '<svg role="img" style="fill:currentColor;stroke-linejoin:round;stroke-linecap:butt"'
    label += f' aria-label="{escape(speaks(says), quote=True)}"'
    return Markup(text.replace("<svg", label, 1))  # noqa: S704 -- drawn here; matplotlib escapes what it writes
