"""One packet -> its case, its judgements and its findings; or one reason why it cannot be read."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from diagnosis.readers.phenopackets.actions import Actions
from diagnosis.readers.phenopackets.findings import Findings
from diagnosis.readers.phenopackets.judgements import Judged, Judgement, Several, judge
from diagnosis.readers.phenopackets.terms import Words
from diagnosis.readers.phenopackets.times import BadPartError, When, moment, text_of, when

__all__ = ["FIELDS", "Packets", "inner_packets"]

#: Fields of a version 2 phenopacket.
FIELDS = frozenset(
    {
        *("id", "subject", "phenotypicFeatures", "measurements", "biosamples", "interpretations", "diseases"),
        *("medicalActions", "files", "metaData"),
    }
)
_LISTS = ("phenotypicFeatures", "measurements", "diseases", "interpretations", "medicalActions")
_V1_FIELDS = frozenset({"genes", "variants", "htsFiles"})
_V1_FEATURE = frozenset({"negated", "ageOfOnset", "classOfOnset"})
_DEEPEST = 200
_SEX = {"MALE": "male", "FEMALE": "female", "OTHER_SEX": "other", "UNKNOWN_SEX": "unknown"}
_HUMAN = ("NCBITaxon:9606", "NCBITAXON:9606", "taxonomy:9606")
_VITAL = {"ALIVE": "alive", "DECEASED": "deceased"}


def inner_packets(value: Any) -> Iterator[tuple[Any, str | None]]:
    """Yield the packets of a value, each with the id of the family it comes from: itself, or those of a family or a
    cohort."""
    if type(value) is dict and "proband" in value:
        family = value["id"] if type(value.get("id")) is str and value["id"].isascii() else None
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
    actions : Actions
    diseases : Words
    rules : Counter
        How principal diagnoses were found.
    systems : set of (str, str)
        Ontologies and their versions that the packets name.
    counts : Counter
        What the account tells beside.
    """

    def __init__(self, several: Several, keep_lost: bool = False) -> None:
        self.cases: list[dict[str, Any]] = []
        self.label_case = array("i")
        self.labels: list[Judgement] = []
        self.diseases = Words()
        self.findings = Findings(self.diseases, keep_lost)
        self.actions = Actions()
        self.rules: Counter[str] = Counter()
        self.systems: set[tuple[str, str]] = set()
        self.counts: Counter[str] = Counter()
        self._several = several

    def take(self, packet: Any, family: str | None = None) -> None:
        """Take in one packet.

        Raises
        ------
        BadPartError
            It cannot be read; nothing of it is taken.
        """
        if type(packet) is not dict:
            raise BadPartError("it is no object")
        if "phenotypic_features" in packet or "meta_data" in packet or "medical_actions" in packet:
            packet = _in_camel_case(packet)
        if "resourceType" in packet:
            raise BadPartError("it is a FHIR resource; read it with the format fhir")
        if not packet.get("id"):
            raise BadPartError("it has no id")
        identity = text_of(packet["id"], "its id")
        features, measurements, diseases, interpretations, actions = (_list(packet, name) for name in _LISTS)
        meta = _object(packet, "metaData")
        _refuse_version_1(packet, features, meta)
        subject = _object(packet, "subject")
        born = moment(subject["dateOfBirth"]) if "dateOfBirth" in subject else None
        case = {"case_id": identity, **_case_of(subject, born)}
        group = _publication(meta, self.counts) or family
        if group:
            case["group"] = group
        judged = judge(diseases, interpretations, self._several, self.diseases)
        # From here on nothing can fail for the packet as a whole.
        if judged.principal:
            case["diagnosis"] = judged.principal
            if judged.onset is not None:
                case |= _disease_onset(judged.onset)
        at = len(self.cases)
        self.cases.append(case)
        self.rules[judged.rule] += 1
        others = [*judged.others, *self._from_features(self.findings.features(features, at, born), judged)]
        self.labels += others
        self.label_case.extend([at] * len(others))
        self.findings.measurements(measurements, at, born)
        self.actions.take(actions, at)
        self._notice(packet, meta)

    def _from_features(self, named: list[tuple[str, bool]], judged: Judged) -> Iterator[Judgement]:
        """Judgements that stand among the phenotypic features; one that contradicts the others is set aside."""
        said = {j.diagnosis: j.status == "ruled_out" for j in judged.others if j.status in ("confirmed", "ruled_out")}
        if judged.principal:
            said[judged.principal] = False
        for code, excluded in named:
            if code not in said:
                said[code] = excluded
                yield Judgement(code, None if excluded else "comorbidity", "ruled_out" if excluded else "confirmed")
            elif said[code] != excluded:
                self.findings.lose("a phenotypic feature: it names a disease that is judged otherwise", None)

    def _notice(self, packet: Mapping[str, Any], meta: Mapping[str, Any]) -> None:
        """Count what is not read, and keep the versions of the ontologies."""
        if not FIELDS.issuperset(packet):
            self.counts["unknown_field"] += len(packet.keys() - FIELDS)
        for name in ("biosamples", "files"):
            if packet.get(name):
                self.counts[name] += 1
        resources = meta.get("resources")
        for one in resources if type(resources) is list else ():
            if type(one) is dict:
                system, version = one.get("namespacePrefix"), one.get("version")
                if type(system) is str and type(version) is str and system.isascii() and version.isascii():
                    self.systems.add((system, version))


