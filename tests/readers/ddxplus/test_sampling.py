"""Patients drawn from tables of probabilities have the tables' shares, and nothing that does not come up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.readers.ddxplus.release import states, write_release

import diagnosis as dx

FEW = 1e-07
TABLES: dict[str, dict[str, Any]] = {
    "Méningite": {
        "prior": 0.25,
        "findings": {
            "intens": {"0": 0.2, "9": 0.5, "10": 0.3, "1": FEW},
            "endroit": {"nulle_part": 0.3, "tete": 0.42, "dos": 0.21, "oreille": 0.07},
            "douleur": 0.8,
            "fievre": 0.9,
            "voyage": {"N": 0.9, "Asie": 0.1},
        },
    },
    "Otite": {
        "prior": 0.5,
        "findings": {
            "douleur": 1.0,
            "endroit": {"oreille": 1.0, "tete": FEW},
            "intens": {"5": 1.0},
            "voyage": {"N": 1.0},
        },
    },
    "Grippe": {
        "prior": 0.25,
        "findings": {"fievre": 0.6, "lesions": 0.0, "couleur": {"NA": 1.0}, "tabac": 0.5, "voyage": {"N": 1.0}},
    },
}


def written(folder: Path, tables: Any = None) -> Path:
    write_release(folder)
    file = folder / "tables.json"
    file.write_text(json.dumps(TABLES if tables is None else tables, ensure_ascii=False), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dx.Records:
    return dx.sample_ddxplus(written(tmp_path_factory.mktemp("set")), 40_000, seed=7)


def share(records: dx.Records, diagnosis: str, code: str, **wanted: Any) -> float:
    """Of the patients of a disease, those with a finding that is as wanted."""
    mine = records[records.y == diagnosis]
    frame = mine.frame("findings")
    frame = frame[frame["code"] == code]
    for name, value in wanted.items():
        frame = frame[frame[name] == value]
    return len(frame) / len(mine)


def near(found: float, expected: float, n: int = 10_000) -> bool:
    """Within five standard errors of a share."""
    return abs(found - expected) <= 5 * np.sqrt(max(expected * (1 - expected), 1e-4) / n)


def test_diseases_come_in_the_stated_shares(drawn: dx.Records) -> None:
    assert len(drawn) == 40_000
    for name, one in TABLES.items():
        assert near(float((drawn.y == name).mean()), one["prior"], 40_000)


def test_shares_of_the_table(drawn: dx.Records) -> None:
    # Of meningitis 0.1 * 0.2 have neither fever nor pain at first and are drawn again: the others' shares rise.
    again = 1 / (1 - 0.1 * 0.2)
    for value, expected in ((9.0, 0.5), (10.0, 0.3), (1.0, 0.0)):
        assert near(share(drawn, "Méningite", "intens", value=value), expected * again)
    assert near(share(drawn, "Méningite", "douleur", status="present"), 0.8 * again)
    assert near(share(drawn, "Méningite", "voyage", text="Asia"), 0.1)
    assert near(share(drawn, "Grippe", "tabac", status="present"), 0.5)
    assert share(drawn, "Otite", "endroit_@_oreille", status="present") == 1.0


def test_options_give_back_the_shares_of_one_option_a_patient(drawn: dx.Records) -> None:
    """The tables count the first option of a fixed order; counted so, the patients have the tables' shares."""
    mine = drawn[drawn.y == "Méningite"]
    frame = mine.frame("findings")
    named = {p: set(frame[frame["code"] == f"endroit_@_{p}"]["case_id"]) for p in ("tete", "dos", "oreille")}
    first = {
        "tete": named["tete"],
        "dos": named["dos"] - named["tete"],
        "oreille": named["oreille"] - named["dos"] - named["tete"],
    }
    for place, expected in (("tete", 0.42), ("dos", 0.21), ("oreille", 0.07)):
        assert near(len(first[place]) / len(mine), expected / (1 - 0.1 * 0.2), len(mine))
    # 0.6 of those in pain with a place name the head, 0.75 of the others the back; the last has the mean chance.
    somewhere = set.union(*named.values())
    assert near(len(named["dos"]) / len(somewhere), 0.75, len(somewhere))
    rest = somewhere & (named["tete"] | named["dos"])
    assert near(len(named["oreille"] & rest) / len(rest), 0.675, len(rest))


