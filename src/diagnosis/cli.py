"""The command `diagnosis`: parsing and printing only.

Results go to stdout, messages to stderr. Exit status: 0 done, 1 the work failed, 2 bad arguments or bad input,
130 stopped with Ctrl-C. What a verb needs is imported when it runs, so that the help comes at once.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Literal, cast

import typer
from typer.core import TyperGroup

from diagnosis.errors import DiagnosisError, InputError, RecordsError, UnknownNameError, nearest

if TYPE_CHECKING:
    from diagnosis.records import Records
    from diagnosis.records.loading import OnError
    from diagnosis.suggestions import Diagnoser, Differential
    from diagnosis.suggestions.diagnoser import Reading

__all__ = ["app", "main"]

_CHUNK = 500
_FORMATS = "tables, fhir, phenopackets, meds, ddxplus"
_OUTPUTS = ("table", "jsonl", "fhir")
_PLAIN: dict[str, Callable[[Differential], dict[str, Any]]] = {
    "jsonl": lambda one: one.to_json(),
    "fhir": lambda one: one.to_fhir(),
}


class _Reporting(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        """Run a verb; the library's errors become one message on stderr and exit status 2, 1 or 130."""
        try:
            return super().invoke(ctx)
        except InputError as error:
            _say(f"Error: {error}")
            raise typer.Exit(2) from None
        except DiagnosisError as error:
            _say(f"Failed: {error}")
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            _say("Stopped. Nothing was left half-written.")
            raise typer.Exit(130) from None
        except BrokenPipeError:
            raise
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            _say(f"Failed: {error.strerror or type(error).__name__}{where}")
            raise typer.Exit(1) from None


app = typer.Typer(
    name="diagnosis",
    cls=_Reporting,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, which may hold a patient's findings
    help="Learn from doctors' past cases; answer a new case with a ranked, calibrated and explained differential. "
    "It supports a clinician's decision. It is not for patients.",
    epilog="Exit status: 0 done (warnings included); 1 the work failed; 2 bad arguments or bad input; 130 stopped with "
    "Ctrl-C. Results go to stdout, messages to stderr. Example: diagnosis demo",
)
config_app = typer.Typer(no_args_is_help=True, help="About the config of a training run.")
app.add_typer(config_app, name="config")

Model = Annotated[str, typer.Argument(metavar="MODEL", help="A bundle folder, a run's folder, or an MLflow URI.")]
RecordsFolder = Annotated[Path, typer.Argument(metavar="RECORDS", help="A folder of records, or a file.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Encoding = Annotated[str | None, typer.Option(help="Encoding of text files, such as gb18030. Default: UTF-8.")]
Format = Annotated[str, typer.Option("--format", "--from", metavar="F", help=f"The format of RECORDS: {_FORMATS}.")]
From = Annotated[str, typer.Option("--from", metavar="F", help=f"The format of RECORDS: {_FORMATS}.")]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME=VALUE", help="An option of that format, as in a config; may be repeated."),
]
ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file; see `diagnosis config schema`.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="a.b=VALUE", help="Change one key; repeatable.")]
Top = Annotated[int, typer.Option(min=1, help="How many diagnoses to list.")]


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"diagnosis {version('diagnosis')}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")]


@app.callback()
def _root(version: Version = False) -> None:
    pass


@app.command(epilog="Example: diagnosis demo")
def demo() -> None:
    """Train on the synthetic sample, evaluate on unseen patients, explain three cases, write a review page."""
    from diagnosis.training import run_demo

    done = run_demo()
    typer.echo(repr(done.result.evaluation))
    _say(done.result.note)
    typer.echo(f"Review page: {done.page}")


@app.command(epilog="Example: diagnosis check admissions/ --format meds --option index=last --strict")
def check(
    records: RecordsFolder,
    format: Format = "tables",
    option: Options = None,
    encoding: Encoding = None,
    strict: Annotated[bool, typer.Option(help="Warnings count as errors.")] = False,
    as_json: AsJson = False,
) -> None:
    """Report every problem of a set of records. Exit status 2 if it cannot be used as it is."""
    from diagnosis.readers.registry import option_values, read_records

    try:
        report = read_records(records, format=format, encoding=encoding, options=option_values(option)).report
    except RecordsError as error:
        report = error.report
    _print_json(report.to_json()) if as_json else typer.echo(str(report))
    if report.errors or (strict and report.warnings):
        raise typer.Exit(2)


@app.command(epilog="Example: diagnosis convert bundles.ndjson records/ --from fhir --option several=none")
def convert(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="What to convert.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder to write; new or empty.")],
    from_: Annotated[str, typer.Option("--from", "--format", metavar="F", help=f"The format of SOURCE: {_FORMATS}.")],
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
    records = read_records(
        source, format=from_, encoding=encoding, on_error=on_error, quarantine=quarantine, options=options
    )
    written = write_records(records, folder)
    _say(str(records.report))
    typer.echo(f"{len(records):,} cases with {len(records.coded):,} findings in {written}")


