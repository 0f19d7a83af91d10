"""Cross products of columns in two parts, about 27 digits of the longest column, at the speed of BLAS.

Each column is cut into two slices of so few bits that sums of their products are exact in float64, whatever the order
of the additions; what is left over is so small that its products may be rounded. So three ordinary matrix products give
what a number twice as long would.

Source: Ozaki, Ogita, Oishi and Rump (2012), Numerical Algorithms 59, 95-118.
"""

from __future__ import annotations

import numpy as np

from unbend.exact import Double, two_sum

ROWS = 1024
"""Rows in one product: 2 · 21 bits of two slices and 10 bits of a sum of so many fit the 53 bits of a float64."""
BITS = 21
ROUNDING = 2.0**-90
"""Of a sum of products, in units of the number of rows times the largest square of a column."""


def squares(z: Double) -> tuple[Double, np.ndarray]:
    """zᵀ z (q, q) of rows (n, q), and a bound on the error of its diagonal (q,)."""
    return _all_rows(z, z)


def products(left: Double, right: Double) -> tuple[Double, np.ndarray]:
    """leftᵀ right (q, q) of rows (n, q), which must be symmetric, and a bound on the error of its diagonal (q,)."""
    return _all_rows(left, right)


def _all_rows(left: Double, right: Double) -> tuple[Double, np.ndarray]:
    n, q = left.hi.shape
    total, error = Double.of(np.zeros((q, q))), np.zeros(q)
    for start in range(0, n, ROWS):
        part = slice(start, start + ROWS)
        block, bound = _few_rows(left[part], None if left is right else right[part])
        total, error = total + block, error + bound
    return total, error


def _few_rows(left: Double, right: Double | None) -> tuple[Double, np.ndarray]:
    """As `_all_rows`, of at most `ROWS` rows; None for `right` is `left` again."""
    q = left.hi.shape[1]
    a, a_rest, a_unit = _cut(left)
    b, b_rest, b_unit = (a, a_rest, a_unit) if right is None else _cut(right)
    exact = a.T @ b
    small = a_rest.T @ (b[:, :q] + b[:, q:] + b_rest / 2) + (a[:, :q] + a[:, q:] + a_rest / 2).T @ b_rest
    high, low = two_sum(exact[:q, :q], exact[:q, q:] + exact[q:, :q])
    return Double(*two_sum(high, low + (exact[q:, q:] + small))), ROUNDING * len(left.hi) * a_unit * b_unit


def _cut(z: Double) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two slices side by side (n, 2q), the rest (n, q), and powers of two that the columns do not exceed (q,)."""
    n, q = z.hi.shape
    largest = np.abs(z.hi).max(axis=0, initial=0.0)
    unit = np.exp2(np.ceil(np.log2(np.where(largest > 0, largest, 1.0))))
    sliced = np.empty((n, 2 * q))
    first, second = sliced[:, :q], sliced[:, q:]
    to_multiples = unit * (1.5 * 2.0 ** (52 - BITS))
    np.add(z.hi, to_multiples, out=first)
    first -= to_multiples
    rest = z.hi - first
    to_multiples *= 2.0**-BITS
    np.add(rest, to_multiples, out=second)
    second -= to_multiples
    rest -= second
    rest += z.lo
    return sliced, rest, unit
