"""Laws of the generator: the same seed gives the same rows, and the rows look like a consortium's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from diagnosis.errors import InputError
from diagnosis.records import Records
from diagnosis.sample import cohort, make_cohort, make_tables
from diagnosis.sample.chart import new_chart
from diagnosis.sample.model import sample_model
from diagnosis.sample.ordering import _holds, ask_and_examine, follow_orders
from diagnosis.sample.population import draw_encounters
from diagnosis.sample.tables import read_table

N = 3000


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    return make_tables(N, seed=3)


@pytest.fixture(scope="module")
def findings(tables: dict[str, pa.Table]) -> pd.DataFrame:
    frame = tables["findings"].to_pandas()
    coded = frame.select_dtypes("category").columns
    return frame.astype(dict.fromkeys(coded, object))


@pytest.fixture(scope="module")
def cases(tables: dict[str, pa.Table]) -> pd.DataFrame:
    return tables["cases"].to_pandas().set_index("case_id")


def test_one_seed_one_cohort(tables: dict[str, pa.Table]) -> None:
    again = make_tables(N, seed=3)
    assert all(again[name].equals(tables[name]) for name in tables)
    assert not make_tables(N, seed=4)["cases"].equals(tables["cases"])


def test_a_folder_holds_the_same_rows_as_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohort, "BLOCK", 64)
    monkeypatch.setattr(cohort, "_BLOCKS_PER_PART", 2)
    folder = make_cohort(300, 5, to=tmp_path / "cohort")
    expected = make_tables(300, 5)
    assert sorted(p.name for p in (folder / "cases").iterdir()) == [f"part-{i:05d}.parquet" for i in range(3)]
    for name in ("cases", "findings", "labels"):
        parts = [pq.read_table(p) for p in sorted((folder / name).iterdir())]
        joined = pa.concat_tables(parts)
        assert joined.to_pylist() == expected[name].to_pylist()
    assert pq.read_schema(folder / "cases" / "part-00000.parquet").metadata[b"synthetic"] == b"true"


def test_a_full_folder_is_refused_and_nothing_is_left_behind(tmp_path: Path) -> None:
    (tmp_path / "cohort").mkdir()
    (tmp_path / "cohort" / "mine.txt").write_text("kept")
    with pytest.raises(InputError, match="holds something"):
        make_cohort(10, to=tmp_path / "cohort")
    assert [p.name for p in tmp_path.iterdir()] == ["cohort"]
    with pytest.raises(InputError, match="positive"):
        make_cohort(0)
    with pytest.raises(InputError, match="memory only"):
        make_cohort(10, to=tmp_path / "other", traps=True)


def test_records_take_it_without_a_complaint() -> None:
    records = make_cohort(500, 1)
    assert isinstance(records, Records)
    assert len(records) == 500
    assert records.info["synthetic"] is True


def test_three_quarters_as_many_patients(cases: pd.DataFrame) -> None:
    assert cases.patient_id.nunique() == round(0.75 * N)
    assert cases.index.is_unique
    assert cases.time.is_monotonic_increasing


def test_findings_are_sorted_by_case_and_about_twenty_each(findings: pd.DataFrame, cases: pd.DataFrame) -> None:
    position = cases.index.get_indexer(findings.case_id)
    assert np.all(np.diff(position) >= 0)
    assert 18 <= len(findings) / N <= 26
    assert findings.groupby("case_id").size().min() >= 1


def test_all_states_phases_and_kinds_of_row_occur(findings: pd.DataFrame) -> None:
    assert set(findings.status) == {"present", "absent", "uncertain"}
    assert {"chief_complaint", "history", "examination", "bedside", "laboratory", "imaging"} == set(findings.phase)
    assert {"volunteered", "asked", "measured", "derived"} == set(findings.elicited)
    assert {"patient", "family", "mother", "contact"} == set(findings.subject)
    assert {"H", "L", "HH", "N", "POS", "NEG", "A"} <= set(findings.interpretation.dropna())
    assert "<" in set(findings.comparator.dropna())
    assert findings.text.notna().sum() > N / 10
    assert findings.duplicated(["case_id", "code"]).sum() > N / 20


def test_each_case_has_one_complaint(findings: pd.DataFrame) -> None:
    own = findings[findings.phase == "chief_complaint"]
    assert own.case_id.nunique() == len(own) == N
    assert (own.status == "present").all()


def test_a_value_is_present_and_one_site_has_its_own_units(findings: pd.DataFrame, cases: pd.DataFrame) -> None:
    assert (findings.status[findings.value.notna()] == "present").all()
    site = cases.site.reindex(findings.case_id).to_numpy()
    for code, usual, other in (("LOINC:8310-5", "Cel", "[degF]"), ("LOINC:14682-9", "umol/L", "mg/dL")):
        rows = findings.code == code
        assert set(findings.unit[rows & (site == "general")]) == {other}
        assert set(findings.unit[rows & (site != "general")]) == {usual}
    assert findings.ref_high[site == "township"].isna().all()


def test_high_up_everybody_has_less_oxygen(findings: pd.DataFrame, cases: pd.DataFrame) -> None:
    oxygen = findings[findings.code == "LOINC:59408-5"]
    median = oxygen.groupby(cases.site.reindex(oxygen.case_id).to_numpy()).value.median()
    assert median["township"] < median["county"] - 5


def test_the_clock_runs_forward(findings: pd.DataFrame, cases: pd.DataFrame) -> None:
    case = cases.iloc[cases.index.get_indexer(findings.case_id)]
    assert (findings.known.to_numpy() >= findings.time.to_numpy()).all()
    assert (findings.known.to_numpy() < case.end_time.to_numpy()).all()
    assert (findings.time.to_numpy() >= case.time.to_numpy()).all()
    tests = (findings.phase == "laboratory").to_numpy()
    in_time = findings.known.to_numpy() <= case.index_time.to_numpy()
    assert 0.5 < in_time[tests].mean() < 0.98


def test_onset_is_never_before_birth(findings: pd.DataFrame, cases: pd.DataFrame) -> None:
    onset = findings.dropna(subset="onset_days")
    born = cases.age_days.fillna(cases.age_years * 365.25).reindex(onset.case_id).to_numpy()
    assert not (onset.onset_days.to_numpy() > np.fmax(born, 0.5)).any()


def test_labels_have_roles_noise_and_known_follow_ups(tables: dict[str, pa.Table], cases: pd.DataFrame) -> None:
    labels = tables["labels"].to_pandas()
    principal = labels[labels.role == "principal"].set_index("case_id")
    assert (principal.diagnosis.reindex(cases.index) == cases.diagnosis).all()
    assert (principal.status == "confirmed").all()
    assert {"principal", "admission", "secondary"} == set(labels.role)
    admission = labels[labels.role == "admission"].set_index("case_id")
    wrong = (admission.diagnosis != principal.diagnosis.reindex(admission.index)).mean()
    assert 0.2 < wrong < 0.45
    again = cases.index[cases.visit == "follow_up"]
    assert len(again) > N / 100
    assert (admission.time[again] < cases.time[again]).all()
    assert (admission.diagnosis[again] == cases.diagnosis[again]).all()


def test_must_not_miss_diagnoses_are_enriched_and_weighted(cases: pd.DataFrame) -> None:
    rows = {r["code"]: r for r in read_table("diagnoses")}
    grave = cases.diagnosis.map(lambda d: d in rows and rows[d]["must_not_miss"] == "true")
    assert cases.weight[grave].median() < 0.3
    assert cases.weight[~grave].median() > 1
    assert np.average(cases.weight) == pytest.approx(1, abs=0.1)
    assert cases.diagnosis.value_counts().min() >= 10


def test_women_children_and_newborns_are_who_they_should_be(cases: pd.DataFrame) -> None:
    assert (cases.sex[cases.pregnant.notna()] == "female").all()
    assert cases.pregnancy_weeks[cases.pregnant != "yes"].isna().all()
    assert (cases.gestational_age_weeks.notna() == (cases.age_years < 1)).all()
    assert (cases.gestational_age_weeks < 37).sum() > 10
    assert (cases.informant[cases.age_years < 12] == "guardian").all()
    assert (cases.age_years[cases.site == "children"] < 18).all()


def test_rows_do_not_show_what_does_not_fit_age_or_sex(findings: pd.DataFrame, cases: pd.DataFrame) -> None:
    case = cases.iloc[cases.index.get_indexer(findings.case_id)]
    for row in read_table("findings"):
        rows = (findings.code == row["code"]).to_numpy()
        if row["sex"]:
            assert (case.sex[rows] == row["sex"]).all()


def test_orders_do_not_look_at_the_illness() -> None:
    model, rng = sample_model(), np.random.default_rng(0)
    chart = new_chart(rng, model, draw_encounters(rng, 400))
    ask_and_examine(rng, chart, model)
    follow_orders(rng, chart, model)
    rules = [r["when"] for r in read_table("orders")]
    before = [_holds(chart, model, rule) for rule in rules]
    chart.state = rng.permutation(chart.state)
    assert all(np.array_equal(_holds(chart, model, rule), b) for rule, b in zip(rules, before, strict=True))
    assert any(b.any() for b in before)
