"""Squared lengths of rows in the coordinates of a factor: leverages, by blocks of rows that stay in cache.

Few columns are a compiled pass's work where there is one, many are the BLAS's.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import get_blas_funcs

from unbend.exact import compiled

PINNED = 1e-10
"""A row whose leverage is within this of 1 pins the fit to itself: its residual is rounding, and nothing is known of it
without itself."""
NARROW = 128
"""Up to so many columns the compiled pass is the faster one."""
CHUNK = 1 << 16
"""Numbers of a block of rows."""
LEAST = 256
"""Rows of a block, for a product that is worth its call."""


def squared_lengths(x: np.ndarray, mean: np.ndarray, root: np.ndarray) -> np.ndarray:
    """|(x − mean) root|² of each row of x (n, p), root (p, k); (n,).

    Where the root is upper triangular, as it is unless columns were dropped, half of the work is saved.

    Examples
    --------
    >>> squared_lengths(np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([1.0, 1.0]), np.array([[2.0, 1.0], [0.0, 3.0]]))
    array([  9., 212.])
    """
    lengths = np.empty(len(x))
    if compiled.passes is not None and x.shape[1] <= NARROW:
        compiled.passes.lengths(compiled.readable(x), compiled.contiguous(mean), compiled.contiguous(root), lengths)
        return lengths
    triangular = root.shape[0] == root.shape[1] and not any(root[j + 1 :, j].any() for j in range(len(root)))
    factor = np.asfortranarray(root)
    rows = max(LEAST, CHUNK // max(x.shape[1], 1))
    for start in range(0, len(x), rows):
        moved = x[start : start + rows] - mean
        along = _times_upper(moved, factor) if triangular and moved.size else moved @ factor
        np.einsum("ij,ij->i", along, along, out=lengths[start : start + rows])
    return lengths


def _times_upper(rows: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """rows · upper, in the place of the rows; `upper` in Fortran order."""
    (trmm,) = get_blas_funcs(("trmm",), (upper,))
    return np.asarray(trmm(1.0, upper, rows.T, trans_a=1, overwrite_b=1)).T
