"""One reading of the rows for the products of shifted columns, in float64: what moments are made of."""

from __future__ import annotations

import numpy as np

from unbend.exact import compiled

CHUNK = 1 << 17
"""Numbers of a chunk of rows that NumPy takes at a time: they stay in cache."""
LEAST = 512
"""Rows of a chunk, for a product that is worth its call."""


def products(
    x: np.ndarray, y: np.ndarray, shift: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Σ w (z − shift), (q,), and Σ w (z − shift)(z − shift)ᵀ, (q, q), of the rows z = [x | y], without a copy of them.

    Parameters
    ----------
    x, y : (n, p) and (n, k) float64 or float32, in any order; q = p + k
    shift : (q,) finite
    weights : (n,), or None where all are 1

    Examples
    --------
    >>> sums, moments = products(np.array([[1.0], [2.0]]), np.array([[5.0], [7.0]]), np.array([0.0, 5.0]))
    >>> sums.tolist(), moments.tolist()
    ([3.0, 2.0], [[5.0, 4.0], [4.0, 4.0]])
    """
    x, y, shift = compiled.readable(x), compiled.readable(y), compiled.contiguous(shift)
    weights = None if weights is None else compiled.readable(weights)
    if compiled.passes is None:
        return _by_numpy(x, y, shift, weights)
    q = len(shift)
    sums = np.zeros((8 * (q // 8 + 1),) * 2)
    compiled.passes.products(x, y, shift, weights, sums)
    return sums[q, :q].copy(), sums[:q, :q]


def _by_numpy(
    x: np.ndarray, y: np.ndarray, shift: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    p, q = x.shape[1], len(shift)
    rows = max(LEAST, CHUNK // max(q, 1))
    z, sums, total = np.empty((min(rows, len(x)), q)), np.zeros(q), np.zeros((q, q))
    for start in range(0, len(x), rows):
        part = slice(start, start + rows)
        here = z[: len(x[part])]
        np.subtract(x[part], shift[:p], out=here[:, :p])
        np.subtract(y[part], shift[p:], out=here[:, p:])
        if weights is None:
            sums += here.sum(axis=0)
            total += here.T @ here
        else:
            weighted = here * weights[part, None]
            sums += weighted.sum(axis=0)
            total += here.T @ weighted
    return sums, total if weights is None else (total + total.T) / 2
