"""A consultation packet: nothing that tells who it is leaves, and the answer finds its case again."""

from __future__ import annotations

import contextlib
import json
import stat
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import diagnosis as dx
from diagnosis.errors import DiagnosisError, InputError
from diagnosis.readers.fhir import case_bundle
from diagnosis.review import deidentified, write_packet
from diagnosis.review.answer_file import FIELDS, read_answer
from diagnosis.suggestions import Differential

SECRETS = ("C-4711", "Zhang", "Ward 9", "2031", "ZQ-site", "mother's phone", "B05.9")


@pytest.fixture(scope="module")
def case() -> dx.Records:
    """One case, full of what is nobody's business."""
    findings = {
        "case_id": ["C-4711"] * 5,
        "code": ["fever", "cough", "rash", "fever", "note"],
        "status": ["present", "absent", "uncertain", "present", "present"],
        "value": [39.4, None, None, None, None],
        "unit": ["Cel", None, None, None, None],
        "text": [None, None, None, None, "mother's phone is 555, she says it began at the Zhang wedding in Ward 9"],
        "time": ["2031-05-04T08:00Z", "2031-05-04T08:00Z", None, "2031-05-01T08:00Z", None],
        "subject": ["patient", "patient", "patient", "mother", "patient"],
        "note_id": ["Zhang-1", None, None, None, None],
        "x_by": ["Zhang"] * 5,
    }
    cases: dict[str, Any] = {"case_id": ["C-4711"], "patient_id": ["Zhang San"], "age_years": [93.5], "sex": ["male"]}
    cases |= {"site": ["ZQ-site"], "time": ["2031-05-04T07:00Z"], "diagnosis": ["B05.9"], "department": ["Ward 9"]}
    cases |= {"outcome": ["alive"], "x_name": ["Zhang"]}
    labels = {"case_id": ["C-4711"], "diagnosis": ["B05.9"], "role": ["principal"], "status": ["confirmed"]}
    return dx.Records.from_tables({"cases": cases, "findings": findings, "labels": labels})


@pytest.fixture(scope="module")
def differentials(sample: dx.Records) -> list[Differential]:
    return dx.Diagnoser(model="linear").fit(sample[:400]).suggest(sample[500:503], top=3)


def test_nothing_that_tells_who_it_is_stays(case: dx.Records) -> None:
    made, left = deidentified(case)
    held = json.dumps([made.frame(n).astype(str).to_dict() for n in made.names]) + json.dumps(dict(made.info))
    assert not [one for one in SECRETS if one in held]
    said = "\n".join(left)
    for one in ("patient_id", "site", "diagnosis", "dates", "age", "x_by", "note_id", "labels", "texts of findings"):
        assert one in said, one
    assert not [one for one in SECRETS if one in said]


def test_what_a_colleague_needs_stays(case: dx.Records) -> None:
    made, _ = deidentified(case)
    assert made.frame("cases").loc[0, "age_years"] == 90
    before, after = case.frame("findings"), made.frame("findings")
    assert after["status"].tolist() == before["status"].tolist()
    assert after["value"].dropna().tolist() == [39.4]
    apart = before["time"] - case.frame("cases").loc[0, "time"]
    assert (after["time"] - made.frame("cases").loc[0, "time"]).dropna().tolist() == apart.dropna().tolist()
    with pytest.raises(InputError, match="one case"):
        deidentified(dx.load_sample()[:2])


def test_short_texts_and_great_ages_tell_nobody_either() -> None:
    tells = ["seen 12.03.2024", "since 2031", "call 13812345678", "as C-4711 before", "a@b.cn", "2024年3月12日"]
    plain = ["E. coli", "1:2048", "120/80", "O Rh+", "2.5-3.0", "大肠杆菌", "阴性"]
    names = ["Dr Zhang saw it", "张三丰", "li wei", "Mme Durand"]
    texts = [*tells, *names, *plain]
    n = len(texts)
    findings = {
        "case_id": ["C-4711"] * n,
        "code": [f"f{i}" for i in range(n)],
        "status": ["present"] * n,
        "text": texts,
        "specimen": ["arterial blood", "LOINC:LA9633-4", "脑脊液", "of Mr Durand", *[None] * (n - 4)],
        "onset_age_years": [93.0, 61.0, *[None] * (n - 2)],
        "duration_days": [34_000.0, 30.0, *[None] * (n - 2)],
    }
    cases: dict[str, Any] = {"case_id": ["C-4711"], "age_years": [96.0]}
    records = dx.Records.from_tables({"cases": cases, "findings": findings})
    made, left = deidentified(records, texts=["e. coli ", "大肠杆菌"])
    after = made.frame("findings")
    assert after["text"].dropna().tolist() == plain
    assert after["specimen"].dropna().tolist() == ["arterial blood", "LOINC:LA9633-4", "脑脊液"]
    assert {"E. coli", "大肠杆菌"}.isdisjoint(deidentified(records)[0].frame("findings")["text"].dropna())
    assert after["onset_age_years"].dropna().tolist() == [90, 61]
    assert after["duration_days"].dropna().tolist() == [30]
    assert [one for one in left if "texts" in one or "onset" in one] == [
        "texts of findings with a date, a long number, an address or an id: 6",
        "texts of findings that neither vocabulary nor model knows: they may hold a name: 5",
        "ages at onset and durations of more than 89 years: 2",
    ]


