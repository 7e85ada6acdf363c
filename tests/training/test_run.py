"""A run: every case is accounted for, no patient is on two sides, and what it writes is whole or not there."""

from __future__ import annotations

import json
import logging
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from diagnosis import Diagnoser, Records, load_diagnoser
from diagnosis.errors import ConfigError, InputError, WorkError
from diagnosis.training import Config, train
from diagnosis.training.asked_once import AskedOnce
from diagnosis.training.schema import ModelChoice

WriteConfig = Callable[..., Path]


def test_a_run_saves_what_it_returns(write_config: WriteConfig, clinic: Records):
    result = train(write_config())
    assert result.model_path == Path("runs/clinic/bundle")
    pages = {"model_card.md", "plots", "report.html", "review.html"}
    files = {"bundle", "check.json", "config.yaml", "evaluation.json", "run.json"}
    assert {p.name for p in Path("runs/clinic").iterdir()} == files | pages
    loaded = load_diagnoser("runs/clinic")
    np.testing.assert_array_equal(loaded.predict_proba(clinic), result.diagnoser.predict_proba(clinic))
    written = json.loads(Path("runs/clinic/evaluation.json").read_text(encoding="utf-8"))
    assert written == result.evaluation.to_json() | {"note": result.note}
    assert result.run_id is None
    assert list(result.to_json())[:3] == ["model", "run_id", "metrics"]


def test_every_case_is_accounted_for(write_config: WriteConfig, clinic: Records):
    flow = dict(train(write_config()).flow)
    excluded = [n for reason, n in flow.items() if reason.startswith("excluded")]
    assert flow["read"] == len(clinic) == flow["taken"] + sum(excluded)
    assert flow["excluded: visit follow_up"] == 13
    assert flow["excluded: label none"] > 0
    assert flow["taken"] == flow["train"] + flow["test"] + flow["left out, patient trained on"]


def test_the_written_config_is_the_whole_config_and_runs_again(write_config: WriteConfig):
    first = train(write_config("seed: 3\n"))
    again = train("runs/clinic/config.yaml", ["output=runs/again"])
    one, two = (Path("runs") / name / "bundle" for name in ("clinic", "again"))
    files = [p.relative_to(one) for p in one.rglob("*") if p.is_file() and "local" not in p.parts]
    assert len(files) > 4
    for file in files:
        assert (one / file).read_bytes() == (two / file).read_bytes(), file
    assert again.evaluation.to_json() == first.evaluation.to_json()


def test_the_bundle_says_how_it_came_about_without_a_path(write_config: WriteConfig, tmp_path: Path):
    train(write_config())
    card = Path("runs/clinic/bundle/card.json").read_text(encoding="utf-8")
    assert json.loads(card)["provenance"]["config"]["split"] == {"by": "patient", "test": 0.2}
    assert str(tmp_path) not in card
    assert len(json.loads(card)["provenance"]["digest"]["records"]) == 64


def test_only_its_owner_reads_a_run(write_config: WriteConfig):
    train(write_config())
    assert stat.S_IMODE(Path("runs/clinic").stat().st_mode) == 0o700


def test_settings_reach_the_diagnoser(write_config: WriteConfig):
    more = """
as_of: {at: 24, unknown_time: drop}
labels: {status: [confirmed, provisional], min_cases: 7, rest: drop}
suggestion: {top: 2, coverage: 0.8, must_not_miss: {sensitivity: 0.9}}
features: {ordering: false, min_cases: 3}
seed: 11
"""
    from diagnosis.training import read_config
    from diagnosis.training.building import build_diagnoser

    made = build_diagnoser(read_config(write_config(more), ["model.C=0.25"]))
    assert isinstance(made, Diagnoser)
    assert (made.as_of, made.unknown_time) == (24.0, "drop")
    assert (made.label_status, made.min_cases, made.rest) == (("confirmed", "provisional"), 7, "drop")
    assert (made.top, made.coverage, made.sensitivity, made.seed) == (2, 0.8, 0.9, 11)
    assert (made.encoder.ordering, made.encoder.min_cases) == (False, 3)
    assert (made.model.C, made.model.seed) == (0.25, 11)


def test_words_from_a_file_spread_findings_over_the_hierarchy(write_config: WriteConfig, clinic: Records):
    code = str(clinic.coded.codes[clinic.coded.code[0]])
    Path("words.csv").write_text(f"code,name,parents\n{code},,broad\nbroad,Something broad,\n", encoding="utf-8")
    config = write_config("features: {hierarchy: true}\n")
    made = train(config, [f"vocabulary={Path('words.csv').absolute()}"]).diagnoser
    assert "present:broad" in made.encoder_.get_feature_names_out()
    assert made.vocabulary_.name("broad") == "Something broad"
    assert load_diagnoser("runs/clinic").vocabulary_.name("broad") == "Something broad"


