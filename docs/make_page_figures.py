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
    """Write the pictures, or say why not."""
    if chromium() is None:
        print("no Chromium was found: the pictures of pages stay as they are")
        return
    page, (list_en, list_zh, report_zh) = page_in(CASES / "kawasaki"), of_the_sample()
    shots = {
        "page_en": (render_case(page, "en"), 800, 1170, False),
        "page_zh": (render_case(page, "zh"), 800, 1170, False),
        "page_dark": (render_case(page, "en"), 1440, 1000, True),
        "page_zh_360": (render_case(page, "zh"), 360, 780, False),
        "worklist": (list_en, 1100, 800, False),
        "worklist_360": (list_en, 360, 780, False),
        "worklist_dark": (list_zh, 800, 780, True),
        "report_zh": (report_zh, 800, 1500, False),
    }
    for name, (shown, width, height, dark) in shots.items():
        file = FIGURES / f"{name}.png"
        picture(shown, file, width, height, dark=dark)
        print(f"{file.name}: {file.stat().st_size // 1000} kB")


def of_the_sample() -> tuple[str, str, str]:
    """Return worklists of forty cases in two languages, a fifth of the calm ones withheld, and a report in Chinese."""
    train, test = dx.split(dx.load_sample(), by="patient", test_size=0.25, seed=0)
    diagnoser = dx.Diagnoser(model="linear", as_of="index").fit(train)
    waiting = dx.worklist(diagnoser.suggest(test[:40]), withhold=0.2)
    report = dx.report(diagnoser, test, train=train, title="Sample", n_boot=100)
    return waiting.to_html(), waiting.to_html("zh"), report.to_html("zh")


if __name__ == "__main__":
    main()
