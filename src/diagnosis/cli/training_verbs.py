"""Verbs that make a model: demo, train, tune; and the schema of their config."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diagnosis.cli.options import AsJson, ConfigFile, Overrides
from diagnosis.cli.output import print_json, say
from diagnosis.cli.root import app, config_app

__all__ = ["demo", "schema", "train", "tune"]


@app.command(epilog="Example: diagnosis demo")
def demo() -> None:
    """Train on the synthetic sample, evaluate on unseen patients, explain three cases; all of it goes to runs/demo."""
    from diagnosis.training import run_demo

    done = run_demo()
    typer.echo(done.result.judged.text)
    say(done.result.note)
    typer.echo(f"Review page: {done.page}")


@app.command(epilog="Example: diagnosis train configs/sample.yaml --set model.kind=linear --set seed=1")
def train(config: ConfigFile, set_: Overrides = None, as_json: AsJson = False) -> None:
    """Fit, evaluate, save and track what a config describes. Started again after a stop, it goes on where it was."""
    from diagnosis.training import train as train_config

    result = train_config(config, tuple(set_ or ()))
    if as_json:
        print_json(result.to_json())
        return
    typer.echo(result.judged.text)
    say("\n".join([*(f"{reason}: {n:,}" for reason, n in result.flow.items()), result.note]))
    say("\n".join(f"{step}: {s:.1f} s, {result.peak_mib[step]:,.0f} MiB" for step, s in result.seconds.items()))
    typer.echo(f"Model: {result.model_path}")
    if result.run_id:
        typer.echo(f"MLflow run: {result.run_id}")
    say("\n".join(f"Written outside the run's folder: {place}" for place in result.outside))


@app.command(epilog="Example: diagnosis tune configs/sample.yaml --trials 40 --timeout 3600")
def tune(
    config: ConfigFile,
    trials: Annotated[int, typer.Option(min=1, help="How many the study is to hold, earlier ones included.")] = 50,
    timeout: Annotated[float | None, typer.Option(metavar="SECONDS", help="No trial begins after it.")] = None,
    study: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.db", help="The study; gone on with where it exists. Default: runs/NAME-KIND-tuning.db."
        ),
    ] = None,
    set_: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Choose a config's options by cross-validation on its training cases; go on with its study if there is one."""
    from diagnosis.training import tune as tune_config

    result = tune_config(config, tuple(set_ or ()), trials=trials, timeout=timeout, study=study)
    print_json(result.to_json()) if as_json else typer.echo(str(result))


@config_app.command(epilog="Example: diagnosis config schema > config.schema.json")
def schema() -> None:
    """Print the JSON Schema of the config, for editors."""
    from diagnosis.training.schema import config_schema

    print_json(config_schema(), indent=2)
