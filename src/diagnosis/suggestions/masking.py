"""Copies of training cases with a part of their findings taken away, so that a model learns what a blank means.

Where every training case answers every question, nothing says what becomes of a probability when an answer is missing:
a model fitted on such cases alone is as sure after one answer as after two hundred, and often wrong. The copies have
the diagnosis of the whole case and a random part of what it records.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import sparse

from diagnosis.features import FindingEncoder
from diagnosis.records import Records
from diagnosis.records.arrays import distinct

__all__ = [
    "MASKING",
    "Masking",
    "WithCopies",
    "interviewed",
    "share_always_recorded",
    "thinned",
    "wants_copies",
    "with_copies",
]

Masking = Literal["auto", "on", "interview", "off"]
MASKING: tuple[Masking, ...] = get_args(Masking)

#: A finding that so many of the training cases record is asked of everyone; where such findings make up so much of what
#: is recorded, blanks are unknown to the model. DDXPlus has .95 to .98; of five other sets the fullest, a form of 17
#: questions, .91 and the rest .54 and less.
_EVERYONE, _NEARLY_ALL = 0.99, 0.93
#: Copies of a case, each with another part taken away, and of all cases at most: what blanks mean takes no more of them
#: for a larger file.
_COPIES, _MOST_COPIES = 3, 50_000


def wants_copies(masking: Masking, records: Records) -> bool:
    """Whether masked copies are learned from: if asked for, or by themselves where blanks are unknown."""
    return masking in ("on", "interview") or (masking == "auto" and share_always_recorded(records) >= _NEARLY_ALL)


def share_always_recorded(records: Records) -> float:
    """Return the share of what cases record that 99 in 100 of them record, a finding counted once a case; 0 to 1."""
    coded = records.coded
    if not len(coded):
        return 0.0
    pairs = distinct(coded.case.astype(np.int64) * len(coded.codes) + coded.code)
    n_having = np.bincount(pairs % len(coded.codes), minlength=len(coded.codes))
    by_everyone = n_having >= _EVERYONE * len(records)
    return float(n_having[by_everyone].sum() / n_having.sum())


def thinned(records: Records, seed: int) -> Records:
    """Take a part of each case's findings away: a case keeps each row with a chance drawn for it, from 0 to 1."""
    rng = np.random.default_rng(seed)
    kept = rng.random(len(records))
    coded = records.coded
    return records.without(rng.random(len(coded)) >= kept[coded.case])


@dataclass(frozen=True, slots=True, eq=False)
class WithCopies:
    """Encoded cases, and masked copies under them.

    Attributes
    ----------
    X : csr_matrix of shape (n_rows, n_columns)
    case : ndarray of int64, shape (n_rows,)
        Which case each row is, or is a copy of; the cases themselves come first, in order.
    weight : ndarray of float64, shape (n_rows,)
        1 for a case; the copies together weigh no more than the cases.
    """

    X: sparse.csr_matrix
    case: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float64]


def interviewed(records: Records, seed: int) -> Records:
    """Leave of each case what is known somewhere in an interview: the first complaint, and some whole questions.

    Findings that the vocabulary asks for in the same words go together. In every second case each number of questions
    asked so far is as likely as any other, in the others each order of magnitude: few answers are as common as many.
    """
    rng, coded, words = np.random.default_rng(seed), records.coded, records.vocabulary
    asked: dict[str, int] = {}
    number = np.array(
        [asked.setdefault(words.question(str(c)) or f" {c}", len(asked)) for c in coded.codes], dtype=np.int64
    )
    question = coded.case.astype(np.int64) * max(len(asked), 1) + number[coded.code]
    whole, of_row = np.unique(question, return_inverse=True)
    case = whole // max(len(asked), 1)
    n_questions = np.maximum(np.bincount(case, minlength=len(records)), 1)
    few = n_questions ** (rng.random(len(records)) - 1.0)
    kept = np.where(rng.random(len(records)) < 0.5, rng.random(len(records)), few)
    known = rng.random(len(whole)) < kept[case]
    known[of_row[_complaints(records)]] = True
    return records.without(~known[of_row])


def _complaints(records: Records) -> npt.NDArray[np.bool_]:
    """Which rows a case begins with."""
    findings = records.arrow("findings")
    found = np.zeros(findings.num_rows, bool)
    for name, said in (("phase", "chief_complaint"), ("elicited", "volunteered")):
        if name in findings.column_names:
            found |= np.array(findings.column(name).to_pylist(), dtype=object) == said
    return found


def with_copies(
    X: sparse.csr_matrix,
    records: Records,
    rows: npt.NDArray[np.intp],
    encoder: FindingEncoder,
    seed: int,
    masking: Masking = "on",
) -> WithCopies:
    """Put masked copies under encoded cases.

    Parameters
    ----------
    X : csr_matrix of shape (n_cases, n_columns)
    records : Records
        The cases behind `X`, perhaps among others.
    rows : ndarray of int, shape (n_cases,)
        Where they stand in `records`.
    encoder : FindingEncoder
        Fitted on the whole cases.
    seed : int
        Decides which cases are copied, where there are many, and what is taken away.
    masking : {"on", "interview"}
        Whether findings are taken away one by one, or as an interview leaves them.
    """
    n, part = X.shape[0], interviewed if masking == "interview" else thinned
    blocks, case = [X], [np.arange(n)]
    for turn, picked in enumerate(_picked(n, seed)):
        if encoder.windows:  # where earlier encounters are summed up, a case means little without them
            copies = encoder.transform(part(records, seed + turn))[rows[picked]]
        else:
            copies = encoder.transform(part(records[rows[picked]], seed + turn))
        blocks.append(copies)
        case.append(picked)
    both = np.concatenate(case)
    weight = np.ones(len(both))
    weight[n:] = min(1.0, n / max(len(both) - n, 1))
    return WithCopies(sparse.vstack(blocks, format="csr"), both, weight)


def _picked(n: int, seed: int) -> list[npt.NDArray[np.int64]]:
    """Which cases are copied in each turn."""
    each = min(n, _MOST_COPIES)
    rng = np.random.default_rng(seed)
    turns = min(_COPIES, max(1, _MOST_COPIES // each))
    return [np.sort(rng.choice(n, each, replace=False)) for _ in range(turns)]
