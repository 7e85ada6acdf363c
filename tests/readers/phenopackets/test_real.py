"""The published cases: what is read agrees with tables that others made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from diagnosis.readers.phenopackets import read_phenopackets
from diagnosis.records import Records


@pytest.fixture(scope="module")
def folder(real_data: Path) -> Path:
    found = real_data / "phenopackets"
    if not found.is_dir():
        pytest.skip("needs the phenopackets among the real data")
    return found


@pytest.fixture(scope="module")
def records(folder: Path) -> Records:
    return read_phenopackets(folder / "packets.ndjson.gz")


def test_account(records: Records) -> None:
    says = {p.table: p.says for p in records.report.notes if p.kind in ("account", "labels", "groups")}
    assert "6,355 packets read: 6,355 cases, 0 set aside" in says["packets"]
    assert "135,423 findings: 56,287 present, 79,136 absent; 5,864 with an age of onset" in says["findings"]
    assert "6,355 of 6,355 cases have a principal diagnosis" in says["labels"]
    assert "1,074" in says["cases"]
    assert not records.report.errors


def test_cases_agree(folder: Path, records: Records) -> None:
    theirs = pd.read_parquet(folder / "dev_cases.parquet").set_index("case_id")
    ours = records.frame("cases").set_index("case_id").loc[theirs.index]
    assert (ours.diagnosis == theirs.disease_id).all()
    assert (ours.group == theirs.pmid).all()
    sex = {"MALE": "male", "FEMALE": "female", "OTHER_SEX": "other", "UNKNOWN_SEX": "unknown"}
    # One packet says nothing about sex, which the schema's classes turn into UNKNOWN_SEX.
    said = ["unknown" if pd.isna(s) else s for s in ours.sex]
    assert said == [sex[s] for s in theirs.sex]
    both = ours.age_years.notna() & theirs.age_years.notna()
    assert both.sum() == 4823
    np.testing.assert_allclose(ours.age_years[both], theirs.age_years[both].astype(float), atol=1e-4)
    assert ours.x_age.notna().sum() == 40, "fetuses, and ages that are stated as a class"


def test_findings_agree(folder: Path, records: Records) -> None:
    theirs = pd.read_parquet(folder / "dev_findings.parquet")
    ours = records.frame("findings").astype({"code": str, "status": str})
    ours["excluded"] = ours.status == "absent"
    keys = ["case_id", "code", "excluded"]
    both = ours.merge(theirs.rename(columns={"hpo_id": "code"}), on=keys, how="outer", indicator=True)
    assert (both._merge == "both").all()
    assert (both.onset_age_years.notna() == both.onset_years.notna()).all()
    stated = both.onset_raw.notna() & both.onset_class.isna()
    # Their ages before birth leave out the days beyond whole weeks.
    np.testing.assert_allclose(both.onset_age_years[stated], both.onset_years[stated], atol=7 / 365.25)
    after = stated & (both.onset_years >= 0)
    np.testing.assert_allclose(both.onset_age_years[after], both.onset_years[after], atol=1e-4)
    assert (both.x_onset.astype(object)[both.onset_class.notna()] == both.onset_class.dropna()).all()
    severity = {"HP:0012825": "mild", "HP:0012828": "severe"}
    graded = both.severity_y.notna()
    assert (both.severity_x.astype(object)[graded] == both.severity_y[graded].map(severity)).all()
