"""Format 1 of a set of records: every table, every column, what each may hold."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from diagnosis.records.layout import DIFFERENTIAL, Column, TableFormat

__all__ = ["DIFFERENTIAL", "FORMAT", "INTERPRETATIONS", "PHASES", "STATES", "TABLES", "Column", "TableFormat"]

FORMAT = 1

#: The recorded states, in the order of their integer codes. What has no row is *unrecorded*.
STATES = ("present", "absent", "uncertain")
#: The clock where there are no times, in order.
PHASES = (
    "chief_complaint",
    "history",
    "examination",
    "bedside",
    "laboratory",
    "imaging",
    "pathology",
    "follow_up",
)
INTERPRETATIONS = ("L", "LL", "H", "HH", "N", "A", "POS", "NEG")


def _text(*names: str) -> list[Column]:
    return [Column(n) for n in names]


def _choice(name: str, *choices: str, required: bool = False) -> Column:
    return Column(name, "choice", choices, required=required)


def _number(name: str, low: float | None = None, high: float | None = None) -> Column:
    return Column(name, "number", low=low, high=high)


_CASE_ID = Column("case_id", required=True)

# The oldest verified human age is 122 years (Jeanne Calment); 130 leaves room and still catches 999. Gestation and
# birth weight: the extremes of recorded live births (about 21 weeks, 0.2 kg, 10 kg) with room on either side.
_CASES = [
    _CASE_ID,
    Column("patient_id"),
    _number("age_years", 0, 130),
    _number("age_days", 0, 130 * 366),
    _number("gestational_age_weeks", 18, 46),
    _number("birth_weight_g", 150, 11_000),
    _choice("sex", "female", "male", "other", "unknown"),
    _choice("pregnant", "yes", "no", "unknown"),
    _number("pregnancy_weeks", 0, 46),
    Column("site", "code"),
    _choice("setting", "emergency", "outpatient", "inpatient", "icu", "telemedicine", "community"),
    Column("department", "code"),
    _choice("visit", "first", "follow_up", "unknown"),
    _choice("informant", "self", "guardian", "other"),
    Column("time", "time"),
    Column("index_time", "time"),
    Column("end_time", "time"),
    _number("weight", 0),
    Column("group", "code"),
    Column("diagnosis", "code"),
    Column("differential", "differential"),
    Column("triage_scheme", "code"),
    Column("triage_level", "code"),
    Column("disposition", "code"),
    Column("outcome", "code"),
    Column("outcome_time", "time"),
]

_FINDINGS = [
    _CASE_ID,
    Column("code", "code", required=True),
    _choice("status", *STATES, required=True),
    _number("value"),
    _choice("comparator", "<", "<=", ">=", ">"),
    Column("unit", "code"),
    Column("text", "code"),
    Column("time", "time"),
    Column("known", "time"),
    _number("onset_days"),
    _number("onset_age_years", -1.0, 130),
    _number("duration_days", 0),
    _choice("phase", *PHASES),
    _choice("elicited", "volunteered", "asked", "measured", "derived"),
    _choice("reporter", "patient", "guardian", "nurse", "doctor", "device", "laboratory", "algorithm"),
    _choice("subject", "patient", "family", "mother", "fetus", "contact"),
    _choice("severity", "mild", "moderate", "severe", "profound"),
    Column("laterality", "code"),
    Column("body_site", "code"),
    Column("modifiers", "code"),
    _number("ref_low"),
    _number("ref_high"),
    _choice("interpretation", *INTERPRETATIONS),
    Column("specimen", "code"),
    _number("confidence", 0, 1),
    Column("note_id"),
    Column("start", "integer", low=0),
    Column("end", "integer", low=0),
]

_ROLES = ("principal", "secondary", "complication", "comorbidity", "admission", "referral", "differential", "reviewer")
_BASES = (
    "clinical",
    "laboratory",
    "microbiology",
    "imaging",
    "pathology",
    "genetic",
    "treatment_response",
    "follow_up",
    "consensus",
    "administrative",
)
_LABELS = [
    _CASE_ID,
    Column("diagnosis", "code", required=True),
    _choice("role", *_ROLES),
    _choice("status", "confirmed", "provisional", "differential", "ruled_out"),
    Column("rank", "integer", low=1),
    _number("probability", 0, 1),
    Column("time", "time"),
    _choice("basis", *_BASES),
    Column("recorder_role", "code"),
    Column("present_on_arrival", "flag"),
    _choice("saw_model", "yes", "no", "unknown"),
]

_KINDS = (
    "symptom",
    "sign",
    "vital",
    "laboratory",
    "microbiology",
    "imaging",
    "pathology",
    "genetic",
    "history",
    "family_history",
    "social",
    "exposure",
    "medication",
)
_VOCABULARY = [
    Column("code", required=True),
    *_text("system", "name", "name_zh", "synonyms", "synonyms_zh"),
    _choice("kind", *_KINDS),
    _choice("phase", *PHASES),
    *_text("parents", "body_system", "unit", "question", "question_zh"),
    Column("askable", "flag"),
    Column("invasive", "flag"),
    _number("cost", 0),
    *_text("hpo", "loinc"),
]
_DIAGNOSES = [
    Column("code", required=True),
    *_text("system", "name", "name_zh", "synonyms", "synonyms_zh", "icd10", "parents"),
    Column("severity", "integer", low=1, high=5),
    Column("must_not_miss", "flag"),
    _number("flag_at", 0, 1),
    Column("department"),
    _choice("sex", "female", "male", "other", "unknown"),
    _number("age_min_days", 0),
    _number("age_max_days", 0),
]

_ACUITY = [_CASE_ID, *_text("scheme", "level"), Column("time", "time"), Column("rater_role")]
_ACTIONS = [
    _CASE_ID,
    *_text("action_id", "kind", "code", "status"),
    Column("time", "time"),
    Column("known", "time"),
    _number("dose"),
    *_text("unit", "route", "reason"),
]
_NOTES = [
    _CASE_ID,
    *_text("note_id", "kind"),
    Column("time", "time"),
    Column("known", "time"),
    *_text("author_role", "lang", "text"),
]
_KNOWLEDGE = [
    Column("diagnosis", required=True),
    Column("code", required=True),
    _number("p_present", 0, 1),
    _number("n", 0),
    _number("n_total", 0),
    _number("p_otherwise", 0, 1),
    *_text("source", "citation"),
]
_RED_FLAGS = [*_text("code", "when", "says", "says_zh", "diagnosis", "source")]
_SITES = [
    Column("site", required=True),
    *_text("name", "name_zh", "tier", "region"),
    _number("altitude_m", -430, 8_850),
    Column("timezone"),
]


def _table(name: str, columns: list[Column], *, required: bool = False, languages: bool = False) -> TableFormat:
    by_name = MappingProxyType({c.name: c for c in columns})
    return TableFormat(name, by_name, required, "case_id" in by_name, languages)


#: Every table of format 1 by name.
TABLES: Mapping[str, TableFormat] = MappingProxyType(
    {
        t.name: t
        for t in (
            _table("cases", _CASES, required=True),
            _table("findings", _FINDINGS, required=True),
            _table("labels", _LABELS),
            _table("vocabulary", _VOCABULARY, languages=True),
            _table("diagnoses", _DIAGNOSES, languages=True),
            _table("acuity", _ACUITY),
            _table("actions", _ACTIONS),
            _table("notes", _NOTES),
            _table("knowledge", _KNOWLEDGE),
            _table("red_flags", _RED_FLAGS),
            _table("sites", _SITES),
        )
    }
)