def test_options_of_the_parts_of_a_hybrid():
    from diagnosis.training.building import build_diagnoser

    choice = ModelChoice.model_validate({"kind": "hybrid", "boosted": {"rounds": 9}, "linear": {"C": 2.0}})
    made = build_diagnoser(Config(seed=5, model=choice)).model
    assert (made.boosted.rounds, made.boosted.seed, made.linear.C) == (9, 5, 2.0)


def test_each_site_is_held_out_once_and_the_rest_is_pooled(write_config: WriteConfig):
    result = train(write_config("split: {by: site, test: each}\nevaluation: {by: [sex]}\n"))
    plain = result.to_json()
    assert set(plain["metrics"]["by"]) == {"sex", "site"}
    assert set(plain["metrics"]["by"]["site"]) == {"north", "south"}
    assert result.flow["test"] == result.flow["test site north"] + result.flow["test site south"]
    assert plain["metrics"]["n"] == result.flow["test"] == len(result.test)
    assert result.flow["train"] == result.flow["taken"] == result.diagnoser.card_["n_cases"]
    assert result.flow["findings without a time, kept"] == result.flow["findings"]
    assert result.flow["cases that do not say when their moment is"] == result.flow["taken"]
    assert "2 fits, each without one site" in plain["note"]


def test_published_test_records(write_config: WriteConfig, clinic: Records, tmp_path: Path):
    from diagnosis import write_records

    write_records(clinic[130:], tmp_path / "unseen", form="csv")
    write_records(clinic[:150], tmp_path / "seen", form="parquet")
    more = f"test_records: {tmp_path / 'unseen'}\n"
    result = train(write_config(more), [f"records={tmp_path / 'seen'}"])
    # Twenty cases are in both, and patients of the seen ones come back at the end of the unseen ones.
    assert result.flow["left out, patient trained on"] > 0
    assert not result.diagnoser.training_ids_.seen(result.test).any()


def test_test_records_of_the_same_patients_are_refused(write_config: WriteConfig, clinic_folder: Path):
    with pytest.raises(InputError, match="Every patient of theirs is also in records"):
        train(write_config(f"test_records: {clinic_folder}\n"))
    assert not Path("runs/clinic").exists()


def test_no_case_left(write_config: WriteConfig):
    with pytest.raises(InputError, match="excluded: visit first: 247"):
        train(write_config("cohort: {visit: [unknown]}\n"))


def test_a_config_made_in_code(clinic_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    config = Config.model_validate(
        {"records": str(clinic_folder), "tracking": None, "model": {"kind": "linear"}, "evaluation": {"by": []}}
    )
    assert train(config).model_path == Path("runs/run/bundle")
    with pytest.raises(ConfigError, match="A Config was given"):
        train(config, ["seed=1"])
    wrong = config.model_copy(update={"model": ModelChoice.model_validate({"kind": "linear", "CC": 1.0})})
    with pytest.raises(ConfigError, match="'CC'"):
        train(wrong)


def test_the_log_holds_no_patient(write_config: WriteConfig, clinic: Records, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG, logger="diagnosis")
    train(write_config())
    assert "Fit linear on" in caplog.text
    assert not any(str(name) in caplog.text for name in {*clinic.case_ids, *clinic.groups})


def test_what_cannot_be_written_is_said_before_the_records_are_read(write_config: WriteConfig):
    path = write_config()
    Path("notes").mkdir()
    (Path("notes") / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="not the folder of a run"):
        train(path, ["output=notes", "records=nowhere"])
    assert (Path("notes") / "mine.txt").read_text() == "keep"


def test_a_tracking_address_that_does_not_answer_is_said_before_the_records_are_read(write_config: WriteConfig):
    with pytest.raises(WorkError, match="must answer before training starts"):
        train(write_config(), ["tracking.uri=http://127.0.0.1:9", "records=nowhere"])


def test_cases_asked_about_again_keep_their_probabilities(clinic: Records):
    diagnoser = Diagnoser(model="linear", folds=2).fit(clinic[:150])
    asked, model = AskedOnce(diagnoser), diagnoser.model_
    unseen = clinic[150:200]
    for rows in (np.arange(50), np.arange(10, 30), np.arange(40)[::-1]):
        found, wanted = asked.batch(unseen[rows]), diagnoser.batch(unseen[rows])
        for name in ("case_ids", "proba", "in_set", "flagged", "abstained"):
            np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    diagnoser.model_ = None  # nothing is left to be scored
    try:
        assert len(asked.batch(unseen[[3, 5]])) == 2
    finally:
        diagnoser.model_ = model
    assert asked.classes_ is diagnoser.classes_
