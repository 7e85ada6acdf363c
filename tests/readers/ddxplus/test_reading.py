"""What a patient of a release said, and what follows from it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.readers.ddxplus.release import CONDITIONS, EVIDENCES, csv_of, row, states, write_release

import diagnosis as dx
from diagnosis.readers import formats, read_records

EARACHE = ["douleur", "endroit_@_oreille", "endroit_@_tete", "intens_@_7", "voyage_@_Asie"]


def read(tmp_path: Path, *rows: dict[str, str], **options: Any) -> dx.Records:
    return dx.read_ddxplus(write_release(tmp_path / "set", rows), **options)


def test_a_patient_with_earache(tmp_path: Path) -> None:
    records = read(tmp_path, row(AGE="4", SEX="M", PATHOLOGY="Otite", EVIDENCES=EARACHE, INITIAL_EVIDENCE="douleur"))
    assert states(records) == {
        "fievre": "absent",
        "douleur": "present",
        "endroit": "present",
        "endroit_@_tete": "present",
        "endroit_@_oreille": "present",
        "intens": 7.0,
        "lesions": "absent",
        "voyage": "Asia",
        "tabac": "absent",
    }
    case = records.case(0)
    assert (case.age_years, case.sex, case.diagnosis) == (4.0, "male", "Otite")
    assert case.differential == (("Grippe", 0.75), ("Otite", 0.25))
    assert (case.case_id, case.group) == ("validate-1", "validate")


def test_the_initial_evidence_is_the_chief_complaint(tmp_path: Path) -> None:
    records = read(tmp_path, row(EVIDENCES=["fievre", "douleur"], INITIAL_EVIDENCE="douleur"))
    told = {f.code: (f.phase, f.elicited) for f in records.case(0).findings}
    assert told.pop("douleur") == ("chief_complaint", "volunteered")
    assert set(told.values()) == {("history", "asked")}
    at_first = records.as_of(phase="chief_complaint")
    assert states(at_first) == {"douleur": "present"}


def test_what_did_not_come_up_is_unrecorded_even_where_its_default_is_listed(tmp_path: Path) -> None:
    listed = ["fievre", "lesions", "couleur_@_NA", "endroit_@_nulle_part", "intens_@_0", "voyage_@_N"]
    records = read(tmp_path, row(EVIDENCES=listed))
    assert states(records) == {
        "fievre": "present",
        "douleur": "absent",
        "lesions": "present",
        "couleur": "absent",  # asked, and nothing to say
        "voyage": "absent",
        "tabac": "absent",
    }
    notes = [p for p in records.report.problems if p.kind == "not_asked"]
    assert [p.count for p in notes] == [2]
    assert records.report.errors == ()


def test_unlisted_may_be_left_unrecorded(tmp_path: Path) -> None:
    records = read(tmp_path, row(EVIDENCES=["fievre", "douleur", "endroit_@_nulle_part"]), unlisted="unrecorded")
    assert states(records) == {"fievre": "present", "douleur": "present", "endroit": "absent"}


def test_an_asked_question_that_is_not_listed_has_its_default(tmp_path: Path) -> None:
    found = states(read(tmp_path, row(EVIDENCES=["fievre", "douleur", "lesions"])))
    assert found["endroit"] == "absent"
    assert found["couleur"] == "absent"
    assert found["intens"] == 0.0


def test_options_that_are_not_named_may_be_absent(tmp_path: Path) -> None:
    pain, none = row(EVIDENCES=EARACHE, INITIAL_EVIDENCE="douleur"), row()
    records = read(tmp_path, pain, none, options="all")
    assert states(records)["endroit_@_dos"] == "absent"
    assert states(records)["endroit_@_tete"] == "present"
    assert not [code for code in states(records, 1) if code.startswith("endroit")]
    nowhere = read(tmp_path, row(EVIDENCES=["fievre", "douleur", "endroit_@_nulle_part"]), options="all")
    assert {states(nowhere)[f"endroit_@_{place}"] for place in ("tete", "oreille", "dos")} == {"absent"}


def test_texts_in_french(tmp_path: Path) -> None:
    rows = [row(EVIDENCES=["fievre", "lesions", "couleur_@_rouge"])]
    assert states(read(tmp_path, *rows))["couleur"] == "red"
    assert states(read(tmp_path, *rows, lang="fr"))["couleur"] == "red (fr)"


def test_two_values_of_one_meaning_keep_their_codes(tmp_path: Path) -> None:
    evidences = json.loads(json.dumps(EVIDENCES))
    evidences["couleur"]["value_meaning"]["pale"]["en"] = "red"
    rows = [row(EVIDENCES=["fievre", "lesions", f"couleur_@_{colour}"]) for colour in ("rouge", "pale")]
    records = dx.read_ddxplus(write_release(tmp_path / "set", rows, evidences=evidences))
    assert [states(records, i)["couleur"] for i in range(2)] == ["rouge", "pale"]


def test_vocabulary(tmp_path: Path) -> None:
    words = read(tmp_path, row()).vocabulary
    assert words.name("fievre") == "Do you have a fever?"
    assert words.name("endroit_@_tete") == "Where is it? head"
    assert words.name("endroit_@_tete", "fr") == "Where is it (fr)? head (fr)"
    assert words.question("endroit_@_tete") == "Where is it?"
    assert words.ancestors("endroit_@_tete") == {"endroit", "douleur"}
    assert words.parents("tabac") == ()  # names no evidence
    assert (words.kind("tabac"), words.kind("fievre"), words.phase("fievre")) == ("history", "symptom", "history")


def test_diagnoses(tmp_path: Path) -> None:
    records = read(tmp_path, row())
    words = records.vocabulary
    assert words.diagnosis_name("Méningite") == "Meningitis"
    assert words.resolve_diagnosis("meningitis") == "Méningite"
    assert words.must_not_miss == {"Méningite"}
    assert [words.severity(code) for code in CONDITIONS] == [2, 4, 3]
    assert records.frame("diagnoses")["icd10"].tolist() == ["G00.9", "H66|H67", "J11.1"]


def test_pathologies_by_their_english_names(tmp_path: Path) -> None:
    records = read(tmp_path, row(PATHOLOGY="Influenza", DIFFERENTIAL_DIAGNOSIS=[["Otitis", 1.0]]))
    assert records.y.tolist() == ["Grippe"]
    assert records.case(0).differential == (("Otite", 1.0),)


def test_rows_without_a_label_a_list_or_a_complaint(tmp_path: Path) -> None:
    records = read(tmp_path, row(PATHOLOGY="", DIFFERENTIAL_DIAGNOSIS="", INITIAL_EVIDENCE="", AGE="", SEX=""))
    case = records.case(0)
    assert (case.diagnosis, case.differential, case.age_years, case.sex) == (None, None, None, None)
    assert {f.phase for f in case.findings} == {"history"}


def test_nobody_and_nothing(tmp_path: Path) -> None:
    assert len(read(tmp_path)) == 0
    records = read(tmp_path, row(EVIDENCES=[], INITIAL_EVIDENCE=""), unlisted="unrecorded")
    assert (len(records), len(records.coded)) == (1, 0)


@pytest.mark.parametrize("name", ["release_test_patients", "release_test_patients.csv", "release_test_patients.zip"])
def test_every_form_of_a_part(tmp_path: Path, name: str) -> None:
    folder = write_release(tmp_path / "set", [row(), row(SEX="M")])
    plain = (folder / "release_validate_patients.csv").rename(folder / "x.csv")
    if name.endswith(".zip"):
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(plain, "release_test_patients")
    else:
        (folder / name).write_bytes(plain.read_bytes())
    for path in (folder, folder / name):
        records = dx.read_ddxplus(path)
        assert records.case_ids.tolist() == ["test-1", "test-2"]
        assert records.column("sex").tolist() == ["female", "male"]


def test_all_parts_of_a_folder_in_order(tmp_path: Path) -> None:
    folder = write_release(tmp_path / "set", [row(AGE="2")], name="release_test_patients")
    write_release(folder, [row(AGE="1")], name="release_train_patients.csv")
    records = dx.read_ddxplus(folder)
    assert records.case_ids.tolist() == ["train-1", "test-1"]
    assert records.column("group").tolist() == ["train", "test"]
    assert records.column("age_years").tolist() == [1.0, 2.0]
    train, test = dx.split(records, by="group", test_size=0.5, seed=0)
    assert len(train) == len(test) == 1


def test_a_file_of_another_name(tmp_path: Path) -> None:
    folder = write_release(tmp_path / "set", [row()], name="mine.csv")
    assert dx.read_ddxplus(folder / "mine.csv").case_ids.tolist() == ["mine-1"]


def test_json_lists_byte_order_mark_and_other_encodings(tmp_path: Path) -> None:
    folder = write_release(tmp_path / "set")
    patient = row(
        PATHOLOGY="Méningite",
        EVIDENCES='["fievre", "douleur"]',
        DIFFERENTIAL_DIAGNOSIS='[["M\\u00e9ningite", 1]]',
    )
    text = csv_of([patient])
    file = folder / "release_validate_patients.csv"
    for encoding, named in (("utf-8", None), ("utf-8-sig", None), ("latin-1", "latin-1"), ("utf-16", "utf-16")):
        file.write_bytes(text.encode(encoding))
        records = dx.read_ddxplus(folder, encoding=named)
        assert records.y.tolist() == ["Méningite"]
        assert records.case(0).differential == (("Méningite", 1.0),)


def test_columns_in_another_order_and_more_of_them(tmp_path: Path) -> None:
    folder = write_release(tmp_path / "set")
    patient = row() | {"Unnamed: 0": "17"}
    text = csv_of([patient], ["Unnamed: 0", "INITIAL_EVIDENCE", "EVIDENCES", *list(row())[:4]])
    (folder / "release_validate_patients.csv").write_text(text, encoding="utf-8")
    records = dx.read_ddxplus(folder)
    assert records.y.tolist() == ["Grippe"]
    assert [p.column for p in records.report.warnings if p.kind == "unknown_column"] == ["Unnamed: 0"]


def test_by_the_name_of_the_format_and_back_through_the_tables(tmp_path: Path) -> None:
    folder = write_release(tmp_path / "set", [row(EVIDENCES=EARACHE, INITIAL_EVIDENCE="douleur"), row()])
    assert "ddxplus" in formats()
    records = read_records(folder, format="ddxplus")
    for form in ("csv", "parquet"):
        again = dx.read_records(dx.write_records(records, tmp_path / form, form))
        assert again.digest() == records.digest()
        assert again.report.errors == ()
        assert again.info == records.info


def test_the_tables_have_the_types_of_the_format(tmp_path: Path) -> None:
    from diagnosis.records import TABLES

    records = read(tmp_path, row())
    for name in records.names:
        for column in records.arrow(name).schema:
            known = TABLES[name].column(column.name)
            assert known is not None
            assert column.type == known.arrow, f"{name}.{column.name}"


ROOT = ("fievre", "tabac")
ANSWERS = st.fixed_dictionaries(
    {
        **dict.fromkeys(ROOT, st.booleans()),
        "voyage": st.sampled_from(["N", "Asie"]),
        "douleur": st.none() | st.tuples(st.sets(st.sampled_from(["tete", "oreille", "dos"])), st.integers(0, 10)),
        "lesions": st.none() | st.sampled_from(["NA", "rouge", "pale"]),
    }
)


def listed(answers: dict[str, Any]) -> list[str]:
    """As the generator lists what a patient answers."""
    made = [code for code in ROOT if answers[code]] + [f"voyage_@_{answers['voyage']}"]
    if answers["douleur"] is not None:
        places, strength = answers["douleur"]
        made += ["douleur", f"intens_@_{strength}", *(f"endroit_@_{p}" for p in sorted(places) or ["nulle_part"])]
    if answers["lesions"] is not None:
        made += ["lesions", f"couleur_@_{answers['lesions']}"]
    return made


def meant(answers: dict[str, Any]) -> dict[str, Any]:
    """What the records must say of it."""
    said: dict[str, Any] = {code: "present" if answers[code] else "absent" for code in ROOT}
    said["voyage"] = "Asia" if answers["voyage"] == "Asie" else "absent"
    for code in ("douleur", "lesions"):
        said[code] = "absent" if answers[code] is None else "present"
    if answers["douleur"] is not None:
        places, strength = answers["douleur"]
        said |= {"endroit": "present" if places else "absent", "intens": float(strength)}
        said |= {f"endroit_@_{place}": "present" for place in places}
    if answers["lesions"] is not None:
        said["couleur"] = {"NA": "absent", "rouge": "red", "pale": "pale"}[answers["lesions"]]
    return said


@settings(max_examples=25)
@given(patients=st.lists(ANSWERS, min_size=1, max_size=5), data=st.data())
def test_law_what_was_answered_is_what_is_recorded(
    tmp_path_factory: pytest.TempPathFactory, patients: list[dict[str, Any]], data: st.DataObject
) -> None:
    rows = [row(EVIDENCES=data.draw(st.permutations(listed(p))), INITIAL_EVIDENCE="") for p in patients]
    folder = write_release(tmp_path_factory.mktemp("set"), rows)
    records = dx.read_ddxplus(folder)
    assert [states(records, i) for i in range(len(patients))] == [meant(p) for p in patients]
    # One patient read alone says the same: nothing depends on who else is in the file.
    write_release(folder, rows[-1:])
    assert states(dx.read_ddxplus(folder)) == meant(patients[-1])
