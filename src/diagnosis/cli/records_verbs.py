"""Verbs about records: check and convert."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diagnosis.cli.options import FORMATS, AsJson, Encoding, Format, Options, RecordsFolder
from diagnosis.cli.output import busy, print_json, say
from diagnosis.cli.root import app
from diagnosis.errors import InputError, RecordsError

if TYPE_CHECKING:
    from diagnosis.records.loading import OnError

__all__ = ["check", "convert"]


@app.command(epilog="Example: diagnosis check admissions/ --format meds --option index=last --strict")
def check(
    records: RecordsFolder,
    format: Format = "tables",
    option: Options = None,
    encoding: Encoding = None,
    strict: Annotated[bool, typer.Option(help="Warnings count as errors.")] = False,
    show_values: Annotated[
        bool,
        typer.Option(
            "--show-values",
            help="Also print what stands in the first five rows of each error. These are patients' data: for your own "
            "screen, not for a log.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Report every problem of a set of records. Exit status 2 if it cannot be used as it is."""
    from diagnosis.cli.shown_values import report_of, report_with_values
    from diagnosis.readers.registry import option_values

    if show_values and as_json:
        raise InputError("--show-values prints for a reader", "found --json beside it", "Give one of the two")
    options, values = option_values(option), list[str]()
    with busy("Read and check the records"):
        if show_values:
            report, values = report_with_values(records, format, encoding, options)
        else:
            report = report_of(records, format, encoding, options)
    print_json(report.to_json()) if as_json else typer.echo("\n".join((str(report), *values)))
    if report.errors or (strict and report.warnings):
        raise typer.Exit(2)


@app.command(epilog="Example: diagnosis convert bundles.ndjson records/ --from fhir --option several=none")
def convert(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="What to convert.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder to write; new or empty.")],
    from_: Annotated[str, typer.Option("--from", "--format", metavar="F", help=f"The format of SOURCE: {FORMATS}.")],
    option: Options = None,
    encoding: Encoding = None,
    quarantine: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Set what is wrong aside in this file; convert the rest.")
    ] = None,
) -> None:
    """Convert any format that can be read here into tables of records."""
    from diagnosis.readers.registry import option_values, read_records
    from diagnosis.readers.writing import refuse_occupied, write_records

    refuse_occupied(folder)
    options = option_values(option)
    on_error: OnError = "quarantine" if quarantine else "raise"
    with busy("Read and check the records"):
        records = read_records(
            source, format=from_, encoding=encoding, on_error=on_error, quarantine=quarantine, options=options
        )
    if not len(records) and records.report.set_aside:
        raise RecordsError(
            "asked for the rows that can be used",
            f"found none: all {records.report.set_aside:,} were set aside in {quarantine}",
            "see the reasons there; `diagnosis check` lists them",
            report=records.report,
        )
    with busy("Write the tables"):
        written = write_records(records, folder)
    say(str(records.report))
    typer.echo(f"{len(records):,} cases with {len(records.coded):,} findings in {written}")
