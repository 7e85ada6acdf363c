"""FHIR R4, in and out: bundles and bulk exports to Records, a differential to a RiskAssessment, a case to a Bundle.

Public names: `read_fhir`, `risk_assessment` and `case_bundle`. On the way in, `json_files` and `json_values`, which
other readers share, give one JSON value after another, `intake` hands each resource to the reader of its type, those
write rows, and `tables` gives every row its case.
"""

from diagnosis.readers.fhir.bundle import case_bundle
from diagnosis.readers.fhir.out import risk_assessment
from diagnosis.readers.fhir.read import read_fhir

__all__ = ["case_bundle", "read_fhir", "risk_assessment"]
