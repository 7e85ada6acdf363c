"""Draw the pictures of the docs from the reports of real sets and of the sample: `make docs-figures`.

Needs `DIAGNOSIS_DATA`, a folder with the sets `heart4`, `mz4_train` and `mz4_test`. Nothing in a picture is of a single
patient. The whole reports are written to `runs/docs/`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import diagnosis as dx
from diagnosis.evaluation.report_sections import sections_of
from diagnosis.pages import ReportFigure

HERE = Path(__file__).resolve().parent
FIGURES = HERE / "figures"


def main() -> None:
    """Write one picture a result."""
    if "DIAGNOSIS_DATA" not in os.environ:
        sys.exit("DIAGNOSIS_DATA names no folder: it is needed for heart4 and mz4")
    data = Path(os.environ["DIAGNOSIS_DATA"])
    FIGURES.mkdir(exist_ok=True)
    write("sample", sample())
    write("mz4", mz4(data))
    write("heart4", heart4(data))


def sample() -> dx.EvaluationReport:
    """Return the report of the synthetic sample."""
    records = dx.load_sample()
    first = records[records.column("visit") != "follow_up"]
    train, test = dx.split(first, by="patient", test_size=0.25, seed=0)
    diagnoser = dx.Diagnoser(as_of="index").fit(train)
    return dx.report(diagnoser, test, train=train, title="Synthetic sample, hybrid, as of the moment asked")


def mz4(data: Path) -> dx.EvaluationReport:
    """Return the report of mz4, tested on the cases its publishers held back."""
    train, test = (dx.read_records(data / name) for name in ("mz4_train", "mz4_test"))
    diagnoser = dx.Diagnoser().fit(train)
    return dx.report(diagnoser, test, train=train, title="mz4, hybrid")


def heart4(data: Path) -> dx.EvaluationReport:
    """Return the report of heart4, every site held out once."""
    records = dx.read_records(data / "heart4")
    diagnoser = dx.Diagnoser(model="hybrid")
    matrix = dx.site_matrix(diagnoser, records, metric="top.1")
    cross = dx.cross_evaluate(diagnoser, records, by="site")
    sites = records.column("site")
    held = sorted({str(one) for one in sites})[-1]
    train, test = records[sites != held], records[sites == held]
    fitted = dx.Diagnoser(model="hybrid").fit(train)
    title = f"heart4, hybrid, tried at {held}, learned elsewhere"
    return dx.report(fitted, test, train=train, cross=cross, site_matrix=matrix, title=title)


def write(name: str, report: dx.EvaluationReport) -> None:
    """Write the report, and its pictures by the section they stand in."""
    folder = HERE.parent / "runs" / "docs"
    folder.mkdir(parents=True, exist_ok=True)
    report.save(folder / f"{name}.html")
    for section in sections_of(report):
        for block in section.blocks:
            if isinstance(block, ReportFigure) and section.name in ("calibration", "groups", "sites", "stages"):
                (FIGURES / f"{name}_{section.name}.png").write_bytes(block.plot.to_png(dpi=100))
    print(f"{name}: {report!r}")
    for one in report.evaluation.suspicions:
        print(f"  suspicion: {one.says}")


if __name__ == "__main__":
    main()
