"""The clinician's side: what was shown, what the reviewer thought before and after, and what that may be used for.

A `worklist` puts many cases in the order in which to read them. A `ReviewLog` keeps answers so that none is lost and
none is changed unnoticed; `ReviewAgreement` compares reviewers with the model and with each other. A click after seeing
the list is no truth: it becomes a label to learn from only where a test or the follow-up confirmed it. `write_packet`
sends one case, de-identified, to a remote expert; the answer comes back as a file that `ReviewLog.merge` takes.
"""

from diagnosis.review.agreement import ReviewAgreement
from diagnosis.review.answer import BASES, CONFIRMING, Review, Verdict
from diagnosis.review.chain import ChainCheck
from diagnosis.review.deidentify import deidentified
from diagnosis.review.log import ReviewLog
from diagnosis.review.packet import Packet, write_packet
from diagnosis.review.panel import ReviewPanel, review_panel
from diagnosis.review.worklists import Worklist, worklist

__all__ = [
    "BASES",
    "CONFIRMING",
    "ChainCheck",
    "Packet",
    "Review",
    "ReviewAgreement",
    "ReviewLog",
    "ReviewPanel",
    "Verdict",
    "Worklist",
    "deidentified",
    "review_panel",
    "worklist",
    "write_packet",
]
