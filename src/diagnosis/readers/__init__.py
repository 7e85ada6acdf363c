"""Formats that records come in and go out as: one file a format.

Public names: `read_records` (any known format by name), `open_records` and `RecordsFolder` (Parquet of any size, a
batch of cases at a time), `read_fhir` (FHIR R4, with its own options), `read_ddxplus` and `sample_ddxplus` (DDXPlus,
and patients drawn from its tables), `read_phenopackets` and `write_phenopackets` (GA4GH phenopackets, version 2),
`read_meds`, `write_meds` and `MedsCodes` (MEDS, and which of its codes mean what), `write_records` (the tables of
format 1), `formats` (the names of those that are installed; other packages add theirs through the entry-point group
``diagnosis.readers``).
"""

from diagnosis.readers.ddxplus import read_ddxplus, sample_ddxplus
from diagnosis.readers.fhir import read_fhir
from diagnosis.readers.meds import MedsCodes, read_meds, write_meds
from diagnosis.readers.phenopackets import read_phenopackets, write_phenopackets
from diagnosis.readers.records_folder import RecordsFolder, open_records
from diagnosis.readers.registry import formats, read_records
from diagnosis.readers.tables import read_tables, write_records

__all__ = [
    "MedsCodes",
    "RecordsFolder",
    "formats",
    "open_records",
    "read_ddxplus",
    "read_fhir",
    "read_meds",
    "read_phenopackets",
    "read_records",
    "read_tables",
    "sample_ddxplus",
    "write_meds",
    "write_phenopackets",
    "write_records",
]
