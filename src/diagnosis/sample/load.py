"""The shipped sample: where it lies, whether it is whole, and how it is made again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pyarrow as pa

from diagnosis.errors import InputError
from diagnosis.readers import read_records
from diagnosis.records import Records
from diagnosis.sample.codebook import NOTICE, records_info
from diagnosis.sample.cohort import draw_tables, write_table
from diagnosis.sample.traps import plant_traps

__all__ = ["load_sample", "sample_folder", "write_sample"]

SUMS = "SHA256SUMS"
_SEED = 0
_CASES = 6000
_INSTALLED = Path(__file__).parent / "files"
_CHECKOUT = Path(__file__).parents[3] / "data" / "sample"
_AGAIN = "Install the package again, or in a checkout run `python -m diagnosis.sample`."


def load_sample() -> Records:
    """Return the shipped synthetic cohort: about 6,000 encounters of about 4,500 patients at four sites.

    Synthetic: no row stands for a person, and nothing learned from it may serve the care of patients.

    Raises
    ------
    InputError
        If the files are missing or are not those that were shipped.

    Examples
    --------
    >>> records = load_sample()
    >>> len(records) > 6000, records.info["synthetic"]
    (True, True)
    """
    folder = sample_folder()
    check_sums(folder)
    return read_records(folder)


def sample_folder() -> Path:
    """Return the folder of the shipped sample: inside the installed package, else in the checkout."""
    for folder in (_INSTALLED, _CHECKOUT):
        if (folder / SUMS).is_file():
            return folder
    raise InputError("The files of the sample.", "They are not in this installation.", _AGAIN)


def check_sums(folder: Path) -> None:
    """Refuse a sample with a changed, extra or missing file."""
    lines = (folder / SUMS).read_text(encoding="ascii").splitlines()
    listed = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    there = {p.name for p in folder.iterdir() if not p.name.startswith(".")} - {SUMS}
    wrong = sorted(
        {f"{n} is missing" for n in listed.keys() - there}
        | {f"{n} is not part of it" for n in there - listed.keys()}
        | {f"{n} was changed" for n in listed.keys() & there if _digest(folder / n) != listed[n]}
    )
    if wrong:
        raise InputError("The sample as it was shipped.", "; ".join(wrong), _AGAIN)


def write_sample(folder: str | Path) -> Path:
    """Generate the shipped sample into a folder; the same versions of NumPy and Arrow give the same bytes.

    Files of an earlier sample are replaced, anything else in the folder is left.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    drawn, illness = draw_tables(_CASES, _SEED)
    tables, ledger = plant_traps(drawn, illness, _SEED)
    for name, table in tables.items():
        write_table(table, target / f"{name}.parquet")
    _write_json(target / "records.json", records_info(_SEED))
    _write_json(target / "planted.json", ledger)
    (target / "README.md").write_text(_readme(tables), encoding="utf-8")
    names = sorted([*(f"{name}.parquet" for name in tables), "README.md", "planted.json", "records.json"])
    sums = "".join(f"{_digest(target / name)}  {name}\n" for name in names)
    (target / SUMS).write_text(sums, encoding="ascii")
    return target


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _readme(tables: dict[str, pa.Table]) -> str:
    cases = tables["cases"]
    findings = tables["findings"].num_rows
    patients = len(set(cases["patient_id"].to_pylist()))
    return f"""# The sample

**{NOTICE}**

{cases.num_rows:,} encounters of {patients:,} patients at four sites over two years, {findings:,} findings, as
tables of format 1 (Parquet), drawn by `diagnosis.sample` with seed {_SEED}. Licence: CC0-1.0.

- The frequencies stand in `src/diagnosis/sample/tables/*.csv`; each row says where it comes from, mostly `assumed`.
- What is asked and ordered depends on complaint, vital signs, site and chance, never on the diagnosis.
- Must-not-miss diagnoses are enriched; `weight` in `cases` is natural over drawn frequency.
- About 2 % of principal diagnoses are written down wrongly. `OTHER` holds illnesses that are none of the listed.
- `planted.json` lists every planted fault: results known after the end of the case, findings that name the diagnosis,
  near-copies of cases under other patients, and the wrong labels.
- `diagnosis.sample.posterior` gives the generator's own posterior, which no model can beat on average. On 6,000 cases
  its top-1 is .85 (log-loss .50); with the complaint alone about .50 (1.7), with site, season, age and sex alone .17
  (2.8), and always naming the commonest diagnosis gives .08 (3.6).
- `SHA256SUMS` is checked by `load_sample`. `python -m diagnosis.sample` makes the folder again.
"""
