"""From a config to a fitted, evaluated, tracked and saved diagnoser; an interrupted run goes on where it was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagnosis.errors import ConfigError
from diagnosis.tracking import DataSet, TrackedRun, git_commit, versions
from diagnosis.training.cohort import take_part
from diagnosis.training.config import Config, read_config
from diagnosis.training.engine import learning_on, where_done
from diagnosis.training.explaining import review_page
from diagnosis.training.fitting import Fitted, Fitting, fit_each, fit_once
from diagnosis.training.kept import Kept, content_key
from diagnosis.training.knowledge import with_knowledge, with_words
from diagnosis.training.model_options import check_options
from diagnosis.training.recording import outside, record, tracked
from diagnosis.training.reporting import write_report
from diagnosis.training.result import TrainingResult
from diagnosis.training.run_folder import at_work, check_output, new_run_folder
from diagnosis.training.sides import held_out_each, one_split, published
from diagnosis.training.sources import read_source
from diagnosis.training.steps import Steps
from diagnosis.training.whole_file import write_whole
from diagnosis.training.yaml_file import dump_yaml

if TYPE_CHECKING:
    from diagnosis.records import Records
    from diagnosis.suggestions import Diagnoser
    from diagnosis.training.schema import Source

__all__ = ["TrainingResult", "read_source", "train"]

_SYNTHETIC = " The patients are synthetic: not for care."
_TRACKED = "tracked.json"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a run has read: the cases that take part, and where the others have gone."""

    taken: Records
    unseen: Records | None
    flow: dict[str, int]
    datasets: dict[str, DataSet]
    check: dict[str, Any]

    @property
    def digest(self) -> dict[str, str]:
        """SHA-256 of the content of each set of records."""
        return {name: one.digest for name, one in self.datasets.items()}


