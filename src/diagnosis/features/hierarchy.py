"""What a finding says of broader and narrower ones: *present* holds for its ancestors, *absent* for its descendants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from diagnosis.errors import InputError
from diagnosis.features.rows import ABSENT, PRESENT, FindingRows, pair_names
from diagnosis.records.arrays import among

if TYPE_CHECKING:
    from diagnosis.vocabulary import Vocabulary

Finding = tuple[str, str | None]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Hierarchy:
    """Which codes are broader than which.

    Attributes
    ----------
    parents : mapping of str to tuple of str
        One level up, sorted; only codes that the vocabulary has, without links that close a loop.
    n_cut : int
        Links left out because they close a loop.
    position : mapping of str to int
        Place of each code in `codes`.
    codes : tuple of str
    above : csr_matrix of bool, shape (n_codes, n_codes)
        Row to all its ancestors.
    """

    parents: Mapping[str, tuple[str, ...]]
    n_cut: int
    position: Mapping[str, int]
    codes: tuple[str, ...]
    above: csr_matrix

    @classmethod
    def of(cls, parents: Mapping[str, Sequence[str]]) -> Hierarchy:
        """Build from links to parents. A parent without a row of its own is left out.

        Where codes are each other's ancestors, every link among them is left out: none of them is broader.
        """
        codes = tuple(sorted(parents))
        position = {code: i for i, code in enumerate(codes)}
        links = [(i, position[p]) for i, code in enumerate(codes) for p in sorted(set(parents[code])) if p in position]
        child, parent = np.array(links, np.int64).reshape(-1, 2).T
        loop = connected_components(_links(child, parent, len(codes)), directed=True, connection="strong")[1]
        kept = loop[child] != loop[parent] if len(links) else np.zeros(0, bool)
        clean: dict[str, list[str]] = {}
        for i, p in zip(child[kept].tolist(), parent[kept].tolist(), strict=True):
            clean.setdefault(codes[i], []).append(codes[p])
        above = _closure(_links(child[kept], parent[kept], len(codes)))
        n_cut = int(len(links) - kept.sum())
        return cls({code: tuple(found) for code, found in clean.items()}, n_cut, position, codes, above)

    @classmethod
    def of_vocabulary(cls, words: Vocabulary) -> Hierarchy:
        """Take the parents of findings from a vocabulary.

        Raises
        ------
        InputError
            No finding in it has a parent there.
        """
        made = cls.of({code: term.parents for code, term in words.findings.items()})
        if not made.parents:
            raise InputError(
                "hierarchy=True needs `parents` in the vocabulary of the records.",
                f"None of the {len(words.findings):,} findings there has a parent there.",
                "Give a vocabulary with parents (an ontology file has them), or leave hierarchy out.",
            )
        return made

    def ancestors(self, code: str) -> list[str]:
        """Codes of all broader findings, sorted; none for a code that is not known."""
        i = self.position.get(code)
        if i is None:
            return []
        return [self.codes[j] for j in self.above.indices[self.above.indptr[i] : self.above.indptr[i + 1]]]

    def to_json(self) -> dict[str, Any]:
        """Return plain values from which `from_json` builds the same."""
        return {"parents": {code: list(found) for code, found in self.parents.items()}, "n_cut": self.n_cut}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Hierarchy:
        """Build from the plain values of `to_json`."""
        parents = {str(code): tuple(found) for code, found in plain["parents"].items()}
        made = cls.of({p: () for found in parents.values() for p in found} | parents)
        return cls(made.parents, int(plain["n_cut"]), made.position, made.codes, made.above)


def _links(child: Numbers, parent: Numbers, n: int) -> csr_matrix:
    return csr_matrix((np.ones(len(child), np.int32), (child, parent)), shape=(n, n))


def _closure(links: csr_matrix) -> csr_matrix:
    """All that is reached over one link or more; the paths double with every round."""
    reached = links
    while True:
        further = csr_matrix(reached + reached @ reached)
        further.data[:] = 1
        if further.nnz == reached.nnz:
            further.sort_indices()
            return further
        reached = further


@dataclass(frozen=True, slots=True, eq=False)
class Inherited:
    """What rows say of findings that their case does not record.

    Attributes
    ----------
    row : ndarray of int64
        The row that says it; several may say the same.
    finding : ndarray of int64
        Of which finding.
    status : ndarray of int8
        `PRESENT` or `ABSENT`.
    """

    row: Numbers
    finding: Numbers
    status: NDArray[np.int8]

    def cells(self, case: NDArray[np.int32], n_findings: int, status: int) -> tuple[Numbers, Numbers]:
        """Return case and finding of everything that is said to be of one status, each once."""
        at = np.flatnonzero(self.status == status)
        # Plain sorting: numpy's own search for distinct numbers takes several times as long.
        every = np.sort(case[self.row[at]].astype(np.int64) * n_findings + self.finding[at])
        once = every[np.diff(every, prepend=-1) != 0]
        return once // n_findings, once % n_findings


def inherit(
    batch: FindingRows,
    recorded: NDArray[np.int32],
    n_findings: Callable[[], int],
    broader: Callable[[Finding], list[int]],
    narrower: Callable[[Finding], list[int]],
) -> Inherited:
    """Spread *present* to broader findings and *absent* to narrower ones that the case does not record.

    A row with a value says nothing of its ancestors: it was measured, too high or not. Where one finding of a case
    implies *present* and another *absent*, *present* stands, for it is the more specific observation.

    Parameters
    ----------
    batch : FindingRows
    recorded : ndarray of int32, shape (n_rows,)
        Number of each row's own finding; -1 where it has none.
    n_findings : callable
        How many numbers there are, asked after `broader` and `narrower`.
    broader, narrower : callable
        Numbers of the findings above and below one, asked once for each distinct one.
    """
    up = _said(batch, np.flatnonzero((batch.status == PRESENT) & np.isnan(batch.value)), broader)
    down = _said(batch, np.flatnonzero(batch.status == ABSENT), narrower)
    n = max(n_findings(), 1)

    def cell(row: Numbers, finding: NDArray[np.integer]) -> Numbers:
        return batch.case[row].astype(np.int64) * n + finding

    own = np.flatnonzero(recorded >= 0)
    taken = cell(own, recorded[own])
    up_row, up_to = _kept(*up, ~among(cell(*up), taken))
    down_row, down_to = _kept(*down, ~among(cell(*down), np.concatenate([taken, cell(up_row, up_to)])))
    status = np.repeat(np.array([PRESENT, ABSENT], np.int8), [len(up_row), len(down_row)])
    return Inherited(np.concatenate([up_row, down_row]), np.concatenate([up_to, down_to]), status)


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """A hierarchy over the findings an encoder knows.

    Attributes
    ----------
    hierarchy : Hierarchy
    index : mapping of (code, subject) to int
        The findings that have a column for *present*.
    below : mapping of (code, subject) to list of int
        Findings with a column for *absent*, by each of their ancestors.
    n_findings : int
    """

    hierarchy: Hierarchy
    index: Mapping[Finding, int]
    below: Mapping[Finding, list[int]]
    n_findings: int

    @classmethod
    def over(
        cls, hierarchy: Hierarchy, present: Mapping[Finding, int], absent: Mapping[Finding, int], n: int
    ) -> Spread:
        """Prepare to spread over `n` findings; `present` and `absent` number those with such a column."""
        below: dict[Finding, list[int]] = {}
        for (code, subject), i in absent.items():
            for ancestor in hierarchy.ancestors(code):
                below.setdefault((ancestor, subject), []).append(i)
        return cls(hierarchy, present, below, n)

    def implied(self, batch: FindingRows) -> Inherited:
        """All that the rows of a batch imply, also of findings that their case records."""
        return self.inherit(batch, np.full(len(batch.case), -1, np.int32))

    def inherit(self, batch: FindingRows, recorded: NDArray[np.int32]) -> Inherited:
        """Spread the rows of a batch; see `inherit`."""

        def broader(finding: Finding) -> list[int]:
            above = (self.index.get((code, finding[1])) for code in self.hierarchy.ancestors(finding[0]))
            return [i for i in above if i is not None]

        return inherit(batch, recorded, lambda: self.n_findings, broader, lambda one: self.below.get(one, []))


def _kept(row: Numbers, finding: Numbers, keep: NDArray[np.bool_]) -> tuple[Numbers, Numbers]:
    return row[keep], finding[keep]


def _said(
    batch: FindingRows, rows: NDArray[np.intp], related: Callable[[Finding], list[int]]
) -> tuple[Numbers, Numbers]:
    """Pair each row with every related finding."""
    distinct, back = np.unique(batch.pair[rows], return_inverse=True)
    lists = [related(pair_names(batch.source, pair)) for pair in distinct.tolist()]
    length = np.array([len(one) for one in lists], np.int64)
    flat = np.array([number for one in lists for number in one], np.int64)
    each = length[back] if len(rows) else np.zeros(0, np.int64)
    start = (np.cumsum(length) - length)[back] if len(rows) else each
    place = np.arange(each.sum()) - np.repeat(np.cumsum(each) - each, each) + np.repeat(start, each)
    return np.repeat(rows, each).astype(np.int64), flat[place] if len(flat) else np.zeros(0, np.int64)
