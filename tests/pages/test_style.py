"""The style sheet: readable contrast in both schemes and in print, and nothing that leaks into a notebook."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from diagnosis.pages.environment import style

SOURCE = files("diagnosis.pages").joinpath("templates", "style.css").read_text(encoding="utf-8")
BARE = re.sub(r"/\*.*?\*/", "", SOURCE, flags=re.DOTALL)
TEXT_PAIRS = [
    ("ink", "paper"),
    ("ink", "panel"),
    ("muted", "paper"),
    ("muted", "panel"),
    ("for", "paper"),
    ("against", "paper"),
    ("link", "paper"),
    ("alert-ink", "paper"),
    ("paper", "alert-ink"),
    ("alert-ink", "alert-paper"),
    ("warn-ink", "warn-paper"),
]
SHAPE_PAIRS = [("bar", "track"), ("bar", "paper"), ("quiet", "track"), ("quiet", "paper"), ("for", "paper")]
SHAPE_PAIRS += [("against", "paper"), ("edge", "paper")]


def _themes() -> list[dict[str, str]]:
    blocks = re.findall(r"\{([^{}]*--dx-paper:[^{}]*)\}", BARE)
    return [dict(re.findall(r"--dx-([a-z-]+):\s*(#[0-9a-f]{6})", block)) for block in blocks]


def _luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(a: str, b: str) -> float:
    light, dark = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_black_on_white_is_21() -> None:
    assert _contrast("#000000", "#ffffff") == pytest.approx(21)


def test_one_light_and_one_dark_palette_wherever_they_are_stated() -> None:
    light, dark, notebook_dark, notebook_light, printed = _themes()
    assert light == notebook_light == printed
    assert dark == notebook_dark
    assert light.keys() == dark.keys()
    assert _luminance(dark["paper"]) < 0.05 < _luminance(light["paper"])


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("pair", "least"), [(p, 4.5) for p in TEXT_PAIRS] + [(p, 3.0) for p in SHAPE_PAIRS])
def test_contrast_is_aa(scheme: int, pair: tuple[str, str], least: float) -> None:
    palette = _themes()[scheme]
    assert _contrast(palette[pair[0]], palette[pair[1]]) >= least


def test_every_colour_is_one_of_the_palette() -> None:
    outside = re.sub(r"--dx-[a-z-]+:[^;]*;", "", BARE)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|rgb|hsl", outside) == []
    assert set(re.findall(r"var\(--dx-([a-z-]+)\)", BARE)) <= _themes()[0].keys()


def test_every_selector_is_the_pages_own() -> None:
    flat = re.sub(r"@media[^{]*\{", "", BARE)
    selectors = [s.strip() for group in re.findall(r"([^{};]+)\{", flat) for s in group.split(",")]
    own = re.compile(r"^(\[data-jp-theme-light=\"(true|false)\"\] |\.vscode-(dark|light) )?\.dx-[a-z]+")
    assert len(selectors) > 50
    assert [s for s in selectors if s and not own.match(s)] == []


def test_the_style_holds_no_address_and_cannot_end_its_element() -> None:
    assert "url(" not in style()
    assert "@import" not in style()
    assert "<" not in style()
    assert "/*" not in style()