def test_a_code_that_somebody_wrote_leaves_with_its_finding(case: dx.Records) -> None:
    written = ["fever", "LOCAL:771", "Zhang San coughs", "C-4711/a", "rash on the left arm"]
    findings = {"case_id": ["C-4711"] * 5, "code": written, "status": ["present"] * 5}
    words = {"code": ["rash on the left arm"], "name": ["rash on the left arm"]}
    made, left = deidentified(
        dx.Records.from_tables({"cases": case.arrow("cases"), "findings": findings, "vocabulary": words})
    )
    assert made.frame("findings")["code"].tolist() == ["fever", "LOCAL:771", "rash on the left arm"]
    assert "findings whose code is a text that the vocabulary does not hold: 2" in left


def test_the_page_does_not_say_where_the_model_comes_from(sample: dx.Records, tmp_path: Path) -> None:
    info = {**sample.info, "source": "Ward 9 of Zhang Hospital"}
    train = dx.Records.from_tables({n: sample[:400].arrow(n) for n in ("cases", "findings")}, info)
    site = str(sample.column("site")[0])
    diagnoser = dx.Diagnoser(model="linear", folds=2).fit(train).adapt(site=site)
    one = diagnoser.suggest(sample[[500]], top=3)[0]
    packet = write_packet(one, tmp_path / "packet", lang="zh")
    letter, form = ((packet.path / name).read_text(encoding="utf-8") for name in ("README.txt", "answer.yaml"))
    assert "请您会诊" in letter
    assert "- 模型的病例来源\n" in letter
    assert [line for line in letter.splitlines() if line.startswith("- ") and line[2:] in packet.left] == []
    assert set(yaml.safe_load(form)) == set(FIELDS)
    page = (packet.path / "case.html").read_text(encoding="utf-8")
    assert "Zhang Hospital" in one.to_html()
    assert not [word for word in ("Zhang Hospital", f"按 {site} 的患病率") if word in page]
    assert "400 个病例" in page
    assert one.model in page
    assert "of the model: where its cases come from" in packet.left


def test_the_bundle_is_read_again(sample: dx.Records, tmp_path: Path) -> None:
    for row in (500, 501, 502):
        one = sample[[row]]
        bundle, left = case_bundle(one)
        (tmp_path / "one.json").write_text(json.dumps(bundle), encoding="utf-8")
        again = dx.read_fhir(tmp_path / "one.json")
        assert not again.report.errors
        columns = ["code", "status", "value", "unit", "text"]
        mine = one.frame("findings")
        mine = mine[mine["subject"].fillna("patient") == "patient"] if "subject" in mine else mine
        frames = [f.reindex(columns=columns).astype(object) for f in (mine, again.frame("findings"))]
        rows = [sorted(map(str, f.where(f.notna(), None).to_numpy().tolist())) for f in frames]
        assert rows[0] == rows[1]
        assert again.frame("cases").loc[0, "sex"] == one.frame("cases").loc[0, "sex"]
        assert again.frame("cases").loc[0, "age_years"] == pytest.approx(
            one.frame("cases").loc[0, "age_years"], abs=0.01
        )
        assert len(mine) + left["findings about others than the patient"] == len(one.frame("findings"))


