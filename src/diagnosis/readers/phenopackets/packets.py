"""One packet -> its case, its judgements and its findings; or one reason why it cannot be read."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from diagnosis.readers.phenopackets.findings import Findings
from diagnosis.readers.phenopackets.judgements import Judgement, Several, judge
from diagnosis.readers.phenopackets.terms import Words, class_of
from diagnosis.readers.phenopackets.times import BadPart, When, moment, when

__all__ = ["FIELDS", "Packets", "inner_packets"]

#: Fields of a version 2 phenopacket.
FIELDS = frozenset(
    {
        *("id", "subject", "phenotypicFeatures", "measurements", "biosamples", "interpretations", "diseases"),
        *("medicalActions", "files", "metaData"),
    }
)
_V1_FIELDS = frozenset({"genes", "variants", "htsFiles"})
_V1_FEATURE = frozenset({"negated", "ageOfOnset", "classOfOnset"})
_SEX = {"MALE": "male", "FEMALE": "female", "OTHER_SEX": "other", "UNKNOWN_SEX": "unknown"}
_HUMAN = ("NCBITaxon:9606", "NCBITAXON:9606", "taxonomy:9606")
_VITAL = {"ALIVE": "alive", "DECEASED": "deceased"}


def inner_packets(value: Any) -> Iterator[tuple[Any, str | None]]:
    """Yield the packets of a value, each with the id of the family it comes from: itself, or those of a family or a
    cohort."""
    if type(value) is dict and "proband" in value:
        family = value.get("id") if type(value.get("id")) is str else None
        relatives = value.get("relatives", [])
        for one in [value["proband"], *(relatives if type(relatives) is list else [relatives])]:
            yield one, family
    elif type(value) is dict and type(value.get("members")) is list:
        for one in value["members"]:
            yield one, None
    else:
        yield value, None


class Packets:
    """Cases, judgements and findings of the packets that are taken in.

    Attributes
    ----------
    cases : list of dict
        Rows of `cases`, without empty values.
    label_case : array of int
        Position of the case of each judgement.
    labels : list of Judgement
    findings : Findings
    diseases : Words
    rules : Counter
        How principal diagnoses were found.
    systems : dict of str to Counter
        Versions of each ontology the packets name.
    counts : Counter
        What the account tells beside.
    """

    def __init__(self, several: Several, keep_lost: bool = False) -> None:
        self.cases: list[dict[str, Any]] = []
        self.label_case = array("i")
        self.labels: list[Judgement] = []
        self.findings = Findings(keep_lost)
        self.diseases = Words()
        self.rules: Counter[str] = Counter()
        self.systems: dict[str, Counter[str]] = {}
        self.counts: Counter[str] = Counter()
        self._several = several

    def take(self, packet: Any, family: str | None = None) -> None:
        """Take in one packet.

        Raises
        ------
        BadPart
            It cannot be read; nothing of it is taken.
        """
        if type(packet) is not dict:
            raise BadPart("it is no object")
        if "phenotypic_features" in packet or "meta_data" in packet or "medical_actions" in packet:
            packet = _in_camel_case(packet)
        identity = packet.get("id")
        if type(identity) is not str or not identity:
            raise BadPart("it has no id")
        features, measurements, diseases, interpretations = (
            _list(packet, name) for name in ("phenotypicFeatures", "measurements", "diseases", "interpretations")
        )
        meta = _object(packet, "metaData")
        _refuse_version_1(packet, features, meta)
        subject = _object(packet, "subject")
        born = moment(subject["dateOfBirth"]) if "dateOfBirth" in subject else None
        case = {"case_id": identity, **_case_of(subject, born)}
        group = _publication(meta, self.counts) or family
        if group:
            case["group"] = group
        named = [
            (f["type"].get("id", ""), f.get("excluded") is True)
            for f in features
            if type(f) is dict and type(f.get("type")) is dict and _names_disease(f["type"])
        ]
        judged = judge(diseases, interpretations, named, self._several, self.diseases)
        # From here on nothing can fail for the packet as a whole.
        if judged.principal:
            case["diagnosis"] = judged.principal
            if judged.onset is not None:
                case |= _disease_onset(judged.onset)
        at = len(self.cases)
        self.cases.append(case)
        self.rules[judged.rule] += 1
        self.labels += judged.others
        self.label_case.extend([at] * len(judged.others))
        for name in named:
            self.diseases.seen.setdefault((name[0], ""), 0)
        self.findings.features(features, at, born)
        self.findings.measurements(measurements, at, born)
        self._notice(packet, meta)

    def _notice(self, packet: Mapping[str, Any], meta: Mapping[str, Any]) -> None:
        """Count what is not read, and keep the versions of the ontologies."""
        for name in packet.keys() - FIELDS:
            self.counts["unknown_field"] += 1
            del name
        for name in ("biosamples", "files", "medicalActions"):
            if packet.get(name):
                self.counts[name] += 1
        resources = meta.get("resources")
        for one in resources if type(resources) is list else ():
            if type(one) is dict:
                name, version = one.get("namespacePrefix"), one.get("version")
                if type(name) is str and type(version) is str and name:
                    self.systems.setdefault(name, Counter())[version] += 1
