"""The demonstration: which cases it shows, and the page it writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diagnosis.models.batch import Batch
from diagnosis.training import demo as demo_module
from diagnosis.training import read_config, run_demo
from diagnosis.training.explaining import choose_cases
from diagnosis.training.schema import ModelChoice


def batch(proba: list[list[float]], flagged: list[list[bool]] | None = None) -> Batch:
    p = np.array(proba)
    n, K = p.shape
    return Batch(
        case_ids=np.array([f"c{i}" for i in range(n)], dtype=object),
        diagnoses=np.array(["OTHER", "flu", "cold", "sepsis"][:K], dtype=object),
        proba=p,
        in_set=p > 0.1,
        flagged=np.zeros((n, K), bool) if flagged is None else np.array(flagged),
        abstained=np.zeros(n, bool),
        prior=np.full(K, 1 / K),
        must_not_miss=np.array([False, False, False, True][:K]),
        coverage=0.9,
        reading="posterior",
        as_of="end",
        n_train=np.full(K, 10),
    )


SIX = [
    [0.1, 0.7, 0.1, 0.1],  # flu, first
    [0.0, 0.9, 0.1, 0.0],  # flu, first and surer: easy
    [0.2, 0.5, 0.2, 0.1],  # cold, second
    [0.1, 0.4, 0.3, 0.2],  # cold, second, where nothing is sure: hard
    [0.1, 0.1, 0.2, 0.6],  # sepsis, flagged, near one half: must not be missed
    [0.0, 0.0, 0.0, 1.0],  # sepsis, flagged, certain
]
TRUTH = np.array(["flu", "flu", "cold", "cold", "sepsis", "sepsis"], dtype=object)


def test_an_easy_a_hard_and_a_grave_case():
    flagged = [[False] * 3 + [i >= 4] for i in range(6)]
    assert choose_cases(batch(SIX, flagged), TRUTH) == {"easy": 1, "hard": 3, "must_not_miss": 4}


def test_a_kind_without_a_case_is_left_out():
    assert choose_cases(batch(SIX), TRUTH) == {"easy": 1, "hard": 3}


def test_cases_the_model_cannot_name_are_not_shown():
    truth = np.array(["never seen", "OTHER", "cold", "cold", "OTHER", "never seen"], dtype=object)
    assert choose_cases(batch(SIX), truth) == {"hard": 3}


def test_it_runs_what_the_config_of_the_sample_says(checkout):
    config = read_config(checkout / "configs" / "sample.yaml", ["name=demo", "output=here"])
    assert demo_module.demo_config("here") == config


@pytest.mark.slow
def test_the_demonstration_on_a_part_of_the_sample(sample, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("diagnosis.training.run.read_source", lambda _source: sample[:400])
    config = demo_module.demo_config("runs/demo")
    quick = config.model_copy(update={"model": ModelChoice(kind="linear"), "tracking": None})
    monkeypatch.setattr(demo_module, "demo_config", lambda _output: quick)
    done = run_demo()
    assert done.page == Path("runs/demo/review.html")
    text = done.page.read_text(encoding="utf-8")
    assert "http" not in text.replace("http://www.w3.org/", "")
    assert "Synthetic patients, not for care" in text
    assert "synthetic: not for care" in done.result.note
    assert len(done.result.test) > 80
    assert not done.result.diagnoser.training_ids_.seen(done.result.test).any()
    run_demo()  # again, over itself
