"""Take the pictures of pages in the docs with headless Chromium, where it is there: part of `make docs-figures`.

The golden case of the tests and the worklist of the synthetic sample: nobody in them exists.
"""

from __future__ import annotations

from pathlib import Path

from tests.browser.browser import chromium, picture
from tests.pages.conftest import CASES, page_in

import diagnosis as dx
from diagnosis.pages import render_case

FIGURES = Path(__file__).resolve().parent / "figures"


def main() -> None:
    """Write four pictures, or say why not."""
    if chromium() is None:
        print("no Chromium was found: the pictures of pages stay as they are")
        return
    page = page_in(CASES / "kawasaki")
    shots = {
        "page_en": (render_case(page, "en"), 800, 1170, False),
        "page_zh": (render_case(page, "zh"), 800, 1170, False),
        "page_dark": (render_case(page, "en"), 1440, 1000, True),
        "worklist": (worklist(), 1100, 800, False),
    }
    for name, (shown, width, height, dark) in shots.items():
        file = FIGURES / f"{name}.png"
        picture(shown, file, width, height, dark=dark)
        print(f"{file.name}: {file.stat().st_size // 1000} kB")


def worklist() -> str:
    """Return the worklist of forty cases of the sample, a fifth of the calm ones without suggestions."""
    train, test = dx.split(dx.load_sample(), by="patient", test_size=0.25, seed=0)
    diagnoser = dx.Diagnoser(model="linear", as_of="index").fit(train)
    return dx.worklist(diagnoser.suggest(test[:40]), withhold=0.2).to_html()


if __name__ == "__main__":
    main()
