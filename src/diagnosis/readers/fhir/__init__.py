"""FHIR R4, in and out: bundles and bulk exports to Records, a differential to a RiskAssessment.

Public names: `read_fhir` and `risk_assessment`. On the way in, `json_files` and `json_values`, which other readers
share, give one JSON value after another, `intake` hands each resource to the reader of its type, those write rows, and
`tables` gives every row its case.
"""

from diagnosis.readers.fhir.out import risk_assessment
from diagnosis.readers.fhir.read import read_fhir

__all__ = ["read_fhir", "risk_assessment"]