@app.command(epilog="Example: diagnosis train configs/sample.yaml --set model.kind=linear --set seed=1")
def train(config: ConfigFile, set_: Overrides = None, as_json: AsJson = False) -> None:
    """Fit, evaluate, save and track what a config describes."""
    from diagnosis.training import train as train_config

    result = train_config(config, tuple(set_ or ()))
    if as_json:
        _print_json(result.to_json())
        return
    typer.echo(repr(result.evaluation))
    _say("\n".join([*(f"{reason}: {n:,}" for reason, n in result.flow.items()), result.note]))
    typer.echo(f"Model: {result.model_path}")
    if result.run_id:
        typer.echo(f"MLflow run: {result.run_id}")


@app.command(epilog="Example: diagnosis tune configs/sample.yaml --trials 40 --timeout 3600")
def tune(
    config: ConfigFile,
    trials: Annotated[int, typer.Option(min=1, help="How many the study is to hold, earlier ones included.")] = 50,
    timeout: Annotated[float | None, typer.Option(metavar="SECONDS", help="No trial begins after it.")] = None,
    study: Annotated[Path | None, typer.Option(metavar="FILE.db", help="Default: runs/NAME-tuning.db.")] = None,
    set_: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Choose a config's options by cross-validation on its training cases; go on with its study if there is one."""
    from diagnosis.training import tune as tune_config

    result = tune_config(config, tuple(set_ or ()), trials=trials, timeout=timeout, study=study)
    _print_json(result.to_json()) if as_json else typer.echo(str(result))


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

    diagnoser, cases = _load(model, records, format, option, encoding)
    groups = tuple(name.strip() for name in by.split(",") if name.strip())
    with _busy(f"Evaluate on {len(cases):,} cases"):
        evaluation = evaluate_records(diagnoser, cases, by=groups)
    _print_json(evaluation.to_json()) if as_json else typer.echo(repr(evaluation))


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
    diagnoser, cases = _load(model, records, from_, option, encoding, case)
    with _output(output) as out:
        step = len(cases) if diagnoser.encoder_.windows else _CHUNK
        for start in range(0, len(cases), max(step, 1)):
            some = diagnoser.suggest(cases[start : start + step], top=top, reading=cast("Reading | None", reading))
            for one in (one for one in some if case in (None, one.case_id)):
                out.write(f"{one}\n\n" if format == "table" else _json(_PLAIN[format](one)) + "\n")


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
    diagnoser, cases = _load(model, records, format, option, encoding, case)
    differential = diagnoser.suggest(cases, top=top)[0]
    evidence = differential.explain(diagnosis or None, top=top)
    if html:
        with _output(html) as out:
            out.write(differential.to_html(lang=lang))
        _say(f"Page: {html}")
    if as_json:
        _print_json(evidence.to_json())
        return
    typer.echo(str(evidence.in_language(differential.records.vocabulary, lang)))


@config_app.command(epilog="Example: diagnosis config schema > config.schema.json")
def schema() -> None:
    """Print the JSON Schema of the config, for editors."""
    from diagnosis.training.schema import config_schema

    _print_json(config_schema(), indent=2)


def main() -> None:
    """Run the command; the entry point `diagnosis`."""
    warnings.formatwarning = _one_line
    app(prog_name="diagnosis")


def _load(
    model: str, path: Path, format: str, option: list[str] | None, encoding: str | None, case: str | None = None
) -> tuple[Diagnoser, Records]:
    import numpy as np

    from diagnosis.readers.registry import option_values, read_records
    from diagnosis.tracking import load_diagnoser

    options = option_values(option)
    with _busy("Load the model"):
        diagnoser = load_diagnoser(model)
    with _busy("Read the records"):
        records = read_records(path, format=format, encoding=encoding, options=options)
    if case is None:
        return diagnoser, records
    rows = np.flatnonzero(records.case_ids == case)
    if not len(rows):
        raise InputError("One case was asked for by its id", "No case has that id", "See the column case_id of cases.")
    if diagnoser.encoder_.windows:  # it looks back at the patient's other encounters
        rows = np.append(rows, np.setdiff1d(np.flatnonzero(records.groups == records.groups[rows[0]]), rows))
    return diagnoser, records[rows]


@contextmanager
def _busy(text: str) -> Iterator[None]:
    """Show on a terminal what is going on."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield


@contextmanager
def _output(file: Path | None) -> Iterator[IO[str]]:
    if file is None:
        yield sys.stdout
        return
    from diagnosis.training.whole_file import whole_file

    with whole_file(file) as out:
        yield out


def _json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)


def _print_json(value: object, indent: int | None = None) -> None:
    typer.echo(_json(value, indent))


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _one_line(message: Warning | str, category: type[Warning], *_where: object, **_line: object) -> str:
    return f"{category.__name__}: {message}\n"
