"""Plain values -> HTML, SVG and plots: templates, style, translations. This room knows no record and no model.

A caller fills a `CasePage` with plain values and gets one file, or one fragment for a notebook, that needs no script
and no network. Every value is escaped; every sentence is built from lines of evidence by `diagnosis.pages.words`.
"""

from diagnosis.pages.case import render_case
from diagnosis.pages.observations import LineView, RecordedFinding, Sides, sides
from diagnosis.pages.report import ReportFigure, ReportPage, ReportSection, ReportTable, render_report
from diagnosis.pages.reveal import Reveal, check_reveal, without_list
from diagnosis.pages.review import SummaryRow, render_review
from diagnosis.pages.tables import html_table
from diagnosis.pages.values import (
    CasePage,
    ContrastView,
    FlagView,
    ModelView,
    NotUsed,
    QuestionView,
    RecordView,
    SuggestionView,
)
from diagnosis.pages.worklist import WorklistRow, render_worklist

__all__ = [
    "CasePage",
    "ContrastView",
    "FlagView",
    "LineView",
    "ModelView",
    "NotUsed",
    "QuestionView",
    "RecordView",
    "RecordedFinding",
    "ReportFigure",
    "ReportPage",
    "ReportSection",
    "ReportTable",
    "Reveal",
    "Sides",
    "SuggestionView",
    "SummaryRow",
    "WorklistRow",
    "check_reveal",
    "html_table",
    "render_case",
    "render_report",
    "render_review",
    "render_worklist",
    "sides",
    "without_list",
]
