"""Cross products of columns in two parts, about 27 digits of the longest column, at the speed of BLAS.

Each column is cut into two slices of so few bits that sums of their products are exact in float64, whatever the order
of the additions; what is left over is so small that its products may be rounded. So three ordinary matrix products give
what a number twice as long would.

Source: Ozaki, Ogita, Oishi and Rump (2012), Numerical Algorithms 59, 95-118.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unbend.exact import Double, two_sum

ROWS = 1024
"""Rows in one product: 2 · 21 bits of two slices and 10 bits of a sum of so many fit the 53 bits of a float64."""
BITS = 21
ROUNDING = 2.0**-90
"""Of a sum of products, in units of the number of rows times the largest square of a column."""


def squares(z: Double, other: Double | None = None) -> tuple[Double, np.ndarray]:
    """zᵀ z (q, q) of rows (n, q), and a bound on the error of its diagonal (q,).

    With `other`, such as the same rows times weights, zᵀ other.
    """
    n, q = z.hi.shape
    total, bound = Double.zeros((q, q)), np.zeros(q)
    for start in range(0, n, ROWS):
        part = slice(start, start + ROWS)
        left = _cut(z[part])
        right = left if other is None else _cut(other[part])
        total = total + _product(left, right)
        bound += ROUNDING * min(ROWS, n - start) * left.unit * right.unit
    return total, bound


def product(left: Double, right: Double) -> Double:
    """leftᵀ right (p, q) of rows (n, p) and (n, q); about 27 digits of the longest columns."""
    total = Double.zeros((left.shape[1], right.shape[1]))
    for start in range(0, len(left), ROWS):
        part = slice(start, start + ROWS)
        total = total + _product(_cut(left[part]), _cut(right[part]))
    return total


@dataclass(frozen=True, eq=False)
class _Cut:
    """Columns as two slices side by side (n, 2q), the rest (n, q), and powers of two not below the columns (q,)."""

    slices: np.ndarray
    rest: np.ndarray
    unit: np.ndarray

    @property
    def both(self) -> np.ndarray:
        q = self.rest.shape[1]
        return self.slices[:, :q] + self.slices[:, q:]


def _product(left: _Cut, right: _Cut) -> Double:
    """Of at most `ROWS` rows."""
    p, q = left.rest.shape[1], right.rest.shape[1]
    exact = left.slices.T @ right.slices
    if left is right:
        small = left.rest.T @ (left.both + left.rest / 2)
        small += small.T.copy()
    else:
        small = left.rest.T @ (right.both + right.rest / 2) + (left.both + left.rest / 2).T @ right.rest
    high, low = two_sum(exact[:p, :q], exact[:p, q:] + exact[p:, :q])
    return Double(*two_sum(high, low + (exact[p:, q:] + small)))


def _cut(z: Double) -> _Cut:
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
    return _Cut(sliced, rest, unit)
