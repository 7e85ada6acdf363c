"""Ontology classes: their codes, what they are called, and the few whose meaning the format has a column for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from diagnosis.readers.phenopackets.times import BadPartError, text_of
from diagnosis.vocabulary import is_unit

__all__ = ["LATERALITIES", "NOT_PHENOTYPES", "RESULTS", "SEVERITIES", "Words", "class_of", "unit_of"]

#: Severity of the Human Phenotype Ontology (HP:0012824); Borderline (HP:0012827) has no counterpart in the format.
SEVERITIES: Mapping[str, str] = MappingProxyType(
    {"HP:0012825": "mild", "HP:0012826": "moderate", "HP:0012828": "severe", "HP:0012829": "profound"}
)
#: Laterality (HP:0012831).
LATERALITIES: Mapping[str, str] = MappingProxyType(
    {"HP:0012835": "left", "HP:0012834": "right", "HP:0012832": "bilateral", "HP:0012833": "unilateral"}
)
#: Results that are a yes or a no: state and interpretation.
RESULTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("NCIT:C25246", "SNOMED:10828004", "LOINC:LA6576-8"), ("present", "POS")),
        **dict.fromkeys(("NCIT:C38757", "SNOMED:260385009", "LOINC:LA6577-6"), ("absent", "NEG")),
    }
)
#: Systems of diseases and of genes: what they name is never a finding.
NOT_PHENOTYPES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                *("OMIM", "OMIMPS", "MIM", "ORPHA", "ORPHANET", "ORDO", "MONDO", "DOID", "DECIPHER", "GARD", "UMLS"),
                *("ICD9", "ICD9CM", "ICD10", "ICD10CM", "ICD11", "NORD"),
            ),
            "disease",
        ),
        **dict.fromkeys(("HGNC", "NCBIGENE", "ENSEMBL", "ENTREZ", "GENO", "CLINVAR"), "gene"),
    }
)


class Words:
    """What codes are called: each keeps the label it came with most often; the others are synonyms.

    Parameters
    ----------
    seen : dict of (str, str) to int, optional
        How often each code was met with each label.
    """

    def __init__(self, seen: dict[tuple[str, str], int] | None = None) -> None:
        self.seen = seen or {}

    def met(self, code: str, label: str) -> None:
        """Count a code with its label."""
        pair = code, label
        self.seen[pair] = self.seen.get(pair, 0) + 1

    def rows(self, codes: Iterable[str]) -> Iterator[dict[str, str]]:
        """Rows of a vocabulary for these codes."""
        labels: dict[str, Counter[str]] = {code: Counter() for code in codes}
        for (code, label), n in self.seen.items():
            if code in labels and label:
                labels[code][label] += n
        for code, counted in labels.items():
            names = [name for name, _ in counted.most_common()]
            system, colon, _ = code.partition(":")
            row = {"code": code, "system": system if colon else "", "name": names[0] if names else ""}
            yield row | {"synonyms": "|".join(n for n in names[1:] if "|" not in n)}

    def table(self, codes: Iterable[str]) -> pa.Table | None:
        """A table of the vocabulary for these codes, without empty columns; None for no codes."""
        rows = list(self.rows(codes))
        columns = {name: [row[name] or None for row in rows] for name in ("code", "system", "name", "synonyms")}
        filled = {name: pa.array(values, pa.string()) for name, values in columns.items() if any(values)}
        return pa.table(filled) if rows else None


def class_of(value: Any, what: str) -> tuple[str, str]:
    """Code and label of an `OntologyClass`; a missing label is empty.

    Raises
    ------
    BadPartError
        It is no object, has no id, or its id or label is no text.
    """
    if type(value) is not dict or "id" not in value:
        raise BadPartError(f"{what} has no id")
    label = value.get("label", "")
    return text_of(value["id"], f"the id of {what}"), label if label == "" else text_of(label, f"the label of {what}")


def unit_of(value: Any) -> str | None:
    """The UCUM unit that an `OntologyClass` names: its id without ``UCUM:``, its label where that is one, else its id.

    Raises
    ------
    BadPartError
        It is not an ontology class.
    """
    if value is None:
        return None
    code, label = class_of(value, "a unit")
    if code.upper().startswith("UCUM:"):
        return code[5:] or None
    return label if label and is_unit(label) else code
