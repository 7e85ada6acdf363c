"""A font that has the characters of a plot: Chinese names need one that matplotlib does not bring along."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

__all__ = ["chinese_family", "families", "is_chinese"]

_CHINESE = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei"),
    *("WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "SimHei", "Noto Serif CJK SC", "Noto Serif CJK JP", "SimSun"),
)
# File names under which systems keep such fonts, the plainest first.
_FILES = ("notosanscjk-regular", "notosanssc-regular", "sourcehansans", "wqy", "notoserifcjk-regular", "simhei", "msyh")


def is_chinese(texts: Iterable[str]) -> bool:
    """Whether any text has a Chinese character."""
    return any("\u3400" <= letter <= "\u9fff" for text in texts for letter in text)


def families(texts: Iterable[str]) -> list[str]:
    """Return the fonts to draw some texts with, the first that has a character being used for it."""
    found = chinese_family() if is_chinese(texts) else None
    return ["DejaVu Sans", *([found] if found else [])]


@cache
def chinese_family() -> str | None:
    """Return the family of an installed font with Chinese characters; None where there is none."""
    from matplotlib import font_manager

    manager = font_manager.fontManager
    known = {one.name for one in manager.ttflist}
    for name in _CHINESE:
        if name in known:
            return name
    paths = sorted(font_manager.findSystemFonts(), key=str)
    for part in _FILES:
        for path in paths:
            if Path(path).name.casefold().startswith(part):
                try:
                    manager.addfont(path)
                except (OSError, RuntimeError):
                    continue
                return manager.ttflist[-1].name
    return None