def train(config: Config | str | Path, overrides: Sequence[str] = ()) -> TrainingResult:
    """Run a config: load, check, split, fit, calibrate, evaluate, explain, report, save, track.

    A run that was interrupted and is started again goes on after its last finished step, and ends in the same bytes.
    Records are read again, never copied into the run's folder.

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
    with at_work(config.folder, config.name) as place, tracked(config, _earlier_run(place, config)) as run:
        if run is not None:
            write_whole(place / _TRACKED, json.dumps({"config": _identity(config), "run_id": run.run_id}))
        result = _run(config, steps, place, run)
        shutil.rmtree(place, ignore_errors=True)
    return result


def _run(config: Config, steps: Steps, place: Path, run: TrackedRun | None) -> TrainingResult:
    with learning_on(config) as learning:
        loaded = _load(config, steps)
        commit = git_commit(Path.cwd())
        kept = _kept(place, config, loaded.digest, commit)
        provenance = {"config": config.portable(), "digest": loaded.digest, "git_commit": commit}
        fitted = _fit(Fitting(config, provenance, kept, steps, learning), loaded)
    synthetic = _SYNTHETIC if fitted.test.info.get("synthetic") else ""
    note = fitted.note + _chosen(fitted.diagnoser) + where_done(config) + synthetic
    _explain(config, steps, kept, fitted)
    _report(config, steps, kept, fitted, note)

    def result() -> TrainingResult:
        return TrainingResult(
            diagnoser=fitted.diagnoser,
            judged=fitted.judged,
            model_path=config.folder / "bundle",
            run_id=run.run_id if run else None,
            flow=loaded.flow | fitted.flow,
            seconds=dict(steps.seconds),
            peak_mib=dict(steps.peaks),
            note=note,
            test=fitted.test,
            outside=outside(config),
        )

    if kept.finished("save") is None:
        with steps("save", f"Save {config.folder}"):
            _save(result(), config, loaded, commit, kept)
    if run is not None:
        with steps("track", "Record the run in MLflow"):
            record(run, result(), config, loaded.datasets, commit)
    return result()


def _identity(config: Config) -> str:
    return content_key(config.model_dump(mode="json"), versions())


def _earlier_run(place: Path, config: Config) -> str | None:
    """The run in MLflow that was interrupted, if this is the same run."""
    try:
        plain = json.loads((place / _TRACKED).read_text(encoding="utf-8"))
        return str(plain["run_id"]) if plain["config"] == _identity(config) else None
    except (OSError, ValueError, KeyError):
        return None


def _kept(place: Path, config: Config, digest: Mapping[str, str], commit: str | None) -> Kept:
    """The finished steps of this very run; those of another config or of other records are cleared away."""
    key = content_key(config.portable(), digest, versions(), {"commit": commit})
    for other in place.iterdir():
        if other.is_dir() and other.name != key:
            shutil.rmtree(other, ignore_errors=True)
    return Kept(place / key)


def _chosen(diagnoser: Diagnoser) -> str:
    """Which kind of model `auto` chose, and why; nothing where the config names one."""
    choice = diagnoser.card_.get("model_choice")
    return f" Model: {choice['kind']}, {choice['why']}." if choice else ""


def _config(config: Config | str | Path, overrides: Sequence[str]) -> Config:
    if not isinstance(config, Config):
        return read_config(config, overrides)
    if overrides:
        raise ConfigError(
            "Overrides change a config file", "A Config was given", "Change it with config.model_copy(update={...})."
        )
    check_options(config.model)
    return config


def _load(config: Config, steps: Steps) -> Loaded:
    sources = {"records": config.records} | ({"test_records": config.test_records} if config.test_records else {})
    with steps("load", "Read the synthetic sample" if config.records.format == "sample" else "Read the records"):
        read = {name: with_words(read_source(source), config) for name, source in sources.items()}
        read["records"] = with_knowledge(read["records"], config)
        datasets = {name: _dataset(records, sources[name]) for name, records in read.items()}
    with steps("check", "Check the records and take the cohort"):
        taken = take_part(read["records"], config)
        flow = dict(taken.flow)
        unseen = take_part(read["test_records"], config) if "test_records" in read else None
        if unseen is not None:
            flow |= {f"test records, {reason}": n for reason, n in unseen.flow.items()}
        check = {name: records.report.to_json() for name, records in read.items()}
    if taken.records.moment is not None:
        steps.say(str(taken.records.moment))
    return Loaded(taken.records, None if unseen is None else unseen.records, flow, datasets, check)


def _dataset(records: Records, source: Source) -> DataSet:
    name = Path(source.path).name if source.path else "sample"
    return DataSet(name, records.digest(), len(records), len(records.coded), source.format)


def _fit(fitting: Fitting, loaded: Loaded) -> Fitted:
    config = fitting.config
    with fitting.steps("split", "Set unseen cases apart"):
        if loaded.unseen is not None:
            sides = [published(loaded.taken, loaded.unseen)]
        elif config.split.test == "each":
            sides = list(held_out_each(loaded.taken, config.split, config.seed))
        else:
            sides = [one_split(loaded.taken, config.split, config.seed)]
    if loaded.unseen is None and config.split.test == "each":
        return fit_each(fitting, loaded.taken, sides)
    return fit_once(fitting, sides[0])


def _explain(config: Config, steps: Steps, kept: Kept, fitted: Fitted) -> None:
    if not config.evaluation.explained or kept.finished("explain") is not None:
        return
    with steps("explain", "Explain three unseen cases"), kept.step("explain") as folder:
        page = review_page(fitted.asked, fitted.test, fitted.judged, config.name)
        (folder / "review.html").write_text(page, encoding="utf-8")


def _report(config: Config, steps: Steps, kept: Kept, fitted: Fitted, note: str) -> None:
    if kept.finished("report") is None:
        with steps("report", "Write the report"), kept.step("report") as folder:
            write_report(folder, config, fitted, note)


def _save(result: TrainingResult, config: Config, loaded: Loaded, commit: str | None, kept: Kept) -> None:
    """Put the run's folder in its place; what was kept of the steps is taken over as it is."""
    with new_run_folder(config.folder, config.name) as folder:
        shutil.copytree(kept.folder / "calibrate" / "bundle", folder / "bundle")
        for step in ("explain", "report"):
            done = kept.finished(step)
            if done is not None:
                shutil.copytree(done, folder, ignore=shutil.ignore_patterns("files.json"), dirs_exist_ok=True)
        (folder / "config.yaml").write_text(dump_yaml(config.model_dump(mode="json")), encoding="utf-8")
        _write_json(folder / "evaluation.json", result.judged.plain | {"note": result.note})
        _write_json(folder / "check.json", loaded.check)
        _write_json(folder / "run.json", _about(result, config, loaded, commit))
    with kept.step("save"):
        pass  # that it is done is all there is to keep


def _about(result: TrainingResult, config: Config, loaded: Loaded, commit: str | None) -> dict[str, Any]:
    plain = {name: value for name, value in result.to_json().items() if name not in ("model", "metrics")}
    made = {"digest": loaded.digest, "versions": versions(), "git_commit": commit}
    return {"name": config.name, **plain, **made}


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
