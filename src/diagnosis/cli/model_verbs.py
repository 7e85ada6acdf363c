"""Verbs that ask a model: evaluate, compare, suggest and explain."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from diagnosis.cli.cases import load
from diagnosis.cli.options import (
    AsJson,
    Encoding,
    Format,
    From,
    Metric,
    Model,
    OfReading,
    OnSeenPatients,
    Options,
    RecordsFolder,
    Top,
)
from diagnosis.cli.output import as_json as json_line
from diagnosis.cli.output import busy, output_to, print_json, say
from diagnosis.cli.root import app
from diagnosis.errors import InputError, UnknownNameError, nearest

if TYPE_CHECKING:
    from diagnosis.evaluation import Evaluation
    from diagnosis.suggestions import Differential
    from diagnosis.suggestions.diagnoser import Reading

__all__ = ["compare", "evaluate", "explain", "suggest"]

_CHUNK = 500
_OUTPUTS = ("table", "jsonl", "fhir", "parquet")
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
    by: Annotated[str, typer.Option(help="Groups, with commas: columns of cases, age_band, year or quarter.")] = "",
    metric: Metric = "log_loss",
    on_seen: OnSeenPatients = "report",
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the whole report, one HTML file.")] = None,
    lang: Annotated[Literal["en", "zh"], typer.Option(help="Language of the report.")] = "en",
    encoding: Encoding = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate a model on records it has not seen."""
    from diagnosis.evaluation import evaluate as evaluate_records
    from diagnosis.evaluation import report

    diagnoser, cases = load(model, records, format, option, encoding)
    groups = tuple(name.strip() for name in by.split(",") if name.strip())
    with busy(f"Evaluate on {len(cases):,} cases"):
        evaluation = evaluate_records(diagnoser, cases, by=groups, on_seen=on_seen, primary=metric)
    _say_trained_on(evaluation)
    if html:
        with busy("Write the report"), output_to(html) as out:
            page = report(diagnoser, cases, evaluation=evaluation, on_seen=on_seen, title=model)
            out.write(page.to_html(lang))
        say(f"Report: {html}")
    print_json(evaluation.to_json()) if as_json else typer.echo(repr(evaluation))


def _say_trained_on(evaluation: Evaluation) -> None:
    """Say on stderr that a model was judged on what it was trained on, whatever is made of stdout."""
    n = sum(one.n for one in evaluation.suspicions if one.kind == "trained_on")
    if n:
        rest = "--on-seen leave_out judges the others" if n < evaluation.n else "give cases it has not seen"
        say(f"Warning: {n:,} of {evaluation.n:,} cases were trained on, by the ids of their patients; {rest}")


@app.command(epilog="Example: diagnosis compare models:/clinic@champion models:/clinic@challenger records/ --json")
def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="The model to compare with: a folder or an MLflow URI.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The other model.")],
    records: RecordsFolder,
    metric: Metric = "log_loss",
    on_seen: OnSeenPatients = "raise",
    format: Format = "tables",
    option: Options = None,
    encoding: Encoding = None,
    as_json: AsJson = False,
) -> None:
    """Compare two models on the same cases, which neither has seen."""
    from diagnosis.evaluation import compare as compare_models
    from diagnosis.tracking import load_diagnoser

    reference, cases = load(first, records, format, option, encoding)
    with busy("Load the other model"):
        other = load_diagnoser(second)
    with busy(f"Compare on {len(cases):,} cases"):
        found = compare_models(reference, other, cases, primary=metric, on_seen=on_seen)
    print_json(found.to_json()) if as_json else typer.echo(str(found))


