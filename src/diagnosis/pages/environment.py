"""The templates, all with autoescape on, and the style sheet: read from the package, no path and no network."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

__all__ = ["environment", "style"]


def _source(name: str) -> str:
    return files("diagnosis.pages").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def environment() -> Environment:
    """Return the shared environment; a name a template does not have is an error, never an empty string."""
    return Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


@cache
def style() -> Markup:
    """Return the style sheet without comments and line breaks; every selector in it is the pages' own."""
    text = re.sub(r"/\*.*?\*/", "", _source("style.css"), flags=re.DOTALL)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s*([{};,])\s*", r"\1", text)
    return Markup(text.replace(";}", "}").strip())  # noqa: S704 -- our own file, no value of a case in it