def _list(packet: Mapping[str, Any], name: str) -> list[Any]:
    value = packet.get(name)
    if value is None:
        return []
    if type(value) is not list:
        raise BadPartError(f"{name} is no list")
    return value


def _object(packet: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = packet.get(name)
    if value is None:
        return {}
    if type(value) is not dict:
        raise BadPartError(f"{name} is no object")
    return value


def _in_camel_case(value: Any, depth: int = 0) -> Any:
    """The names of fields as JSON has them; Protobuf may also write them as `snake_case`."""
    if depth > _DEEPEST:
        raise BadPartError("it is nested too deep")
    if type(value) is dict:
        return {_camel(name): _in_camel_case(inner, depth + 1) for name, inner in value.items()}
    return [_in_camel_case(inner, depth + 1) for inner in value] if type(value) is list else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def _refuse_version_1(packet: Mapping[str, Any], features: list[Any], meta: Mapping[str, Any]) -> None:
    """Version 1 says `negated` where version 2 says `excluded`: read as version 2, an absence would be a presence."""
    version = meta.get("phenopacketSchemaVersion")
    named = type(version) is str and version.strip().lower().removeprefix("v").startswith(("0", "1"))
    built = _V1_FIELDS & packet.keys() or any(
        type(f) is dict and len(f) > 1 and not _V1_FEATURE.isdisjoint(f) for f in features
    )
    if named or built:
        raise BadPartError("it is of version 1 of the schema; version 2 is read: convert it with phenopacket-tools")


def _case_of(subject: Mapping[str, Any], born: datetime | None) -> dict[str, Any]:
    """Columns of `cases` that the subject fills."""
    made: dict[str, Any] = {}
    if subject.get("id"):
        made["patient_id"] = text_of(subject["id"], "the id of the subject")
    sex = subject.get("sex")
    if sex is not None:
        if type(sex) is not str or sex not in _SEX:
            raise BadPartError("the sex of the subject is none of the schema")
        made["sex"] = _SEX[sex]
    species = subject.get("taxonomy")
    if species is not None and (type(species) is not dict or species.get("id") not in _HUMAN):
        raise BadPartError("its subject is not human")
    if "timeAtLastEncounter" in subject:
        made |= _age(when(subject["timeAtLastEncounter"], born))
    return made | _outcome(subject.get("vitalStatus"), born)


def _age(seen: When) -> dict[str, Any]:
    """Age and time at the last encounter; the middle of a range; none before birth, nor of a class."""
    made: dict[str, Any] = {}
    years = seen.years if seen.end is None else None if seen.years is None else (seen.years + seen.end) / 2
    if years is not None and (seen.plain or seen.end is not None) and years >= 0:
        made["age_years"] = years
    if seen.days is not None:
        made["age_days"] = seen.days
    made |= {name: at for name, at in (("time", seen.time), ("end_time", seen.until)) if at}
    if not seen.time and (not seen.plain or years is None or years < 0):
        made["x_age"] = seen.stated
    return made


def _outcome(vital: Any, born: datetime | None) -> dict[str, Any]:
    if vital is None:
        return {}
    if type(vital) is not dict:
        raise BadPartError("the vital status of the subject is no object")
    made: dict[str, Any] = {}
    status = vital.get("status")
    if type(status) is str and status in _VITAL:
        made["outcome"] = _VITAL[status]
    if "timeOfDeath" in vital:
        died = when(vital["timeOfDeath"], born)
        made |= {"outcome_time": died.time} if died.time else {"x_death": died.stated}
    return made


def _publication(meta: Mapping[str, Any], counts: Counter[str]) -> str | None:
    """The publication of a packet: its first PMID, else its first DOI, else the first reference."""
    references = meta.get("externalReferences")
    if type(references) is not list:
        return None
    named = [one["id"] for one in references if type(one) is dict and type(one.get("id")) is str and one["id"]]
    if len(named) == 1:
        return text_of(named[0], "the id of a reference")
    counts["several_publications"] += sum(n.upper().startswith("PMID:") for n in named) > 1
    for prefix in ("PMID:", "DOI:", ""):
        for one in named:
            if one.upper().startswith(prefix):
                return text_of(one, "the id of a reference")
    return None


def _disease_onset(onset: When) -> dict[str, Any]:
    made: dict[str, Any] = {} if onset.years is None else {"x_disease_onset_age_years": onset.years}
    return made if onset.plain else made | {"x_disease_onset": onset.stated}