@pytest.mark.parametrize("name", ["packet", "packet.zip"])
def test_a_packet_goes_out_and_its_answer_comes_back(
    differentials: list[Differential], tmp_path: Path, name: str
) -> None:
    one = differentials[1]
    packet = write_packet(one, tmp_path / name, question="Is it the heart?", reveal="after_answer")
    if name.endswith(".zip"):
        assert stat.S_IMODE(packet.path.stat().st_mode) == 0o600
        with zipfile.ZipFile(packet.path) as archive:
            archive.extractall(tmp_path / "out")
        folder = tmp_path / "out" / "packet"
    else:
        folder = packet.path
    files = {p.name: p.read_text(encoding="utf-8") for p in folder.iterdir()}
    assert set(files) == {"README.txt", "answer.yaml", "case.fhir.json", "case.html", "case.phenopacket.json"}
    patient = one.records.frame("cases").loc[0, "patient_id"]
    assert not [n for n, text in files.items() if one.case_id in text or patient in text]
    assert str(datetime.now(UTC).date()) not in files["case.phenopacket.json"], "the day of writing is a date too"
    assert "Is it the heart?" in files["README.txt"]
    assert 'class="dx-idea"' in files["case.html"]
    assert all(line in files["README.txt"] for line in packet.left)
    first = one.ranked[0]
    form = files["answer.yaml"].replace('reviewer: ""', "reviewer: Prof. 王").replace('verdict: ""', "verdict: agree")
    form = form.replace('basis: ""', "basis: imaging").replace('minutes: ""', "minutes: 2,5")
    (tmp_path / "back.yaml").write_text(form, encoding="utf-8")
    log = dx.ReviewLog(tmp_path / "reviews.db")
    review = log.merge(tmp_path / "back.yaml", differentials)
    assert (review.case_id, review.diagnosis, review.reviewer) == (one.case_id, first.diagnosis, "Prof. 王")
    assert (review.basis, review.seconds) == ("imaging", 150.0)
    with pytest.raises(InputError, match="merged before"):
        log.merge(tmp_path / "back.yaml", differentials)
    assert log.redact(one.case_id, "asked for") == 1
    with pytest.raises(InputError, match="was redacted"):
        log.merge(tmp_path / "back.yaml", differentials)
    assert log.verify()
    with pytest.raises(InputError, match="none of these"):
        dx.ReviewLog(tmp_path / "other.db").merge(tmp_path / "back.yaml", [differentials[0]])
    with pytest.raises(InputError, match="there already"):
        write_packet(one, tmp_path / name)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "none"),
        ("packet: a\nproof: b\nverdict: agree\n", "reviewer"),
        ("reviewer: Li\nverdict: agree\n", "first two lines"),
        ("packet: a\nproof: b\nreviewer: Li\nverdikt: agree\n", "verdict"),
        ("packet: [a\n", "none"),
        ("packet: {a: b}\n", "none"),
        ("x" * 300_000, "larger"),
        ("a: &a [x]\nb: *a\n", "none"),
    ],
)
def test_a_file_that_is_no_answer(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "back.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=says):
        read_answer(tmp_path / "back.yaml")
    with pytest.raises(InputError, match="cannot be read"):
        read_answer(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"%PDF-1.7\n%\xe2\xe3", "is a PDF"),
        (b"PK\x03\x04\x14\x00", "zip archive"),
        (b"\x89PNG\r\n\x1a\n\x00", "is a picture"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "is a picture"),
        (b"{\\rtf1\\ansi}", "document"),
        (b"packet: a\x00\x01", "no text"),
        ("packet: a\nreviewer: 王".encode("gbk"), "UTF-8"),
    ],
)
def test_what_is_no_text_is_called_what_it_is(raw: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "back.yaml").write_bytes(raw)
    with pytest.raises(InputError, match=says) as caught:
        read_answer(tmp_path / "back.yaml")
    assert "in quotes" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_answer_saved_by_a_notepad_is_read(encoding: str, tmp_path: Path) -> None:
    text = "packet: a\r\nproof: b\r\nreviewer: 王\r\nverdict: agree\r\n"
    (tmp_path / "back.yaml").write_bytes(text.encode(encoding))
    assert read_answer(tmp_path / "back.yaml").values["reviewer"] == "王"


@given(st.one_of(st.binary(max_size=60), st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=8)).map(str)))
def test_any_bytes_are_an_answer_or_refused(tmp_path_factory: pytest.TempPathFactory, raw: bytes | str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(raw if isinstance(raw, bytes) else raw.encode("utf-8", "replace"))
    with contextlib.suppress(DiagnosisError):
        read_answer(path)
