"""Tuning looks at training cases alone, never does worse than the config as given, and goes on where it stopped."""

from __future__ import annotations

import json
import sqlite3
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.engine import Engine
from typer.testing import CliRunner

from diagnosis import Records, write_records
from diagnosis.cli import app
from diagnosis.errors import InputError
from diagnosis.training import read_config, train, tune
from diagnosis.training import tuning as tuning_module
from diagnosis.training.building import build_diagnoser
from diagnosis.training.cross_validation import Folds, FoldScore, mean_of
from diagnosis.training.search_space import kept, knobs_of, put_in, rounded, with_values
from diagnosis.training.study import run_trials, study_in, tried
from diagnosis.training.yaml_file import dump_yaml, parse_yaml

WriteConfig = Callable[..., Path]


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """No test cuts the power, so none needs SQLite to wait until every transaction is on the disk."""

    def hasten(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    event.listen(Engine, "connect", hasten)
    yield
    event.remove(Engine, "connect", hasten)


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("1e-3.:~ n\n#'ja名", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=6,
)


@given(_PLAIN)
def test_what_is_dumped_is_read_back(value: object):
    assert parse_yaml(dump_yaml({"a": value, "b": value}), "text").value == {"a": value, "b": value}


# The search space


@pytest.mark.parametrize("kind", ["linear", "boosted", "hybrid", "ranker"])
def test_the_config_as_given_is_a_point_of_its_space(write_config: WriteConfig, kind: str):
    config = read_config(write_config(), [f"model.kind={kind}"])
    knobs = knobs_of(config)
    assert len(knobs) > 1
    for knob in knobs:
        assert knob.given is not None
        assert knob.low <= knob.given <= knob.high
        assert with_values(config, {knob.name: knob.given}) is not config


def test_bounds_widen_to_what_the_config_sets(write_config: WriteConfig):
    config = read_config(write_config(), ["model={kind: hybrid, linear: {C: 99.0}, boosted: {lambda_l2: 0}}"])
    knobs = {knob.name: knob for knob in knobs_of(config)}
    assert knobs["model.linear.C"].given == knobs["model.linear.C"].high == 99.0
    assert (knobs["model.boosted.lambda_l2"].low, knobs["model.boosted.lambda_l2"].log) == (0, False)


@pytest.mark.parametrize("residual", [False, True])
def test_the_hybrid_with_its_own_values_put_in_is_the_hybrid_as_given(write_config: WriteConfig, residual: bool):
    config = read_config(write_config(), [f"model={{kind: hybrid, residual: {str(residual).lower()}}}"])
    values = kept(config) | {knob.name: knob.given for knob in knobs_of(config)}
    one, other = (build_diagnoser(made).model for made in (config, with_values(config, values)))
    parts = [model.boosted_part(residual=residual).get_params() for model in (one, other)]
    assert parts[0] == parts[1]


def test_values_go_where_they_belong():
    plain = {"model": {"kind": "hybrid", "linear": None}, "name": "x"}
    made = put_in(plain, rounded({"model.linear.C": 0.123456, "features.min_cases": 7}))
    assert made == {"model": {"kind": "hybrid", "linear": {"C": 0.123}}, "name": "x", "features": {"min_cases": 7}}
    assert plain["model"] == {"kind": "hybrid", "linear": None}


# Cross-validation


def test_no_patient_is_in_two_folds_and_no_fold_sees_its_own_labels(write_config: WriteConfig, clinic: Records):
    config = read_config(write_config())
    held = Folds.of(clinic, config, 3)
    for patient in np.unique(held.patient):
        assert len(np.unique(held.fold[held.patient == patient])) == 1
    *_, scores = held.scores(config)
    assert [one.n for one in scores] == np.bincount(held.fold).tolist()
    # Were its own labels learned from, the fold would fit false ones as well as true ones.
    false = replace(held, y=np.where(held.fold == 0, (held.y + 1) % len(held.classes), held.y))
    *_, wrong = false.scores(config)
    assert scores[0].top1 > 0.5 > wrong[0].top1
    assert mean_of(scores) < np.log(len(held.classes))


# A study


def _valley(values: Any) -> Iterator[list[FoldScore]]:
    """Log-loss lowest at C = 0.2; the config as given has 1."""
    loss = 1.0 + abs(np.log(values.get("model.C", 1.0) / 0.2))
    for n in range(1, 4):
        yield [FoldScore(10, loss + 0.01 * k, 0.5) for k in range(n)]


def _go(file: Path, write_config: WriteConfig, trials: int, judge: Any = _valley, timeout: float | None = None) -> Any:
    knobs = knobs_of(read_config(write_config()))
    with study_in(file, {"cases": "abc"}) as study:
        try:
            run_trials(study, knobs, judge, n_folds=3, trials=trials, timeout=timeout, seed=0, show=lambda *_: None)
        finally:
            done = tried(study)
    return done


def test_an_interrupted_study_comes_to_the_same_trials(write_config: WriteConfig, tmp_path: Path):
    whole = _go(tmp_path / "whole.db", write_config, 12)
    calls = 0

    def stopping(values: Any) -> Iterator[list[FoldScore]]:
        nonlocal calls
        calls += 1
        if calls in (1, 8):
            raise KeyboardInterrupt
        yield from _valley(values)

    file = tmp_path / "{odd} name?.db"
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            _go(file, write_config, 12, stopping)
    again = _go(file, write_config, 12, stopping)
    assert [(t.values, t.state, t.folds) for t in again] == [(t.values, t.state, t.folds) for t in whole]
    assert whole[0].values == {}
    assert whole[0].state == "complete"
    assert {t.state for t in whole} == {"complete", "pruned"}
    assert min(t.log_loss for t in whole if t.state == "complete") < whole[0].log_loss
    assert _go(file, write_config, 5, stopping) == again  # enough already
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_it_says_which_fold_of_which_trial_is_fitted(write_config: WriteConfig, tmp_path: Path):
    said: list[str] = []
    knobs = knobs_of(read_config(write_config()))
    with study_in(tmp_path / "s.db", {"model": {"kind": "linear"}}) as study:
        show = lambda done, folds: said.append(tuning_module._said(done, folds, 3))  # noqa: E731
        run_trials(study, knobs, _valley, n_folds=3, trials=2, timeout=None, seed=0, show=show)
        assert study.study_name == "diagnosis linear"
    assert said[:2] == [f"Tune: trial 1, fold {k} of 3, the config as given" for k in (1, 2)]
    assert any(one.startswith("Tune: trial 2, fold 3 of 3; log-loss at best ") for one in said)


def test_values_that_cannot_be_fitted_are_counted_and_the_config_itself_is_not(
    write_config: WriteConfig, tmp_path: Path
):
    def refusing(values: Any) -> Iterator[list[FoldScore]]:
        if values:
            raise InputError("asked", "found", "do")
        yield from _valley(values)

    done = _go(tmp_path / "a.db", write_config, 3, refusing)
    assert [t.state for t in done] == ["complete", "failed", "failed"]
    assert done[1].values != done[2].values
    with pytest.raises(InputError, match="broken"):
        _go(tmp_path / "b.db", write_config, 3, lambda _: (_ for _ in ()).throw(InputError("broken", "", "")))


def test_a_timeout_still_judges_the_config_as_given(write_config: WriteConfig, tmp_path: Path):
    assert [t.values for t in _go(tmp_path / "a.db", write_config, 5, timeout=1e-9)] == [{}]


@pytest.mark.parametrize("content", [b"records: x\n", b"SQLite format 3\x00 broken", "tables"])
def test_a_file_that_holds_no_study_is_refused_and_left_alone(tmp_path: Path, content: bytes | str):
    file = tmp_path / "mlflow.db"
    if isinstance(content, str):
        with sqlite3.connect(file) as db:
            db.execute("CREATE TABLE experiments (id INTEGER)")
        db.close()
    else:
        file.write_bytes(content)
    before = file.read_bytes()
    with pytest.raises(InputError, match="holds no study"), study_in(file, {}):
        pass
    assert file.read_bytes() == before


# The whole


def test_tuning_writes_a_config_that_trains_and_is_not_worse(
    write_config: WriteConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = write_config("labels: {min_cases: 3}\noutput: runs/ward\n")
    seen: list[Records] = []
    monkeypatch.setattr(tuning_module.Folds, "of", _spy(tuning_module.Folds.of, seen))
    result = tune(path, ["seed=2"], trials=4, folds=3)
    assert result.best.log_loss <= result.given.log_loss
    assert result.config == Path("runs/ward-linear-tuned.yaml")
    best = read_config(result.config)
    assert (best.name, best.output, best.seed, best.labels.min_cases) == (
        "clinic-linear-tuned",
        "runs/ward-linear-tuned",
        2,
        3,
    )
    assert best.records == read_config(path).records
    for name, value in result.best.values.items():
        section, key = name.split(".")
        assert put_in({}, best.model_dump())[section][key] == value
    trained = train(best)
    assert not set(trained.test.groups.tolist()) & set(seen[0].groups.tolist())
    assert trained.flow["train"] == len(seen[0])


def _spy(of: Any, seen: list[Records]) -> Any:
    def spied(records: Records, *rest: Any) -> Any:
        seen.append(records)
        return of(records, *rest)

    return spied


def test_the_command_prints_both_and_goes_on_with_its_own_study_alone(write_config: WriteConfig, tmp_path: Path):
    path, file = write_config(), tmp_path / "one.db"
    run = CliRunner()
    first = run.invoke(app, ["tune", str(path), "--trials", "2", "--study", str(file)])
    assert first.exit_code == 0, first.output
    assert "as given" in first.stdout
    assert "optimistic" in first.stdout
    more = run.invoke(app, ["tune", str(path), "--trials", "3", "--study", str(file), "--json"])
    plain = json.loads(more.stdout)
    assert sum(plain["trials"].values()) == 3
    assert plain["config"] == str(tmp_path / "one-tuned.yaml")
    assert np.average(plain["differences"], weights=[f["n"] for f in plain["best"]["folds"]]) == pytest.approx(
        plain["best"]["log_loss"] - plain["given"]["log_loss"]
    )
    other = run.invoke(app, ["tune", str(path), "--study", str(file), "--set", "seed=1"])
    assert other.exit_code == 2
    assert "other cases, seed" in other.stderr
    assert "--study OTHER.db" in other.stderr
    kind = run.invoke(app, ["tune", str(path), "--study", str(file), "--set", "model={kind: boosted}"])
    assert kind.exit_code == 2
    assert "for a model of the kind boosted. It tunes one of the kind linear" in kind.stderr


def test_paths_keep_their_meaning_beside_a_study_elsewhere(
    write_config: WriteConfig, clinic_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clinic: Records
):
    write_records(clinic[np.arange(20)], tmp_path / "unseen")
    monkeypatch.setenv("WARDS", str(clinic_folder.parent))
    path = write_config()
    path.write_text(
        f"records:\n  path: ${{WARDS}}/{clinic_folder.name}\ntest_records: unseen\nmodel: {{kind: auto}}\n"
        "features: {min_cases: 30}\ntracking: null\n",
        encoding="utf-8",
    )
    (tmp_path / "deep").mkdir()
    monkeypatch.setattr(tuning_module, "run_trials", _one_quick_trial)
    result = tune(path, study=tmp_path / "deep" / "s.db", folds=2)
    text, best = result.config.read_text(encoding="utf-8"), read_config(result.config)
    assert "${WARDS}/" in text
    assert (best.records, best.test_records) == (read_config(path).records, read_config(path).test_records)
    assert best.model.kind == "hybrid"
    result.config.write_text("records: mine\n", encoding="utf-8")
    with pytest.raises(InputError, match="no tuning has written"):
        tune(path, study=tmp_path / "deep" / "s.db", folds=2)


def _one_quick_trial(study: Any, knobs: Any, _: Any, **more: Any) -> Any:
    return run_trials(study, knobs, _valley, **{**more, "trials": 1})


def test_without_optuna_it_says_what_to_install(write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"pip install 'diagnosis\[tune\]'"):
        tune(write_config())


@pytest.mark.parametrize(
    ("overrides", "more", "says"),
    [
        (["split={by: site, test: each}"], {}, "leaves the test side alone"),
        ([], {"trials": 0}, "At least one trial"),
        ([], {"study": "nowhere/s.db"}, "Make the folder first"),
    ],
)
def test_what_cannot_come_to_a_result_is_refused(
    write_config: WriteConfig, overrides: list[str], more: dict[str, Any], says: str
):
    with pytest.raises(InputError, match=says):
        tune(write_config(), overrides, **more)
