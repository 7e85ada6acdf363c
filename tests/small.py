"""A small cohort with all that matters: four states, values in two units, texts, times, sites, returning patients."""

from __future__ import annotations

import numpy as np

from diagnosis.records import Records

DIAGNOSES = {
    "J11.1": ("influenza", "流行性感冒", False),
    "B05.9": ("measles", "麻疹", False),
    "G00.9": ("bacterial meningitis", "细菌性脑膜炎", True),
    "A09.9": ("gastroenteritis", "胃肠炎", False),
    "J45.9": ("asthma", "哮喘", False),
}
FINDINGS = {
    "cough": ("cough", "咳嗽", "symptom", None),
    "rash": ("rash", "皮疹", "sign", None),
    "stiff_neck": ("stiff neck", "颈强直", "sign", None),
    "vomiting": ("vomiting", "呕吐", "symptom", None),
    "wheeze": ("wheeze", "喘鸣", "sign", None),
    "stool": ("stool", "粪便", "symptom", None),
    "LOINC:8310-5": ("body temperature", "体温", "vital", "Cel"),
    "LOINC:2345-7": ("glucose", "葡萄糖", "laboratory", "mmol/L"),
    "asthma_history": ("asthma in the family", "哮喘家族史", "family_history", None),
}
# Chance that a finding is present, by diagnosis in the order above.
_PRESENT = {
    "cough": (0.9, 0.8, 0.2, 0.1, 0.7),
    "rash": (0.05, 0.95, 0.5, 0.05, 0.05),
    "stiff_neck": (0.1, 0.05, 0.8, 0.05, 0.02),
    "vomiting": (0.3, 0.1, 0.6, 0.9, 0.1),
    "wheeze": (0.1, 0.1, 0.02, 0.02, 0.9),
}
_TEMPERATURE = (39.0, 38.8, 39.3, 37.6, 36.9)


def small_records(n: int = 300, seed: int = 0, *, rare: int = 0) -> Records:
    """Make `n` cases of five diagnoses, and `rare` cases of diagnoses that are seen once each."""
    rng = np.random.default_rng(seed)
    cases, findings = [], []
    codes = list(DIAGNOSES)
    for i in range(n):
        k = int(rng.integers(5))
        start = np.datetime64("2024-01-01T08:00:00", "us") + np.timedelta64(int(rng.integers(0, 500 * 24)), "h")
        cases.append(
            {
                "case_id": f"c{i}",
                "patient_id": f"p{int(rng.integers(0, max(n * 3 // 4, 1)))}",
                "age_years": round(float(rng.gamma(2, 6)), 2),
                "sex": str(rng.choice(["female", "male"])),
                "site": f"site-{int(rng.integers(3))}",
                "time": f"{start}Z",
                "end_time": f"{start + np.timedelta64(6, 'h')}Z",
                "diagnosis": codes[k] if i >= rare else f"rare-{i}",
            }
        )
        findings += _findings_of(rng, f"c{i}", k, start)
    return Records.from_tables(
        {
            "cases": {c: [row[c] for row in cases] for c in cases[0]},
            "findings": {c: [row.get(c) for row in findings] for c in ("case_id", "code", "status", *_OPTIONAL)},
            "vocabulary": {
                "code": list(FINDINGS),
                "name": [f[0] for f in FINDINGS.values()],
                "name_zh": [f[1] for f in FINDINGS.values()],
                "kind": [f[2] for f in FINDINGS.values()],
                "unit": [f[3] for f in FINDINGS.values()],
            },
            "diagnoses": {
                "code": codes,
                "name": [d[0] for d in DIAGNOSES.values()],
                "name_zh": [d[1] for d in DIAGNOSES.values()],
                "must_not_miss": [d[2] for d in DIAGNOSES.values()],
            },
        },
        {"format": 1, "synthetic": True, "source": "tests"},
    )


_OPTIONAL = ("value", "unit", "text", "time", "known", "subject")


def _findings_of(rng: np.random.Generator, case: str, k: int, start: np.datetime64) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for code, chances in _PRESENT.items():
        if rng.random() < 0.75:
            status = "present" if rng.random() < chances[k] else "absent"
            status = "uncertain" if rng.random() < 0.05 else status
            rows.append({"case_id": case, "code": code, "status": status, "time": f"{start}Z"})
    if rng.random() < 0.9:
        celsius = float(rng.normal(_TEMPERATURE[k], 0.5))
        american = rng.random() < 0.3
        value, unit = (celsius * 1.8 + 32, "[degF]") if american else (celsius, "Cel")
        rows.append(
            {"case_id": case, "code": "LOINC:8310-5", "status": "present", "value": round(value, 1), "unit": unit}
            | {"time": f"{start}Z"}
        )
    if rng.random() < 0.5:
        later = f"{start + np.timedelta64(2, 'h')}Z"
        value = round(float(rng.normal(5.2, 0.8)), 1)
        rows.append(
            {"case_id": case, "code": "LOINC:2345-7", "status": "present", "value": value, "unit": "mmol/L"}
            | {"time": f"{start}Z", "known": later}
        )
    if k == 3 and rng.random() < 0.7:
        rows.append({"case_id": case, "code": "stool", "status": "present", "text": "watery"})
    if rng.random() < 0.3:
        status = "present" if k == 4 else "absent"
        rows.append({"case_id": case, "code": "asthma_history", "status": status, "subject": "family"})
    return rows
