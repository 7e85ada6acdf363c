"""The JSON other programs rely on: key by key, type by type."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.commands import done

from diagnosis import Records, load_diagnoser

Json = dict[str, Any]


def number(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def optional_number(value: object) -> bool:
    return value is None or number(value)


def count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def check_top(top: Json) -> None:
    assert list(top) == ["1", "3", "5", "10"]
    assert all(number(share) and 0 <= share <= 1 for share in top.values())
    assert top["1"] <= top["3"] <= top["5"] <= top["10"]


def check_evaluation(found: Json) -> None:
    assert found["schema"] == 1
    assert all(count(found[name]) for name in ("n", "n_patients", "n_diagnoses", "n_unreachable"))
    assert found["reading"] == "posterior"
    assert isinstance(found["as_of"], str)
    check_top(found["top"])
    assert all(number(found[name]) for name in ("mrr", "macro_top1", "log_loss", "brier", "ece"))
    assert all(number(found["calibration"][name]) for name in ("slope", "intercept"))
    assert all(number(found["set"][name]) for name in ("target", "coverage", "mean_size"))
    assert optional_number(found["must_not_miss"]["sensitivity"])
    assert count(found["must_not_miss"]["n"])
    assert number(found["must_not_miss"]["flags_per_case"])
    assert number(found["abstained"]["rate"])
    assert number(found["abstained"]["top1_of_rest"])
    check_top(found["baseline"]["top"])
    assert number(found["baseline"]["log_loss"])
    for low, high in found["intervals"].values():
        assert number(low)
        assert number(high)
        assert low <= high
    assert isinstance(found["suspicions"], list)
    assert isinstance(found["by"], dict)


def test_train(trained: Json, config: Path):
    assert isinstance(trained["model"], str)
    assert trained["run_id"] is None
    check_evaluation(trained["metrics"])
    assert trained["metrics"] | {"note": trained["note"]} == json.loads(
        (config.parent / "run/evaluation.json").read_text()
    )
    assert trained["cases"]["read"] == 242
    assert trained["cases"]["excluded: label none"] == 1


def test_evaluate(trained: Json, ward_folder: Path):
    said = done("evaluate", trained["model"], ward_folder, "--by", "sex, site", "--json")
    found = json.loads(said.stdout)
    assert f"{trained['cases']['train']} of 241 cases were trained on" in said.stderr
    check_evaluation(found)
    assert (found["n"], found["n_diagnoses"], found["n_unreachable"]) == (241, 4, 1)
    assert set(found["by"]) == {"sex", "site"}
    assert set(found["by"]["site"]) == {"north", "south", "unknown"}
    assert found["by"]["site"]["unknown"] == {"n": 1, "suppressed": True}
    check_evaluation(found["by"]["site"]["north"])
    assert found["by"]["sex"]["female"]["n"] == 120
    new = json.loads(done("evaluate", trained["model"], ward_folder, "--on-seen", "leave_out", "--json").stdout)
    assert new["n"] + new["n_seen"] == 241
    assert new["n_seen"] == trained["cases"]["train"]


def test_suggest(trained: Json, ward_folder: Path, ward: Records):
    text = done("suggest", trained["model"], ward_folder, "--format", "jsonl", "--top", 2).stdout
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["case_id"] for line in lines] == ward.case_ids.tolist()
    proba = load_diagnoser(trained["model"]).predict_proba(ward)
    for line, row in zip(lines, proba, strict=True):
        assert line["schema"] == 1
        assert isinstance(line["model"], str)
        assert (line["reading"], line["as_of"]) == ("posterior", "end")
        assert [list(s) for s in line["ranked"]] == [["diagnosis", "probability"]] * 2
        assert [s["probability"] for s in line["ranked"]] == sorted(row.tolist(), reverse=True)[:2]
        assert optional_number(line["other"])
        for name in ("set", "must_not_miss", "unknown_codes"):
            assert all(isinstance(code, str) for code in line[name])
        assert all(isinstance(flag, dict) and flag["kind"] for flag in line["flags"])
        assert isinstance(line["abstained"], bool)
        assert (line["abstain_reason"] is None) != line["abstained"]
        unknown = len(line["unknown_codes"])
        assert line["not_used"] == {"after_moment": 0, "unknown": unknown, "values": 0}


@pytest.mark.parametrize(("case", "unknown"), [("empty", []), ("odd", ["martian fever"])])
def test_a_case_without_anything_known_abstains_with_its_list(
    trained: Json, ward_folder: Path, case: str, unknown: list[str]
):
    line = json.loads(done("suggest", trained["model"], ward_folder, "--case", case, "--format", "jsonl").stdout)
    assert line["abstained"] is True
    assert line["abstain_reason"]
    assert len(line["ranked"]) == 3
    assert line["unknown_codes"] == unknown


def test_explain(trained: Json, ward_folder: Path):
    found = json.loads(done("explain", trained["model"], ward_folder, "--case", "002", "--top", 3, "--json").stdout)
    assert (found["schema"], found["case_id"], found["reading"]) == (1, "002", "posterior")
    assert len(found["suggestions"]) == 3
    assert found["enough"] in (None, "sure", "little")
    assert all({"code", "phase", "gain", "separates"} <= set(one) for one in found["questions"])
    first = found["suggestions"][0]
    for one in found["suggestions"]:
        assert all(number(one[name]) for name in ("probability", "log_probability", "score", "base"))
        lines = one["contributions"]
        assert abs(one["score"] - one["base"] - sum(line["contribution"] for line in lines)) < 1e-9
        apart = (one["score"] - first["score"]) - (one["log_probability"] - first["log_probability"])
        assert abs(apart) < 1e-9
        assert one["probability"] == pytest.approx(np.exp(one["log_probability"]))
        for line in lines:
            assert set(line) >= {"code", "state", "value", "unit", "text", "contribution", "relative"}
            assert line["state"] in ("present", "absent", "uncertain", "unrecorded", "context")
            assert (line["code"] is None) == (line["state"] == "unrecorded")
            assert number(line["contribution"])
            assert number(line["relative"])
            assert optional_number(line["value"])
        assert {line["code"] for line in lines if line["state"] == "context"} == {"age", "sex"}
        assert [line["unit"] for line in lines if line["code"] == "pulse"] == ["/min"]


def test_explain_chosen_diagnoses_by_name_in_any_language(trained: Json, ward_folder: Path):
    arguments = ("explain", trained["model"], ward_folder, "--case", "002", "--json", "--top", 1)
    found = json.loads(done(*arguments, "--diagnosis", "influenza", "--diagnosis", "麻疹").stdout)
    assert {one["diagnosis"] for one in found["suggestions"]} == {"J11.1", "B05.9"}


def test_check(ward_folder: Path):
    found = json.loads(done("check", ward_folder, "--json").stdout)
    assert found["errors"] == 0
    assert found["warnings"] > 0
    assert found["tables"]["cases"] == {"read": 242, "loaded": 242, "set_aside": 0}
    assert all({"severity", "kind", "table", "column", "says", "count"} <= set(p) for p in found["problems"])


def test_config_schema():
    found = json.loads(done("config", "schema").stdout)
    assert found["additionalProperties"] is False
    assert "suggestion" in found["properties"]