@app.command(epilog="Example: diagnosis suggest runs/sample records/ --format jsonl -o suggestions.jsonl")
def suggest(
    model: Model,
    records: RecordsFolder,
    case: Annotated[str | None, typer.Option(metavar="ID", help="One case only.")] = None,
    top: Top = 5,
    reading: OfReading = "posterior",
    format: Annotated[
        str,
        typer.Option(
            help="table, jsonl, fhir (a RiskAssessment a line), or parquet: a folder of Parquet of any size, answered "
            "part by part into the folder -o; started again, it goes on where it was stopped."
        ),
    ] = "table",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Where to write; of parquet, a folder. Default: stdout."),
    ] = None,
    from_: From = "tables",
    option: Options = None,
    encoding: Encoding = None,
) -> None:
    """List the likely diagnoses of each case."""
    if format not in _OUTPUTS:
        near = nearest(format, _OUTPUTS)
        raise UnknownNameError(
            "Suggestions are written as table, jsonl, fhir or parquet", f"Asked for {format!r}", "Use one.", near=near
        )
    if format == "parquet":
        _in_parts(model, records, output, top, reading, case is None and from_ == "tables")
        return
    from diagnosis.evaluation.progress import watched

    diagnoser, cases = load(model, records, from_, option, encoding, case)
    if not len(cases):
        say("The records hold no case.")
    step = max(len(cases), 1) if diagnoser.encoder_.windows else _CHUNK
    starts: Iterable[int] = range(0, len(cases), step)
    if output is not None:
        starts = watched(starts, -(-len(cases) // step), f"Answer {len(cases):,} cases")
    with output_to(output) as out:
        for start in starts:
            some = diagnoser.suggest(cases[start : start + step], top=top, reading=cast("Reading", reading))
            for one in (one for one in some if case in (None, one.case_id)):
                out.write(f"{one}\n\n" if format == "table" else json_line(_PLAIN[format](one)) + "\n")


def _in_parts(model: str, records: Path, output: Path | None, top: int, reading: str, all_of_tables: bool) -> None:
    from diagnosis.suggestions.in_parts import suggest_parts
    from diagnosis.tracking import load_diagnoser

    if output is None or not all_of_tables:
        raise InputError(
            "--format parquet answers all cases of a folder of Parquet tables",
            "no folder was named for the answers" if output is None else "one case, or another format, was asked for",
            "give -o FOLDER, without --case and --from; `diagnosis convert` makes the tables",
        )
    with busy("Load the model"):
        diagnoser = load_diagnoser(model)
    with busy("Answer part by part"):
        done = suggest_parts(diagnoser, records, output, top=top, reading=cast("Reading", reading))
    kept = f", {done.n_kept:,} of them from before" if done.n_kept else ""
    typer.echo(f"{done.n_cases:,} cases in {done.n_parts:,} parts{kept}: {done.folder}")


@app.command(epilog="Example: diagnosis explain runs/sample records/ --case 17 --html case.html --lang zh")
def explain(
    model: Model,
    records: RecordsFolder,
    case: Annotated[str, typer.Option(metavar="ID", help="The case.")],
    diagnosis: Annotated[
        list[str] | None, typer.Option(metavar="D", help="A diagnosis, by code or name; may be repeated.")
    ] = None,
    top: Top = 5,
    reading: OfReading = "posterior",
    questions: Annotated[
        int, typer.Option(min=0, metavar="K", help="How many answers that would change the list to name; 0: none.")
    ] = 3,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the page of the case.")] = None,
    reveal: Annotated[
        Literal["at_once", "after_answer"],
        typer.Option(help="On the page: whether the list waits until the reader has written an own first idea."),
    ] = "at_once",
    as_json: AsJson = False,
    lang: Annotated[Literal["en", "zh"], typer.Option(help="Language of names and page.")] = "en",
    format: Format = "tables",
    option: Options = None,
    encoding: Encoding = None,
) -> None:
    """Say what speaks for and against each suggestion of one case, and what would change the list."""
    from diagnosis.suggestions.asks import asks_json, asks_words

    diagnoser, cases = load(model, records, format, option, encoding, case)
    differential = diagnoser.suggest(cases, top=top, reading=cast("Reading", reading))[0]
    evidence = differential.explain(diagnosis or None, top=top)
    if html:
        with output_to(html) as out:
            out.write(differential.to_html(lang=lang, questions=questions, reveal=reveal))
        say(f"Page: {html}")
    if as_json:
        print_json({**evidence.to_json(), **asks_json(differential, questions)})
        return
    typer.echo(str(evidence.in_language(differential.records.vocabulary, lang)))
    if asks := asks_words(differential, questions, lang):
        typer.echo(asks)