def test_a_question_comes_up_only_where_its_parent_holds(drawn: dx.Records) -> None:
    frame = drawn.frame("findings")
    in_pain = set(frame[(frame["code"] == "douleur") & (frame["status"] == "present")]["case_id"])
    for code in ("intens", "endroit"):
        assert set(frame[frame["code"] == code]["case_id"]) == in_pain
    assert not frame[frame["code"] == "couleur"].size  # nobody has a rash
    assert not len(drawn.arrow("findings").filter(drawn.arrow("findings")["code"].is_null()))


def test_everybody_comes_with_a_binary_symptom(drawn: dx.Records) -> None:
    frame = drawn.frame("findings")
    chief = frame[frame["phase"] == "chief_complaint"]
    assert chief["case_id"].is_unique
    assert len(chief) == len(drawn)
    assert set(chief["code"]) == {"douleur", "fievre"}
    assert set(chief["status"]) == {"present"}
    assert set(chief["elicited"]) == {"volunteered"}


def test_what_the_tables_do_not_say_is_missing(drawn: dx.Records) -> None:
    assert not {"age_years", "sex", "differential"} & set(drawn.arrow("cases").column_names)
    assert drawn.info["synthetic"] is True


def test_the_same_seed_gives_the_same_patients(tmp_path: Path) -> None:
    file = written(tmp_path)
    one, same, other = (dx.sample_ddxplus(file, 300, seed) for seed in (3, 3, 4))
    assert one.digest() == same.digest() != other.digest()


def test_the_shape_is_that_of_the_reader(tmp_path: Path) -> None:
    from tests.readers.ddxplus.release import row

    sampled = dx.sample_ddxplus(written(tmp_path), 50)
    read = dx.read_ddxplus(write_release(tmp_path, [row()]))
    assert sampled.arrow("findings").schema == read.arrow("findings").schema
    assert sampled.frame("vocabulary").equals(read.frame("vocabulary"))
    assert sampled.frame("diagnoses").equals(read.frame("diagnoses"))
    again = dx.read_records(dx.write_records(sampled, tmp_path / "out"))
    assert again.digest() == sampled.digest()
    assert [p for p in again.report.problems if p.column != "diagnosis"] == []


def test_files_elsewhere_and_options(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    file = written(folder).rename(tmp_path / "alone.json")
    with pytest.raises(dx.InputError, match="one object for each of the evidences"):
        dx.sample_ddxplus(file, 5)
    named = {"evidences": folder / "release_evidences.json", "conditions": folder / "release_conditions.json"}
    full = dx.sample_ddxplus(file, 50, **named)
    lean = dx.sample_ddxplus(file, 50, **named, unlisted="unrecorded")
    assert set(states(lean).items()) <= set(states(full).items())
    assert len(lean.coded) < len(full.coded)
    with pytest.raises(dx.InputError, match="options"):
        dx.sample_ddxplus(file, 5, **named, options="none")  # type: ignore[arg-type]


def changed(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    tables = json.loads(json.dumps(TABLES))
    inner = tables
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return tables


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        (changed(("Variole",), TABLES["Otite"]), "Variole"),
        (changed(("Otite", "findings", "toux"), 0.5), "toux"),
        (changed(("Otite", "findings", "douleur"), 1.5), "from 0 to 1"),
        (changed(("Otite", "findings", "douleur"), "0.5"), "from 0 to 1"),
        (changed(("Otite", "findings", "intens"), {"5": 0.4}), "add up to 1"),
        (changed(("Otite", "findings", "intens"), 0.4), "share for each value"),
        (changed(("Otite", "findings", "intens"), {"50": 1.0}), "value of intens"),
        (changed(("Otite", "findings", "douleur"), 0.5), "larger share than its parent"),
        (changed(("Otite", "findings"), None), "findings"),
        (changed(("Otite", "prior"), 0.9), "add up to"),
        (changed(("Otite", "prior"), None), "from 0 to 1"),
        ({}, "empty"),
    ],
)
def test_tables_that_do_not_fit(tmp_path: Path, tables: Any, says: str) -> None:
    with pytest.raises(dx.InputError, match=says):
        dx.sample_ddxplus(written(tmp_path, tables), 10)


@pytest.mark.parametrize("n", [0, -1, 2.5, True, "10"])
def test_how_many(tmp_path: Path, n: Any) -> None:
    with pytest.raises(dx.InputError, match="whole number"):
        dx.sample_ddxplus(written(tmp_path), n)
