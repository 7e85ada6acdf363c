"""AI-assisted diagnosis: learn from doctors' past cases, answer a new one with a ranked, calibrated, explained list.

Five nouns: `Records`, `FindingEncoder`, `Diagnoser`, `Differential`, `Evidence`. Names are loaded when they are first
used, so that importing this package costs next to nothing.

Examples
--------
>>> import diagnosis as dx
>>> records = dx.load_sample()
>>> train, test = dx.split(records, by="patient", test_size=0.25, seed=0)
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diagnosis.errors import (
        BundleError,
        ConfigError,
        DiagnosisError,
        DiagnosisWarning,
        InputError,
        RecordsError,
        UnknownCodeError,
        UnknownNameError,
        WorkError,
    )
    from diagnosis.evaluation import (
        Comparison,
        CrossEvaluation,
        Evaluation,
        EvaluationReport,
        Flow,
        OpenWorld,
        Shift,
        ShiftEffects,
        SiteMatrix,
        Stage,
        Stages,
        Verification,
        compare,
        compare_records,
        cross_evaluate,
        evaluate,
        evaluate_stages,
        evaluate_verified,
        find_suspicions,
        label_agreement,
        open_world,
        participant_flow,
        report,
        sample_size,
        shift_effects,
        site_matrix,
    )
    from diagnosis.explanation import Contrast, Evidence, GlobalEvidence
    from diagnosis.features import FindingEncoder, Shards, open_shards
    from diagnosis.models import BoostedModel, HybridModel, LinearModel
    from diagnosis.readers import (
        MedsCodes,
        RecordsFolder,
        open_records,
        read_ddxplus,
        read_fhir,
        read_meds,
        read_phenopackets,
        read_records,
        sample_ddxplus,
        write_meds,
        write_phenopackets,
        write_records,
    )
    from diagnosis.records import OTHER, Case, Finding, Records, split
    from diagnosis.review import ReviewLog, Worklist, review_panel, worklist, write_packet
    from diagnosis.sample import load_sample, make_cohort
    from diagnosis.suggestions import Diagnoser, Differential, Flag, Suggestion, global_evidence, simulate_workup
    from diagnosis.tracking import load_diagnoser
    from diagnosis.training import TrainingResult, train
    from diagnosis.vocabulary import Vocabulary, read_vocabulary, reference_range

#: Where each public name lives.
_HOMES = {
    **dict.fromkeys(
        (
            *("BundleError", "ConfigError", "DiagnosisError", "DiagnosisWarning", "InputError", "RecordsError"),
            *("UnknownCodeError", "UnknownNameError", "WorkError"),
        ),
        "errors",
    ),
    **dict.fromkeys(
        (
            "Comparison",
            "CrossEvaluation",
            "Evaluation",
            "EvaluationReport",
            "Flow",
            "OpenWorld",
            "Shift",
            "ShiftEffects",
            "SiteMatrix",
            "Stage",
            "Stages",
            "Verification",
            "compare",
            "compare_records",
            "cross_evaluate",
            "evaluate",
            "evaluate_stages",
            "evaluate_verified",
            "find_suspicions",
            "label_agreement",
            "open_world",
            "participant_flow",
            "report",
            "sample_size",
            "shift_effects",
            "site_matrix",
        ),
        "evaluation",
    ),
    **dict.fromkeys(("Contrast", "Evidence", "GlobalEvidence"), "explanation"),
    **dict.fromkeys(("FindingEncoder", "Shards", "open_shards"), "features"),
    **dict.fromkeys(("BoostedModel", "HybridModel", "LinearModel"), "models"),
    **dict.fromkeys(
        (
            *("MedsCodes", "RecordsFolder", "open_records"),
            *("read_ddxplus", "read_fhir", "read_meds", "read_phenopackets", "read_records"),
            *("sample_ddxplus", "write_meds", "write_phenopackets", "write_records"),
        ),
        "readers",
    ),
    **dict.fromkeys(("OTHER", "Case", "Finding", "Records", "split"), "records"),
    **dict.fromkeys(("ReviewLog", "Worklist", "review_panel", "worklist", "write_packet"), "review"),
    **dict.fromkeys(("load_sample", "make_cohort"), "sample"),
    **dict.fromkeys(
        ("Diagnoser", "Differential", "Flag", "Suggestion", "global_evidence", "simulate_workup"), "suggestions"
    ),
    "load_diagnoser": "tracking",
    **dict.fromkeys(("TrainingResult", "train"), "training"),
    **dict.fromkeys(("Vocabulary", "read_vocabulary", "reference_range"), "vocabulary"),
}

__all__ = [
    "OTHER",
    "BoostedModel",
    "BundleError",
    "Case",
    "Comparison",
    "ConfigError",
    "Contrast",
    "CrossEvaluation",
    "Diagnoser",
    "DiagnosisError",
    "DiagnosisWarning",
    "Differential",
    "Evaluation",
    "EvaluationReport",
    "Evidence",
    "Finding",
    "FindingEncoder",
    "Flag",
    "Flow",
    "GlobalEvidence",
    "HybridModel",
    "InputError",
    "LinearModel",
    "MedsCodes",
    "OpenWorld",
    "Records",
    "RecordsError",
    "RecordsFolder",
    "ReviewLog",
    "Shards",
    "Shift",
    "ShiftEffects",
    "SiteMatrix",
    "Stage",
    "Stages",
    "Suggestion",
    "TrainingResult",
    "UnknownCodeError",
    "UnknownNameError",
    "Verification",
    "Vocabulary",
    "WorkError",
    "Worklist",
    "compare",
    "compare_records",
    "cross_evaluate",
    "evaluate",
    "evaluate_stages",
    "evaluate_verified",
    "find_suspicions",
    "global_evidence",
    "label_agreement",
    "load_diagnoser",
    "load_sample",
    "make_cohort",
    "open_records",
    "open_shards",
    "open_world",
    "participant_flow",
    "read_ddxplus",
    "read_fhir",
    "read_meds",
    "read_phenopackets",
    "read_records",
    "read_vocabulary",
    "reference_range",
    "report",
    "review_panel",
    "sample_ddxplus",
    "sample_size",
    "shift_effects",
    "simulate_workup",
    "site_matrix",
    "split",
    "train",
    "worklist",
    "write_meds",
    "write_packet",
    "write_phenopackets",
    "write_records",
]

try:
    __version__ = _version("diagnosis")
except PackageNotFoundError:  # run from a source tree that is not installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'diagnosis' has no attribute {name!r}")
    value = getattr(import_module(f"diagnosis.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
