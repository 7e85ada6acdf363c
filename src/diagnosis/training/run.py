"""From a config to a fitted, evaluated, tracked and saved diagnoser."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagnosis.errors import ConfigError, WorkError
from diagnosis.readers import read_records
from diagnosis.tracking import TrackedRun, git_commit, metrics_of, params_of, track, versions
from diagnosis.training.cohort import take_part
from diagnosis.training.config import Config, read_config
from diagnosis.training.fitting import Fitted, fit_each, fit_once
from diagnosis.training.knowledge import with_knowledge, with_words
from diagnosis.training.model_options import check_options
from diagnosis.training.run_folder import check_output, new_run_folder
from diagnosis.training.sides import one_split, published
from diagnosis.training.steps import Steps
from diagnosis.training.yaml_file import dump_yaml

if TYPE_CHECKING:
    from diagnosis.evaluation import Evaluation
    from diagnosis.records import Records
    from diagnosis.suggestions import Diagnoser
    from diagnosis.training.schema import Source

__all__ = ["TrainingResult", "read_source", "train"]


_SYNTHETIC = " The patients are synthetic: not for care."


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a run made.

    Parameters
    ----------
    diagnoser : Diagnoser
        Fitted, as saved.
    evaluation : Evaluation
        On unseen cases.
    model_path : Path
        The bundle.
    run_id : str or None
        In MLflow; None without tracking.
    flow : mapping of str to int
        Where every case that was read has gone.
    seconds : mapping of str to float, seconds
        Wall time by step.
    note : str
        What the evaluation speaks of.
    test : Records
        The unseen cases that were judged on.
    """

    diagnoser: Diagnoser
    evaluation: Evaluation
    model_path: Path
    run_id: str | None
    flow: Mapping[str, int]
    seconds: Mapping[str, float]
    note: str
    test: Records

    def to_json(self) -> dict[str, Any]:
        """Return the run as plain values: `model`, `run_id`, `metrics` and what became of the cases."""
        return {
            "model": str(self.model_path),
            "run_id": self.run_id,
            "metrics": self.evaluation.to_json(),
            "cases": dict(self.flow),
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "note": self.note,
        }

    def __repr__(self) -> str:
        return f"<TrainingResult: {self.model_path}, run {self.run_id or 'not tracked'}>\n{self.evaluation!r}"


def train(config: Config | str | Path, overrides: Sequence[str] = ()) -> TrainingResult:
    """Run a config: read, take the cohort, split, fit, evaluate, save, track.

    Parameters
    ----------
    config : Config, str or Path
        A config, or the YAML file of one.
    overrides : sequence of str
        `a.b=VALUE`, with a file.

    Returns
    -------
    TrainingResult

    Raises
    ------
    InputError
        If the config, the records, the output folder or the tracking URI cannot be used. The last two are tried before
        anything is read.
    WorkError
        If the tracking server does not answer, or fails after the model was saved (the message says where).
    """
    config = _config(config, overrides)
    check_output(config.folder, config.name)
    steps = Steps()
    with _tracked(config) as run:
        fitted, flow, digest = _fit(config, steps)
        model_path = config.folder / "bundle"
        result = TrainingResult(
            diagnoser=fitted.diagnoser,
            evaluation=fitted.evaluation,
            model_path=model_path,
            run_id=run.run_id if run else None,
            flow=flow,
            seconds=steps.seconds,
            note=fitted.note + _chosen(fitted.diagnoser) + (_SYNTHETIC if fitted.test.info.get("synthetic") else ""),
            test=fitted.test,
        )
        with steps("save", f"Save {config.folder}"), new_run_folder(config.folder, config.name) as folder:
            _write(result, config, digest, folder)
        if run:
            with steps("track", "Record the run in MLflow"):
                _record(run, result, config, digest)
    return result


def _chosen(diagnoser: Diagnoser) -> str:
    """Which kind of model `auto` chose, and why; nothing where the config names one."""
    choice = diagnoser.card_.get("model_choice")
    return f" Model: {choice['kind']}, {choice['why']}." if choice else ""


