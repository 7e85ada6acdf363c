"""Which columns are worth having: the encoder's options one by one, on cases nobody was trained on.

    DIAGNOSIS_DATA=... python benchmarks/bench_columns.py [--size small|full] [--json]

Log-loss and top-1 of the same model on the same folds, without an option and with it, and the mean difference of the
log-loss with its standard error. Folds keep a patient on one side, and in `phenopackets` a publication; diagnoses with
few cases, or from fewer than three publications, are left out there. `small` fits the linear model, `full` the hybrid.

- appendicitis: its measurements given their LOINC codes, which the set itself does not have.
- sample: synthetic, as of the moment a suggestion is asked for.
- phenopackets: rare diseases in HPO terms, most of them *present* or *absent* at several levels.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from diagnosis.features import FindingEncoder
from diagnosis.readers import read_phenopackets, read_records
from diagnosis.records import Records
from diagnosis.sample import load_sample
from diagnosis.suggestions import Diagnoser
from diagnosis.vocabulary import read_vocabulary

LOINC = {
    "BodyTemp": ("8310-5", "Cel"),
    "WBCCount": ("6690-2", "10*9/L"),
    "NeutrophilPerc": ("770-8", "%"),
    "CRPEntry": ("1988-5", "mg/L"),
}
Options = Mapping[str, Mapping[str, Any]]
_BARE: Mapping[str, Any] = {"reference_ranges": False, "onsets": False}
RANGES: Options = {
    "own ranges": _BARE,
    "table": {**_BARE, "reference_ranges": True},
    "table, z": {**_BARE, "reference_ranges": True, "range_scores": True},
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["small", "full"], default="small")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    data = os.environ.get("DIAGNOSIS_DATA")
    if not data:
        raise SystemExit("set DIAGNOSIS_DATA to the folder of the real sets")
    model = "linear" if asked.size == "small" else "hybrid"
    rows = []
    for name, records, groups, options in questions(Path(data)):
        for row in compared(name, records, groups, options, model):
            rows.append(row)
            if not asked.json:
                print(
                    "{set:<14}{model:<8}{columns:<16}{log_loss:8.4f}{top1:8.4f}{more:+9.4f} ± {error:.4f}".format(**row)
                )
    if asked.json:
        print(json.dumps(rows, indent=1))


def questions(data: Path) -> Iterator[tuple[str, Records, np.ndarray, Options]]:
    """Yield sets with what must stay on one side, and the options to compare; the first is compared with."""
    bare = read_records(data / "appendicitis")
    words = {
        "code": list(LOINC),
        "loinc": [loinc for loinc, _ in LOINC.values()],
        "unit": [unit for _, unit in LOINC.values()],
    }
    tables = {"cases": bare.arrow("cases"), "findings": bare.arrow("findings"), "vocabulary": words}
    children = Records.from_tables(tables)
    yield "appendicitis", children, children.groups, RANGES
    sample = load_sample().as_of("index")[:2500]
    more: Options = {"onsets": {**_BARE, "onsets": True}, "windows": {**_BARE, "windows": ("ever",)}}
    yield "sample", sample, sample.groups, {**RANGES, **more}
    packets = read_phenopackets(data / "phenopackets" / "packets.ndjson.gz")
    packets = packets.with_vocabulary(read_vocabulary(data / "hpo" / "hp.obo.gz"))
    rare = often_enough(packets)
    yield "phenopackets", rare, rare.column("group"), {"flat": {}, "hierarchy": {"hierarchy": True}}


def often_enough(records: Records, cases: int = 20, publications: int = 3) -> Records:
    """Keep cases whose diagnosis has enough of both."""
    y, groups = records.y, records.column("group")
    kept = [d for d in sorted(set(y)) if (y == d).sum() >= cases and len(set(groups[y == d])) >= publications]
    return records[np.isin(y.astype(str), kept)]


def compared(
    name: str, records: Records, groups: np.ndarray, options: Options, model: str
) -> Iterator[dict[str, object]]:
    """Score each choice of options on the same folds."""
    y = records.y.astype(str)
    found: dict[str, list[np.ndarray]] = {columns: [] for columns in options}
    folds = StratifiedGroupKFold(3, shuffle=True, random_state=0)
    for train, test in folds.split(np.zeros(len(y)), y, groups.astype(str)):
        for columns, chosen in options.items():
            diagnoser = Diagnoser(model, encoder=FindingEncoder(**chosen), as_of=None)
            found[columns].append(outcomes(diagnoser.fit(records[train], groups=groups[train]), records[test]))
    pooled = {columns: np.concatenate(parts) for columns, parts in found.items()}
    first = next(iter(pooled.values()))
    for columns, scored in pooled.items():
        more = scored[:, 0] - first[:, 0]
        yield {
            "set": name,
            "model": model,
            "columns": columns,
            "log_loss": float(scored[:, 0].mean()),
            "top1": float(scored[:, 1].mean()),
            "more": float(more.mean()),
            "error": float(more.std() / np.sqrt(len(more))),
        }


def outcomes(diagnoser: Diagnoser, records: Records) -> np.ndarray:
    """Log-loss and top-1 of each case whose diagnosis the model knows."""
    place = {str(code): k for k, code in enumerate(diagnoser.classes_)}
    truth = np.array([place.get(str(code), -1) for code in diagnoser.truth(records)])
    known = np.flatnonzero(truth >= 0)
    proba = diagnoser.predict_proba(records)[known]
    own = proba[np.arange(len(known)), truth[known]]
    return np.column_stack([-np.log(np.maximum(own, 1e-15)), (proba >= own[:, None]).sum(axis=1) == 1])


if __name__ == "__main__":
    main()
