"""Whatever happens to a file on its way, every row is loaded or set aside, and nothing of a patient is in a message."""

from __future__ import annotations

import json
import stat
import tempfile
import traceback
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from diagnosis.errors import DiagnosisError, InputError, RecordsError
from diagnosis.readers import read_records
from diagnosis.records import Records

CASES = '''case_id,patient_id,age_years,sex,time,diagnosis
SECRET-1,SECRET-P1,4.7113,female,2024-01-01T08:00:00Z,流感
SECRET-2,SECRET-P2,51.7113,male,2024-01-02T08:00:00+08:00,麻疹
SECRET-3,,,,,
"SECRET,4","SECRET-""P4""",0.7113,unknown,2024-01-03,"a
b"
'''
FINDINGS = """case_id,code,status,value,unit,time,text
SECRET-1,发热,present,39.7113,Cel,2024-01-01T08:30:00Z,
SECRET-1,cough,absent,,,2024-01-01T08:30:00Z,SECRET-TEXT
SECRET-2,rash,uncertain,,,,"SECRET, TEXT"
SECRET-3,cough,present,,,,
"SECRET,4",cough,present,,,,"SECRET
TEXT"
"""
STRANGE = (
    *(b'"', b'""', b",", b";", b"\t", b"\n", b"\r", b"\r\n", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\\", b"'"),
    *("发热".encode("gbk"), "é".encode("latin-1"), b"\xed\xa0\x80", b",,,,,,,,,", b"1e999", b"NaN", b" "),
)
SECRETS = ("SECRET", "7113")


def bytes_of(text: str) -> st.SearchStrategy[bytes]:
    """A file that something happened to: bits flipped, parts cut, doubled, swapped, strange bytes put in."""
    raw = text.encode()
    place = st.integers(0, len(raw))
    strange = st.sampled_from(STRANGE)
    changes = st.one_of(
        st.tuples(st.just("put"), place, strange),
        st.tuples(st.just("flip"), place, st.integers(0, 7)),
        st.tuples(st.just("cut"), place, st.integers(1, 40)),
        st.tuples(st.just("double"), place, st.integers(1, 80)),
        st.tuples(st.just("end"), place, st.just(0)),
        st.tuples(st.just("swap"), st.just(0), st.sampled_from([(b",", b";"), (b"\n", b"\r"), (b'"', b"'")])),
    )

    def apply(ops: list[tuple[str, int, object]]) -> bytes:
        made = bytearray(raw)
        for kind, at, what in ops:
            at = min(at, len(made))
            if kind == "put":
                made[at:at] = what  # type: ignore[call-overload]
            elif kind == "flip" and at < len(made):
                made[at] ^= 1 << what  # type: ignore[operator]
            elif kind == "cut":
                del made[at : at + what]  # type: ignore[operator]
            elif kind == "double":
                made[at:at] = made[at : at + what]  # type: ignore[operator]
            elif kind == "end":
                del made[at:]
            elif kind == "swap":
                made = bytearray(bytes(made).replace(*what))  # type: ignore[misc]
        return bytes(made)

    return st.lists(changes, max_size=4).map(apply)


def check(folder: Path) -> None:
    """Read a folder both ways; see that rows add up and that nothing leaks."""
    before = sorted(p.name for p in folder.rglob("*"))
    try:
        records = read_records(folder)
        assert not records.report.errors
    except DiagnosisError as error:
        refuse_leaks(error)
    assert sorted(p.name for p in folder.rglob("*")) == before
    aside = folder / "aside.jsonl"
    try:
        records = read_records(folder, on_error="quarantine", quarantine=aside)
    except InputError as error:
        refuse_leaks(error)
        names = sorted(p.name for p in folder.rglob("*"))
        refused = not isinstance(error, RecordsError) or error.report.refused
    else:
        check_loaded(records, folder, aside)
        return
    assert refused
    assert names == before


def check_loaded(records: Records, folder: Path, aside: Path) -> None:
    counts = records.report.counts
    for name, count in counts.items():
        assert count.read == count.loaded + count.set_aside
        assert count.loaded == len(records.arrow(name))
    entries = [json.loads(line) for line in aside.read_text(encoding="utf-8").splitlines()] if aside.exists() else []
    assert len(entries) == records.report.set_aside
    assert aside.exists() == bool(records.report.errors)
    for name, count in counts.items():
        rows = [e["row"] for e in entries if e["table"] == name]
        assert len(rows) == len(set(rows)) == count.set_aside
        assert all(1 <= row <= count.read for row in rows)
    assert all(e["reasons"] and ("values" in e) != ("line" in e) for e in entries)
    if aside.exists():
        assert stat.S_IMODE(aside.stat().st_mode) == 0o600
    assert not [n for n in (p.name for p in folder.iterdir()) if n.startswith(".")]
    for row in range(len(records)):
        records.case(row)


def refuse_leaks(error: DiagnosisError) -> None:
    shown = [str(error), repr(error), repr(error.args), "".join(traceback.format_exception(error, chain=True))]
    shown += [repr(getattr(error, name, "")) for name in ("asked", "found", "do", "near")]
    report = getattr(error, "report", None)
    if report is not None:
        shown += [str(report), json.dumps(report.to_json())]
    assert not [s for text in shown for s in SECRETS if s in text]


@settings(max_examples=100)
@given(cases=bytes_of(CASES), findings=bytes_of(FINDINGS))
@example(cases=CASES.encode("gbk"), findings=FINDINGS.encode())
@example(cases=CASES.encode(), findings=FINDINGS.encode("utf-16"))
@example(cases=b"", findings=b"\n\n")
@example(cases=CASES.split("\n", 1)[1].encode(), findings=FINDINGS.split("\n", 1)[1].encode())
@example(cases=CASES.replace("case_id,", '"case_id,').encode(), findings=FINDINGS.encode())
def test_any_csv(cases: bytes, findings: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "cases.csv").write_bytes(cases)
        (folder / "findings.csv").write_bytes(findings)
        check(folder)


@settings(max_examples=40)
@given(at=st.integers(0, 2_000), bit=st.integers(0, 7), cut=st.booleans())
def test_any_parquet(at: int, bit: int, cut: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "cases.csv").write_text(CASES, encoding="utf-8")
        path = folder / "findings.parquet"
        table = {"case_id": ["SECRET-1", "SECRET-2"], "code": ["发热", "cough"], "status": ["present", "absent"]}
        pq.write_table(pa.table(table), path, write_page_checksum=True)
        raw = bytearray(path.read_bytes())
        if cut:
            del raw[at % len(raw) :]
        else:
            raw[at % len(raw)] ^= 1 << bit
        path.write_bytes(raw)
        check(folder)


@pytest.mark.parametrize("text", [CASES])
def test_what_nothing_happened_to_loads(text: str, tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(text, encoding="utf-8")
    (tmp_path / "findings.csv").write_text(FINDINGS, encoding="utf-8")
    records = read_records(tmp_path)
    assert [c.read for c in records.report.counts.values()] == [4, 5]
    check(tmp_path)
