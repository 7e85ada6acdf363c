"""The config is closed: every key has a default, and whatever is not one is named with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from diagnosis.errors import ConfigError
from diagnosis.suggestions import Policy
from diagnosis.training import Config, config_schema, read_config
from diagnosis.training.building import build_diagnoser
from diagnosis.training.config import Config as SameConfig

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "my-run.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refused(path: Path, *overrides: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read_config(path, overrides)
    return caught.value


def test_every_default_round_trips(write):
    plain = Config().model_dump(mode="json")
    assert Config.model_validate(plain) == Config() == SameConfig()
    assert read_config(write(yaml.safe_dump(plain))) == Config()


def test_masking_is_a_word_also_where_yaml_reads_a_truth_value(write):
    words = {text: read_config(write(f"masking: {text}")).masking for text in ("auto", "on", "off")}
    assert words == {"auto": "auto", "on": "on", "off": "off"}
    with pytest.raises(ConfigError, match="masking"):
        read_config(write("masking: often"))


def test_the_keys_are_those_that_are_documented():
    documented = """
        version name seed n_jobs engine dask records test_records cohort as_of labels split features model knowledge
        vocabulary target calibration masking suggestion evaluation tracking output
    """
    assert list(Config.model_fields) == documented.split()
    plain = Config().model_dump(mode="json")
    assert plain["cohort"] == {"visit": ["first", "unknown"]}
    assert plain["as_of"] == {"at": "end", "unknown_time": "keep"}
    assert plain["labels"] == {"rule": "principal", "status": ["confirmed"], "min_cases": 5, "rest": "other"}
    assert plain["split"] == {"by": "patient", "test": 0.2}
    assert plain["features"] == {
        "min_cases": 2,
        "hierarchy": False,
        "ages": True,
        "ordering": True,
        "reference_ranges": True,
        "range_scores": False,
        "onsets": True,
        "windows": [],
    }
    assert plain["model"] == {"kind": "hybrid"}
    assert plain["dask"] == {"scheduler": None, "workers": None}
    assert plain["calibration"] == {"method": "adaptive"}
    assert plain["masking"] == "auto"
    sets = {"set": "lac", "set_by": ["age_band", "site", "sex"], "class_conditional": False}
    flags = {"must_not_miss": {"sensitivity": 0.95, "per": "case"}, "abstain": None, "red_flags": True}
    assert plain["suggestion"] == {"top": 5, "coverage": 0.9} | sets | flags
    assert plain["evaluation"] == {"by": ["sex", "age_band", "site"], "explained": True}
    place = {"uri": "sqlite:///mlflow.db", "experiment": "diagnosis"}
    assert plain["tracking"] == place | {"registered_model": None, "alias": None}
    assert (plain["version"], plain["seed"], plain["n_jobs"], plain["engine"]) == (1, 0, 1, "local")


def test_the_schema_says_something_of_every_key_of_every_section():
    schema = config_schema()
    json.dumps(schema, allow_nan=False)
    for section in (schema, *schema["$defs"].values()):
        assert section["description"]
        for name, key in section["properties"].items():
            assert key.get("description") or "$ref" in key, name  # the section says it
    assert schema["additionalProperties"] is False
    assert {"type": "string"} in schema["properties"]["records"]["anyOf"]


def test_a_config_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Config().seed = 3


def sections(model: type[BaseModel], at: tuple[str, ...] = ()):
    yield at
    for name, field in model.model_fields.items():
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from sections(kind, (*at, name))


@pytest.mark.parametrize("at", [at for at in sections(Config) if at[-1:] != ("model",)], ids=".".join)
def test_an_unknown_key_is_refused_in_every_section(write, at):
    plain = {"zzz": 1}
    for key in reversed(at):
        plain = {key: plain}
    error = refused(write(yaml.safe_dump({"name": "x", **plain}, sort_keys=False)))
    assert f"line {len(at) + 2}: {'.'.join((*at, 'zzz'))} is not a known key" in str(error)


@pytest.mark.parametrize(
    ("text", "line", "near"),
    [
        ("seed: 1\n\nmodle: {kind: linear}\n", "line 3: modle", "model"),
        ("features:\n  min_case: 3\n", "line 2: features.min_case", "min_cases"),
        (
            "suggestion:\n  must_not_miss:\n    sensitivty: 0.9\n",
            "line 3: suggestion.must_not_miss.sensitivty",
            "sensitivity",
        ),
        ("labels:\n  status:\n  - confirmd\n", "line 3: labels.status.0 is 'confirmd'", "confirmed"),
        ("model:\n  kind: linaer\n", "line 2: model.kind is 'linaer'", "linear"),
        ("model:\n  kind: boosted\n  learning_rat: 0.1\n", "line 1: model is of kind 'boosted'", "learning_rate"),
    ],
)
def test_a_misspelling_gets_its_line_and_the_nearest_known_name(write, text, line, near):
    error = refused(write(text))
    assert line in str(error)
    assert near in error.near
    assert near in str(error)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("seed: abc", "line 1: seed is 'abc', allowed: a whole number"),
        ("seed: -1", "seed is -1, allowed: greater than or equal to 0"),
        ("seed: true", "seed is True, allowed: a whole number"),
        ("seed: 1.5", "seed is 1.5, allowed: a whole number"),
        ("n_jobs: 0", "n_jobs is 0, allowed: a number of threads from 1, or -1"),
        ("features: {ages: yes}", "features.ages is 'yes', allowed: true or false"),
        ("features: {windows: [7, 0]}", 'allowed: a list of days above 0, or "ever"'),
        ("features: {windows: ever}", "features.windows is 'ever', allowed: a list"),
        ("cohort: {visit: first}", "cohort.visit is 'first', allowed: a list"),
        ("split: 0.2", "split is 0.2, allowed: a mapping of keys"),
        ("split: {test: 1.0}", "split.test is 1.0, allowed: a share between 0 and 1"),
        ("split: {test: each}", "allowed: a share between 0 and 1 when the split is by patient"),
        ("split: {by: time, test: each}", "a share or an ISO time when the split is by time"),
        ("suggestion: {coverage: 1}", "suggestion.coverage is 1, allowed: less than 1"),
        ("as_of: {at: ende}", "as_of.at is 'ende', allowed: arrival, index, end, or hours"),
        ("as_of: {at: -1}", "as_of.at is -1"),
        ("engine: spark", "engine is 'spark', allowed: 'local' or 'dask'"),
        ("dask: {workers: 1}", "dask.workers is 1"),
        ("target: all", "target is 'all', allowed: 'posterior', 'differential' or 'both'"),
        ("suggestion: {set_by: ward}", "suggestion.set_by"),
        ("suggestion: {set_by: site, class_conditional: true}", "either set_by or class_conditional"),
        ("suggestion: {abstain: {error: 0}}", "suggestion.abstain.error is 0"),
        ("knowledge: 3", "knowledge is 3"),
        ("tracking: {uri: 3}", "tracking.uri is 3, allowed: text"),
        ("records: 3", "records is 3, allowed: a mapping of keys"),
        ("records: {format: tables}", "allowed: a path"),
        ("records: {format: sample, path: x}", "allowed: no path with the format sample"),
        ("name: a/b", "name is 'a/b'"),
        ("version: one", "version is 'one', allowed: 1"),
        ("- a", "It holds a list"),
    ],
)
def test_a_wrong_value_gets_key_found_and_allowed(write, text, says):
    assert says in str(refused(write(text)))


def test_all_problems_are_told_at_once(write):
    text = str(refused(write("sed: 1\nengine: x\nlabels: {rest: y}\n")))
    assert all(part in text for part in ("line 1: sed", "line 2: engine", "line 3: labels.rest"))


def test_a_newer_version_is_refused_whatever_else_it_says(write):
    error = refused(write("version: 2\nunheard_of: {a: 1}\n"))
    assert "reads version 1" in str(error)
    assert "unheard_of" not in str(error)


def test_paths_are_relative_to_the_file(write, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    config = read_config(write("records: here/a\ntest_records: {path: ../b, format: tables}\n"))
    assert config.records.path == str(tmp_path / "here/a")
    assert config.test_records.path == str(tmp_path.parent / "b")
    assert config.folder == Path("runs/my-run")
    assert read_config(write("output: out/x")).folder == Path("out/x")


def test_a_file_without_a_name_goes_by_its_own(write):
    assert read_config(write("")).name == "my-run"
    assert read_config(write("name: other")).name == "other"


def test_environment_in_records_and_nowhere_else(write, monkeypatch):
    monkeypatch.setenv("MY_FOLDER", "/somewhere")
    config = read_config(write("records: ${MY_FOLDER}/a\ntest_records: {path: '${MY_FOLDER}/b'}\n"))
    assert (config.records.path, config.test_records.path) == ("/somewhere/a", "/somewhere/b")
    assert "line 2: output has '${MY_FOLDER}/x'" in str(refused(write("seed: 1\noutput: ${MY_FOLDER}/x\n")))
    assert "evaluation.by.1" in str(refused(write("evaluation: {by: [sex, '${MY_FOLDER}']}\n")))


@pytest.mark.parametrize(("value", "says"), [(None, "It is not set"), ("", "It is empty")])
def test_a_variable_that_is_not_there_is_named(write, monkeypatch, value, says):
    monkeypatch.delenv("MY_FOLDER", raising=False)
    if value is not None:
        monkeypatch.setenv("MY_FOLDER", value)
    error = refused(write("seed: 1\nrecords: ${MY_FOLDER}/a\n"))
    assert "MY_FOLDER" in str(error)
    assert says in str(error)
    assert "line 2" in str(error)


def test_overrides_are_yaml_and_the_last_wins(write):
    path = write("records: a\nsuggestion: {top: 3, coverage: 0.8}\n")
    config = read_config(
        path,
        ["suggestion.top=7", "suggestion.top=8", "tracking=null", "evaluation.by=[sex]", "records.encoding=gb18030"],
    )
    assert config.suggestion.top == 8
    assert config.suggestion.coverage == 0.8
    assert config.tracking is None
    assert config.evaluation.by == ("sex",)
    assert config.records.encoding == "gb18030"
    assert config.records.path == str(path.parent / "a")


def test_an_override_can_open_a_section_that_is_null_or_missing(write):
    config = read_config(write("tracking: null"), ["tracking.experiment=x", "as_of.at=24"])
    assert config.tracking.experiment == "x"
    assert config.as_of.at == 24.0


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("seed", "--set takes a.b=VALUE"),
        ("=1", "--set takes a.b=VALUE"),
        ("a..b=1", "--set takes a.b=VALUE"),
        ("seed.x=1", "seed has no keys inside"),
        ("sed=1", "sed is not a known key"),
        ("seed=[1", "--set seed must be YAML"),
        ("seed=x", "seed is 'x'"),
    ],
)
def test_an_override_that_cannot_be_used(write, override, says):
    error = refused(write("seed: 1"), override)
    assert says in str(error)
    assert "line 1" not in str(error) or override == "seed=[1"


def test_options_are_those_of_the_kind_of_model(write):
    config = read_config(write("model: {kind: linear, C: 0.5}"))
    assert config.model.options == {"C": 0.5}
    assert "is of kind 'hybrid'" in str(refused(write("model: {kind: hybrid, C: 0.5}")))
    assert "seed and n_jobs stand at the top" in str(refused(write("model: {kind: boosted, seed: 3}")))


def test_the_policy_of_a_config_is_the_diagnoser_s(write):
    text = """
        calibration: {method: temperature}
        suggestion: {set: aps, set_by: site, must_not_miss: {per: diagnosis}, abstain: {error: 0.2}, red_flags: off}
    """
    made = build_diagnoser(read_config(write(text))).policy
    assert made == Policy("temperature", "aps", ("site",), False, "diagnosis", 0.2, False)
    none = read_config(write("suggestion: {set_by: null, class_conditional: true}"))
    assert (build_diagnoser(none).policy.set_by, build_diagnoser(none).policy.class_conditional) == ((), True)
    assert build_diagnoser(Config()).policy == Policy()


def test_the_kinds_are_those_of_the_models():
    from diagnosis.models import MODELS

    schema = config_schema()
    assert set(schema["$defs"]["ModelChoice"]["properties"]["kind"]["enum"]) == {*MODELS, "auto"}


@pytest.mark.parametrize("bad", ["missing.yaml", "."])
def test_a_file_that_is_not_there(tmp_path, bad):
    assert "was asked for" in str(refused(tmp_path / bad))


def test_a_file_in_another_encoding(tmp_path):
    path = tmp_path / "gbk.yaml"
    path.write_bytes("name: 发热\n".encode("gb18030"))
    assert "must be UTF-8 text" in str(refused(path))


def test_a_byte_order_mark_does_no_harm(tmp_path):
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfseed: 3\r\n")
    assert read_config(path).seed == 3


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda p: p.stem)
def test_the_configs_that_come_with_the_project(path, monkeypatch):
    monkeypatch.setenv("DIAGNOSIS_DATA", "/data")
    config = read_config(path)
    assert config.name == path.stem
    assert config.folder == Path("runs") / path.stem


def test_there_is_a_config_for_every_set():
    names = {p.stem for p in CONFIGS.glob("*.yaml")}
    tables = {"mz4", "gmd12", "heart4", "appendicitis", "primary_tumor"}
    assert names == {"sample", *tables, "ddxplus", "phenopackets", "synthea"}


@pytest.mark.parametrize(
    ("tracking", "said"),
    [
        ("{alias: champion}", "registered_model"),
        ("{registered_model: a/b}", "slash"),
        ("{registered_model: ward, alias: v2}", "letters, digits"),
        ("{registered_model: ward, alias: latest}", "letters, digits"),
        ("{registred_model: ward}", "Nearest: registered_model"),
    ],
)
def test_names_that_a_registry_does_not_take(write, tracking, said):
    error = refused(write(f"seed: 1\ntracking: {tracking}\n"))
    assert said in str(error)
    assert "line 2" in str(error)


def test_what_decides_the_result_holds_no_path():
    portable = Config(records="/home/me/clinic", test_records="/home/me/test", output="/home/me/out").portable()
    assert "/home/me" not in json.dumps(portable)
    assert "tracking" not in portable
    assert "n_jobs" not in portable
    assert portable["split"] == {"by": "patient", "test": 0.2}
