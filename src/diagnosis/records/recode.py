"""Codes that a newer release of their vocabulary has replaced, brought up to date and counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.records.checks import contradictions
from diagnosis.vocabulary import Vocabulary

if TYPE_CHECKING:
    from diagnosis.records.records import Records

__all__ = ["Recoded", "recode"]


@dataclass(frozen=True, slots=True)
class Recoded:
    """Records with current codes, and how many findings that concerned.

    Parameters
    ----------
    records : Records
    n_replaced : int
        Findings whose code was replaced.
    n_obsolete : int
        Findings with a retired code that nothing replaces; kept as they were.
    n_contradictory : int
        Findings that would be present and absent at one instant under their new code; kept as they were.
    """

    records: Records
    n_replaced: int
    n_obsolete: int
    n_contradictory: int


def recode(records: Records, words: Vocabulary) -> Recoded:
    """Replace the retired codes of findings by the ones that stand for them in `words`.

    State, value and every other column stay; codes that `words` does not know stay, and so do the records' own
    vocabulary, the codes of diagnoses and of modifiers. No row is lost, and no contradiction is made.

    Parameters
    ----------
    records : Records
    words : Vocabulary
        As read from the newer release.

    Examples
    --------
    >>> from diagnosis.records import Case, Finding, Records
    >>> words = Vocabulary.from_rows([{"code": "HP:0012735"}]).joined(Vocabulary(retired={"HP:0001": "HP:0012735"}))
    >>> done = recode(Records.from_cases([Case([Finding("HP:0001")])]), words)
    >>> done.records.frame("findings")["code"].tolist(), done.n_replaced
    (['HP:0012735'], 1)
    """
    findings = records._tables["findings"]
    column = findings["code"].combine_chunks()
    old = column.dictionary.to_pylist()
    retired = np.array([code in words.retired for code in old], bool)
    new = [words.current(code) or code for code in old]
    changes = np.array([a != b for a, b in zip(old, new, strict=True)], bool)
    index = np.asarray(column.indices)
    changed = changes[index]
    clash = np.zeros(len(index), bool)
    if changed.any():
        proposed = _with_codes(findings, [*old, *new], np.where(changed, index + len(old), index))
        for fault in contradictions(proposed, records._case, {}):
            clash[fault.rows] = True
        clash &= changed
        changed &= ~clash
    obsolete = int((retired & ~changes)[index].sum())
    if changed.any():
        findings = _with_codes(findings, [*old, *new], np.where(changed, index + len(old), index))
        records = records._with({**records._tables, "findings": findings}, records._case)
    return Recoded(records, int(changed.sum()), obsolete, int(clash.sum()))


def _with_codes(findings: pa.Table, codes: list[str], index: npt.NDArray[np.integer[Any]]) -> pa.Table:
    """The table with other codes, in a dictionary that holds each code once and none that no row uses."""
    distinct = pc.dictionary_encode(pa.array(codes, pa.string()).take(pa.array(index)))
    column = distinct.cast(pa.dictionary(pa.int32(), pa.string()))
    return findings.set_column(findings.column_names.index("code"), "code", column)
