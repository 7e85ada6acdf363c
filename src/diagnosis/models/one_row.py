"""LightGBM's own fast path for one case at a time: what a call needs is laid out once."""

from __future__ import annotations

import ctypes
import weakref
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diagnosis.models.protocol import FloatArray, Matrix

__all__ = ["RowPredictor"]

# LightGBM's C API: what to predict, and the type of the numbers given.
_RAW_SCORE, _CONTRIBUTIONS, _FLOAT64 = 1, 3, 1


class RowPredictor:
    """Raw scores, or TreeSHAP values, of one case after the other; the same bits as from `Booster.predict`.

    Safe to share between threads: calls of one predictor wait for each other.

    Parameters
    ----------
    library : ctypes library
        LightGBM's own.
    booster : lightgbm.Booster
        Kept alive, and never trained further.
    contributions : bool
        TreeSHAP values, the base last, in the place of raw scores.
    """

    def __init__(self, library: Any, booster: Any, *, contributions: bool) -> None:
        width, classes = booster.num_feature(), booster.num_model_per_iteration()
        self._booster = booster
        self._lock = Lock()
        self._row = np.zeros(width)
        self._out = np.empty(classes * (width + 1) if contributions else classes)
        handle = ctypes.c_void_p()
        made = library.LGBM_BoosterPredictForMatSingleRowFastInit(
            booster._handle,
            ctypes.c_int(_CONTRIBUTIONS if contributions else _RAW_SCORE),
            ctypes.c_int(0),
            ctypes.c_int(0),
            ctypes.c_int(_FLOAT64),
            ctypes.c_int32(width),
            b"num_threads=1",
            ctypes.byref(handle),
        )
        if made != 0:
            raise RuntimeError("LightGBM does not lay out its fast path")
        weakref.finalize(self, library.LGBM_FastConfigFree, handle)
        self._length = ctypes.c_int64()
        self._predict = library.LGBM_BoosterPredictForMatSingleRowFast
        self._given = (
            handle,
            ctypes.c_void_p(self._row.ctypes.data),
            ctypes.byref(self._length),
            ctypes.c_void_p(self._out.ctypes.data),
        )

    @classmethod
    def of(cls, booster: Any, *, contributions: bool) -> RowPredictor | None:
        """Lay out the fast path; None with a release of LightGBM that does not have it where this one does."""
        from lightgbm import basic

        library = getattr(basic, "_LIB", None)
        if not hasattr(booster, "_handle") or not hasattr(library, "LGBM_BoosterPredictForMatSingleRowFast"):
            return None
        return cls(library, booster, contributions=contributions)

    def __call__(self, X: Matrix) -> FloatArray:
        """Return what is predicted for a matrix of one row, dense or CSR without duplicates; one dimension."""
        if isinstance(X, np.ndarray):
            return self.of_cells(slice(None), X[0])
        return self.of_cells(X.indices.astype(np.intp), X.data.astype(np.float64))

    def of_cells(self, columns: NDArray[np.intp] | slice, values: FloatArray) -> FloatArray:
        """Return what is predicted for a case whose other columns are 0; with other types of numbers much slower."""
        with self._lock:
            self._row[columns] = values
            failed = self._predict(*self._given)
            self._row.fill(0.0)
            if failed:
                raise RuntimeError("LightGBM's fast path failed")
            return self._out.copy()