def read_source(source: Source) -> Records:
    """Read records from where a config says; the format `sample` is the package's own."""
    if source.format == "sample":
        from diagnosis.sample import load_sample

        return load_sample()
    assert source.path is not None
    return read_records(source.path, format=source.format, encoding=source.encoding, options=source.options)


def _config(config: Config | str | Path, overrides: Sequence[str]) -> Config:
    if not isinstance(config, Config):
        return read_config(config, overrides)
    if overrides:
        raise ConfigError(
            "Overrides change a config file", "A Config was given", "Change it with config.model_copy(update={...})."
        )
    check_options(config.model)
    return config


def _fit(config: Config, steps: Steps) -> tuple[Fitted, dict[str, int], dict[str, str]]:
    with steps("read", "Read the synthetic sample" if config.records.format == "sample" else "Read the records"):
        records = with_words(with_knowledge(read_source(config.records), config), config)
        test_records = None if config.test_records is None else with_words(read_source(config.test_records), config)
    digest = {"records": records.digest()}
    taken = take_part(records, config)
    flow = dict(taken.flow)
    if taken.records.moment is not None:
        steps.say(str(taken.records.moment))
    if test_records is not None:
        digest["test_records"] = test_records.digest()
        unseen = take_part(test_records, config)
        flow |= {f"test records, {reason}": n for reason, n in unseen.flow.items()}
        fitted = fit_once(config, published(taken.records, unseen.records), steps)
    elif config.split.test == "each":
        fitted = fit_each(config, taken.records, steps)
    else:
        fitted = fit_once(config, one_split(taken.records, config.split, config.seed), steps)
    return fitted, flow | fitted.flow, digest


def _write(result: TrainingResult, config: Config, digest: Mapping[str, str], folder: Path) -> None:
    commit = git_commit(Path.cwd())
    provenance = {"config": config.portable(), "digest": dict(digest), "git_commit": commit}
    result.diagnoser.save(folder / "bundle", provenance=provenance)
    plain = config.model_dump(mode="json")
    (folder / "config.yaml").write_text(dump_yaml(plain), encoding="utf-8")
    _write_json(folder / "evaluation.json", result.evaluation.to_json() | {"note": result.note})
    _write_json(
        folder / "run.json",
        {
            "name": config.name,
            "run_id": result.run_id,
            "cases": dict(result.flow),
            "seconds": dict(result.seconds),
            "note": result.note,
            "digest": dict(digest),
            "versions": versions(),
            "git_commit": commit,
        },
    )


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


@contextmanager
def _tracked(config: Config) -> Iterator[TrackedRun | None]:
    if config.tracking is None:
        yield None
        return
    with track(config.tracking.uri, config.tracking.experiment, config.name) as run:
        yield run


def _record(run: TrackedRun, result: TrainingResult, config: Config, digest: Mapping[str, str]) -> None:
    tags = {f"digest.{name}": value for name, value in digest.items()}
    tags |= {f"version.{name}": value for name, value in versions().items()}
    tags |= {"mlflow.note.content": result.note, "model_kind": config.model.kind}
    commit = git_commit(Path.cwd())
    if commit:
        tags["mlflow.source.git.commit"] = commit
    metrics = metrics_of(result.evaluation.to_json())
    metrics |= {f"seconds.{name.replace(' ', '_')}": value for name, value in result.seconds.items()}
    try:
        run.log(params=params_of(config.model_dump(mode="json")), metrics=metrics, tags=tags)
        for name in ("config.yaml", "evaluation.json"):
            run.add(config.folder / name)
        for path in result.model_path.iterdir():
            if path.name != "local":  # digests of training ids never leave the site
                run.add(path, "bundle" if path.is_file() else f"bundle/{path.name}")
    except Exception as error:
        raise WorkError(
            f"The model is complete in {result.model_path}, but recording the run {run.run_id} in MLflow failed "
            f"({type(error).__name__}). Correct the tracking, or train without it (--set tracking=null)."
        ) from error
