"""Verbs that ask a model: evaluate, suggest and explain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from diagnosis.cli.cases import load
from diagnosis.cli.options import AsJson, Encoding, Format, From, Model, Options, RecordsFolder, Top
from diagnosis.cli.output import as_json as json_line
from diagnosis.cli.output import busy, output_to, print_json, say
from diagnosis.cli.root import app
from diagnosis.errors import UnknownNameError, nearest

if TYPE_CHECKING:
    from diagnosis.suggestions import Differential
    from diagnosis.suggestions.diagnoser import Reading

__all__ = ["evaluate", "explain", "suggest"]

_CHUNK = 500
_OUTPUTS = ("table", "jsonl", "fhir")
_PLAIN: dict[str, Callable[[Differential], dict[str, Any]]] = {
    "jsonl": lambda one: one.to_json(),
    "fhir": lambda one: one.to_fhir(),
}


@app.command(epilog="Example: diagnosis evaluate runs/sample bundles/ --format fhir --by sex,site --json")
def evaluate(
    model: Model,
    records: RecordsFolder,
    format: Format = "tables",
    option: Options = None,
    by: Annotated[str, typer.Option(help="Groups, with commas: columns of cases, or age_band.")] = "",
    encoding: Encoding = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate a model on records it has not seen."""
    from diagnosis.evaluation import evaluate as evaluate_records

    diagnoser, cases = load(model, records, format, option, encoding)
    groups = tuple(name.strip() for name in by.split(",") if name.strip())
    with busy(f"Evaluate on {len(cases):,} cases"):
        evaluation = evaluate_records(diagnoser, cases, by=groups)
    print_json(evaluation.to_json()) if as_json else typer.echo(repr(evaluation))


@app.command(epilog="Example: diagnosis suggest runs/sample records/ --format jsonl -o suggestions.jsonl")
def suggest(
    model: Model,
    records: RecordsFolder,
    case: Annotated[str | None, typer.Option(metavar="ID", help="One case only.")] = None,
    top: Top = 5,
    reading: Annotated[
        str | None, typer.Option(help="posterior or differential, where the model has learned it. Default: its own.")
    ] = None,
    format: Annotated[str, typer.Option(help="table, jsonl, or fhir (a RiskAssessment a line).")] = "table",
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Default: stdout.")] = None,
    from_: From = "tables",
    option: Options = None,
    encoding: Encoding = None,
) -> None:
    """List the likely diagnoses of each case."""
    if format not in _OUTPUTS:
        near = nearest(format, _OUTPUTS)
        raise UnknownNameError(
            "Suggestions are written as table, jsonl or fhir", f"Asked for {format!r}", "Use one.", near=near
        )
    diagnoser, cases = load(model, records, from_, option, encoding, case)
    with output_to(output) as out:
        step = len(cases) if diagnoser.encoder_.windows else _CHUNK
        for start in range(0, len(cases), max(step, 1)):
            some = diagnoser.suggest(cases[start : start + step], top=top, reading=cast("Reading | None", reading))
            for one in (one for one in some if case in (None, one.case_id)):
                out.write(f"{one}\n\n" if format == "table" else json_line(_PLAIN[format](one)) + "\n")


@app.command(epilog="Example: diagnosis explain runs/sample records/ --case 17 --html case.html --lang zh")
def explain(
    model: Model,
    records: RecordsFolder,
    case: Annotated[str, typer.Option(metavar="ID", help="The case.")],
    diagnosis: Annotated[
        list[str] | None, typer.Option(metavar="D", help="A diagnosis, by code or name; may be repeated.")
    ] = None,
    top: Top = 5,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the page of the case.")] = None,
    as_json: AsJson = False,
    lang: Annotated[Literal["en", "zh"], typer.Option(help="Language of names and page.")] = "en",
    format: Format = "tables",
    option: Options = None,
    encoding: Encoding = None,
) -> None:
    """Say what speaks for and against each suggestion of one case."""
    diagnoser, cases = load(model, records, format, option, encoding, case)
    differential = diagnoser.suggest(cases, top=top)[0]
    evidence = differential.explain(diagnosis or None, top=top)
    if html:
        with output_to(html) as out:
            out.write(differential.to_html(lang=lang))
        say(f"Page: {html}")
    if as_json:
        print_json(evidence.to_json())
        return
    typer.echo(str(evidence.in_language(differential.records.vocabulary, lang)))
