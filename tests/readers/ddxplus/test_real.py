"""The real set: what is read of it, and whether patients drawn from the tables are like its patients."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import diagnosis as dx


@pytest.fixture(scope="module")
def folder(real_data: Path) -> Path:
    return real_data / "ddxplus"


@pytest.fixture(scope="module")
def records(folder: Path) -> dx.Records:
    return dx.read_ddxplus(folder)


@pytest.fixture(scope="module")
def sampled(folder: Path) -> dx.Records:
    return dx.sample_ddxplus(folder / "conditional_probabilities.json", 12_000, seed=1)


def test_account(records: dx.Records) -> None:
    counts = records.report.counts
    assert (counts["cases"].read, counts["cases"].loaded) == (6_761, 6_761)
    assert records.report.errors == ()
    assert {p.kind: p.count for p in records.report.warnings} == {"rare_diagnoses": 4}
    assert [str(p) for p in records.report.notes] == [
        'note: findings.code: 2,219 answers "nothing" to questions whose parent is denied are left unrecorded.',
        "note: release_validate_patients: 6,761 patients read: 6,761 cases, 0 set aside.",
        "note: labels: 6,761 of 6,761 cases have a diagnosis (PATHOLOGY), 6,761 a reference list.",
        "note: findings: 1,444,962 findings: 62,947 present (9,615 measured), 1,382,015 absent.",
    ]
    assert len(set(records.y)) == 19
    assert len(records.arrow("diagnoses")) == 49
    assert len(records.vocabulary.must_not_miss) == 17


def test_as_the_rows_say(folder: Path, records: dx.Records) -> None:
    """Counted another way: by pandas, from the words of the rows."""
    frame = pd.read_csv(folder / "release_validate_patients.csv")
    listed = [[w.strip("'") for w in text[1:-1].split(", ")] for text in frame["EVIDENCES"]]
    known = json.loads((folder / "release_evidences.json").read_text(encoding="utf-8"))
    binary = Counter(w for words in listed for w in words if w in known)
    options = Counter(
        w for words in listed for w in words if w.startswith("douleurxx_endroitducorps") and "nulle" not in w
    )
    strength = Counter(
        int(w.rpartition("@_")[2])
        for words in listed
        for w in words
        if "intens" in w and "douleurxx" in words and "doul" in w
    )
    table = records.frame("findings")
    present = table[table["status"] == "present"]
    found = Counter(present["code"])
    assert {c: found[c] for c in binary} == dict(binary)
    assert {c: found[c] for c in options} == dict(options)
    assert Counter(present[present["code"] == "douleurxx_intens"]["value"].astype(int)) == strength
    assert records.column("age_years").tolist() == frame["AGE"].tolist()
    assert records.y.tolist() == frame["PATHOLOGY"].tolist()
    chief = present[present["phase"] == "chief_complaint"]
    assert chief["code"].tolist() == frame["INITIAL_EVIDENCE"].tolist()
    # Every binary evidence is recorded of everybody, and places only of those in pain.
    absent = Counter(table[table["status"] == "absent"]["code"])
    assert all(found[c] + absent[c] == len(frame) for c, one in known.items() if one["data_type"] == "B")
    assert found["douleurxx_endroitducorps"] + absent["douleurxx_endroitducorps"] == binary["douleurxx"]


def test_reference_lists(records: dx.Records) -> None:
    lists = [[(d["diagnosis"], d["probability"]) for d in one] for one in records.column("differential")]
    assert all(abs(sum(p for _, p in one) - 1) < 1e-6 for one in lists)
    assert all(y in {d for d, _ in one} for y, one in zip(records.y, lists, strict=True))


def shares(records: dx.Records) -> pd.DataFrame:
    """P(present | diagnosis) by code."""
    table = records.frame("findings")
    table["diagnosis"] = np.repeat(records.y, np.diff(records.coded.offsets))
    present = table[table["status"] == "present"].groupby(["diagnosis", "code"], observed=True).size()
    return present.unstack(fill_value=0).div(pd.Series(records.y).value_counts(), axis=0)


def test_drawn_patients_have_the_tables_shares(folder: Path, sampled: dx.Records) -> None:
    tables = json.loads((folder / "conditional_probabilities.json").read_text(encoding="utf-8"))
    found = shares(sampled)
    n = pd.Series(sampled.y).value_counts()
    errors = []
    for name, one in tables.items():
        for code, given in one["findings"].items():
            if isinstance(given, float):
                spread = np.sqrt(max(given * (1 - given), 1e-4) / n[name])
                errors.append((float(found.loc[name].get(code, 0.0)) - given) / spread)
    assert len(errors) == 562
    assert np.abs(errors).max() < 5
    assert 0.8 < np.std(errors) < 1.2


def test_options_are_as_common_as_in_the_rows(records: dx.Records, sampled: dx.Records) -> None:
    """Of earache and hernia, whose rows were not lost: no place or kind of pain has an accent."""
    real, drawn = shares(records), shares(sampled)
    gaps = []
    for name, question in (("Otite moyenne aigue (OMA)", "douleurxx"), ("Hernie inguinale", "douleurxx_endroit")):
        codes = [c for c in real.columns if c.startswith(question) and "_@_" in c and real.loc[name, c] > 0.02]
        gaps += [float(real.loc[name, c] - drawn.loc[name, c]) for c in codes]
    assert len(gaps) == 10
    assert np.abs(gaps).max() < 0.1
    assert np.abs(gaps).mean() < 0.05


@pytest.mark.slow
def test_what_is_learned_from_drawn_patients_holds_for_the_rows(records: dx.Records, sampled: dx.Records) -> None:
    train = sampled[np.arange(400)]
    diagnoser = dx.Diagnoser(model="linear", folds=2, min_cases=2).fit(train)
    some = records[np.arange(0, len(records), 7)]
    assert float((diagnoser.predict(some) == some.y).mean()) > 0.95
