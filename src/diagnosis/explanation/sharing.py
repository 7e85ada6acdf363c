"""Groups of findings that come together, and so share the credit a model gives to what they have in common."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

__all__ = ["sharing_groups", "signed_table"]

FloatArray = npt.NDArray[np.float64]

#: Findings join where their correlations, averaged over the pairs, reach this.
CORRELATED = 0.5
_SIGNS = {"present": 1.0, "absent": -1.0, "uncertain": 0.0}


def signed_table(cells: npt.NDArray[np.object_]) -> FloatArray:
    """Turn cells into numbers that can be correlated: a value by its rank, present 1, absent -1, nothing recorded 0.

    Parameters
    ----------
    cells : ndarray of object, shape (n_cases, n_findings)
        As `observed_cells` returns them; a text counts as present.
    """
    made = np.zeros(cells.shape)
    for j in range(cells.shape[1]):
        column = cells[:, j]
        number = np.array([isinstance(one, float) for one in column], dtype=bool)
        words = [0.0 if one is None or isinstance(one, float) else _SIGNS.get(str(one), 1.0) for one in column]
        made[:, j] = words
        if number.any():
            values = column[number].astype(np.float64)
            _, rank = np.unique(values, return_inverse=True)
            made[number, j] = 2.0 * rank / max(int(rank.max()), 1) - 1.0
    return made


def sharing_groups(cells: npt.NDArray[np.object_], least: float = CORRELATED) -> npt.NDArray[np.int64]:
    """Number the groups of findings that go together in the cases.

    Parameters
    ----------
    cells : ndarray of object, shape (n_cases, n_findings)
    least : float
        The mean absolute correlation from which findings are one group.

    Returns
    -------
    ndarray of int64, shape (n_findings,)
        Groups of two or more have numbers from 1, in the order of their first finding; 0: in no group.

    Notes
    -----
    Hierarchical clustering with average linkage on one less the absolute Pearson correlation of the signed table. What
    one finding of a group is given, another could have been given in its place (Aas, Jullum, Løland: Explaining
    individual predictions when features are dependent, Artif. Intell. 2021).
    """
    table = signed_table(cells)
    moving = np.flatnonzero(table.std(axis=0) > 0)
    found = np.zeros(cells.shape[1], np.int64)
    if len(moving) < 2:
        return found
    apart = np.clip(1.0 - np.abs(np.corrcoef(table[:, moving], rowvar=False)), 0.0, 1.0)
    np.fill_diagonal(apart, 0.0)
    apart = (apart + apart.T) / 2
    cluster = fcluster(linkage(squareform(apart, checks=False), "average"), 1.0 - least, "distance")
    number = 0
    for one in dict.fromkeys(cluster.tolist()):
        members = moving[cluster == one]
        if len(members) > 1:
            number += 1
            found[members] = number
    return found
