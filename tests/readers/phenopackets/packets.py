"""Phenopackets for the tests: one to read, and random ones that are valid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]


def term(code: str, label: str | None = None) -> Json:
    return {"id": code, "label": label or f"label of {code}"}


def age(text: str) -> Json:
    return {"age": {"iso8601duration": text}}


def packet(identity: str = "a", **fields: Any) -> Json:
    """The least a packet has, and the given fields."""
    return {"id": identity, "metaData": {"phenopacketSchemaVersion": "2.0"}} | fields


def write_lines(file: Path, packets: list[Any]) -> Path:
    file.write_text("".join(json.dumps(one) + "\n" for one in packets), encoding="utf-8")
    return file


#: A child with a rare disease, as published.
CHILD: Json = {
    "id": "case-1",
    "subject": {
        "id": "proband",
        "timeAtLastEncounter": age("P3Y6M"),
        "sex": "FEMALE",
        "vitalStatus": {"status": "DECEASED"},
        "taxonomy": term("NCBITaxon:9606", "Homo sapiens"),
    },
    "phenotypicFeatures": [
        {"type": term("HP:0001250", "Seizure"), "onset": age("P3M"), "severity": term("HP:0012828", "Severe")},
        {"type": term("HP:0001252", "Hypotonia"), "excluded": True},
        {
            "type": term("HP:0001627", "Abnormal heart morphology"),
            "onset": {"gestationalAge": {"weeks": 22, "days": 3}},
        },
        {
            "type": term("HP:0000252", "Microcephaly"),
            "onset": {"ontologyClass": term("HP:0003577", "Congenital onset")},
            "modifiers": [term("HP:0012835", "Left"), term("HP:0025303", "Episodic")],
            "severity": term("HP:0012827", "Borderline"),
        },
    ],
    "measurements": [
        {
            "assay": term("LOINC:2345-7", "Glucose"),
            "value": {
                "quantity": {
                    "unit": term("UCUM:mg/dL", "milligram per deciliter"),
                    "value": 300.0,
                    "referenceRange": {"unit": term("UCUM:mg/dL"), "low": 70.0, "high": 100.0},
                }
            },
            "timeObserved": {"timestamp": "2020-05-01T10:00:00Z"},
        },
        {"assay": term("LOINC:94500-6", "SARS-CoV-2"), "value": {"ontologyClass": term("NCIT:C38757", "Negative")}},
        {"assay": term("LOINC:883-9", "Blood group"), "value": {"ontologyClass": term("LOINC:LA19710-5", "Group A")}},
    ],
    "diseases": [
        {"term": term("OMIM:615859", "Developmental and epileptic encephalopathy 21"), "onset": age("P2M")},
        {"term": term("OMIM:300672", "Developmental and epileptic encephalopathy 2"), "excluded": True},
    ],
    "interpretations": [
        {
            "id": "i1",
            "progressStatus": "SOLVED",
            "diagnosis": {
                "disease": term("OMIM:615859", "Developmental and epileptic encephalopathy 21"),
                "genomicInterpretations": [
                    {
                        "subjectOrBiosampleId": "proband",
                        "interpretationStatus": "CAUSATIVE",
                        "gene": {"valueId": "HGNC:21197", "symbol": "NECAP1"},
                    }
                ],
            },
        }
    ],
    "medicalActions": [{"treatment": {"agent": term("DrugCentral:2844", "valproate")}}],
    "metaData": {
        "created": "2024-01-01T00:00:00Z",
        "createdBy": "somebody",
        "resources": [{"id": "hp", "namespacePrefix": "HP", "version": "2025-01-16"}],
        "phenopacketSchemaVersion": "2.0.2",
        "externalReferences": [{"id": "DOI:10.1/x"}, {"id": "PMID:1", "description": "a paper"}],
    },
}

_DURATIONS = ("P3Y4M", "P2W", "P1D", "P0D", "P40Y", "P1Y2M3D", "PT12H", "P0.5Y", "P1M", "P3Y4M2W1DT2H3M4S")
_ONSETS = ("HP:0003577", "HP:0003593", "HP:0011463", "HP:0030674", "HP:0034198", "HP:0003674")
_CODES = tuple(f"HP:{i:07d}" for i in range(12))
_DISEASES = ("OMIM:1", "OMIM:2", "MONDO:3", "发热病")


def times() -> st.SearchStrategy[Json]:
    """Any `TimeElement`."""
    ages = st.sampled_from(_DURATIONS)
    return st.one_of(
        ages.map(age),
        st.sampled_from(_ONSETS).map(lambda c: {"ontologyClass": term(c)}),
        st.builds(lambda w, d: {"gestationalAge": {"weeks": w, "days": d}}, st.integers(0, 45), st.integers(0, 6)),
        st.builds(
            lambda a, b: {"ageRange": {"start": {"iso8601duration": a}, "end": {"iso8601duration": b}}}, ages, ages
        ),
        st.just({"timestamp": "2020-05-01T10:00:00Z"}),
        st.just({"interval": {"start": "2020-05-01T10:00:00+02:00", "end": "2020-06-01T00:00:00.5Z"}}),
    )


@st.composite
def features(draw: st.DrawFn) -> list[Json]:
    made = []
    for code in draw(st.lists(st.sampled_from(_CODES), unique=True, max_size=5)):
        one: Json = {"type": term(code)}
        if draw(st.booleans()):
            one["excluded"] = draw(st.booleans())
        for name, values in (("onset", times()), ("resolution", times())):
            if draw(st.integers(0, 2)) == 0:
                one[name] = draw(values)
        if draw(st.integers(0, 2)) == 0:
            one["severity"] = term(draw(st.sampled_from(["HP:0012825", "HP:0012829", "HP:0012827"])))
        if draw(st.integers(0, 2)) == 0:
            codes = st.lists(st.sampled_from(["HP:0012835", "HP:0012834", "HP:0025303"]), unique=True, min_size=1)
            one["modifiers"] = [term(c) for c in draw(codes)]
        if draw(st.integers(0, 4)) == 0:
            one["description"] = draw(st.sampled_from(["since birth", "自出生起"]))
        made.append(one)
    return made


@st.composite
def measurements(draw: st.DrawFn) -> list[Json]:
    made = []
    numbers = st.floats(-1e6, 1e6)
    for code in draw(st.lists(st.sampled_from(["LOINC:1-8", "LOINC:2-6", "LOINC:3-4"]), unique=True, max_size=3)):
        unit = draw(st.sampled_from([{}, {"unit": term("UCUM:mg/dL", "mg/dL")}]))
        span = draw(st.sampled_from([{}, {"low": 1.0}, {"low": 0.5, "high": 4.0}]))
        quantity = {"value": draw(numbers), **unit} | ({"referenceRange": {**span, **unit}} if span else {})
        words = [term("NCIT:C38757"), term("NCIT:C25246"), term("Group A", "Group A")]
        value = draw(st.sampled_from([{"quantity": quantity}, *({"ontologyClass": w} for w in words)]))
        observed = {"timeObserved": draw(times())} if draw(st.booleans()) else {}
        made.append({"assay": term(code), "value": value} | observed)
    return made


@st.composite
def judgements(draw: st.DrawFn) -> Json:
    """Diseases, each judged in one way, and interpretations."""
    codes = draw(st.lists(st.sampled_from(_DISEASES), unique=True, max_size=4))
    diseases, interpretations = [], []
    for code in codes:
        how = draw(st.sampled_from(["present", "excluded", "SOLVED", "IN_PROGRESS", "UNSOLVED", "both"]))
        if how in ("present", "excluded", "both"):
            onset = {"onset": draw(times())} if draw(st.booleans()) else {}
            diseases.append({"term": term(code)} | onset | ({"excluded": True} if how == "excluded" else {}))
        if how not in ("present", "excluded"):
            status = "SOLVED" if how == "both" else how
            interpretations.append({"id": "i", "progressStatus": status, "diagnosis": {"disease": term(code)}})
    return {"diseases": diseases, "interpretations": interpretations}


@st.composite
def packets(draw: st.DrawFn) -> list[Json]:
    """Valid packets with ids of their own; nothing that a packet of ours would not hold."""
    made = []
    for i in range(draw(st.integers(1, 4))):
        subject: Json = {"id": f"subject {draw(st.sampled_from([i, 'x']))}"}
        if draw(st.booleans()):
            subject["timeAtLastEncounter"] = draw(times())
        if draw(st.booleans()):
            subject["sex"] = draw(st.sampled_from(["MALE", "FEMALE", "OTHER_SEX", "UNKNOWN_SEX"]))
        if draw(st.booleans()):
            died = {"timeOfDeath": draw(times())} if draw(st.booleans()) else {}
            subject["vitalStatus"] = {"status": draw(st.sampled_from(["ALIVE", "DECEASED"]))} | died
        meta = {"metaData": {"externalReferences": [{"id": draw(st.sampled_from(["PMID:1", "PMID:2"]))}]}}
        fields = {"phenotypicFeatures": draw(features()), "measurements": draw(measurements())}
        made.append({"id": f"packet {i}", "subject": subject} | fields | draw(judgements()) | meta)
    return made
