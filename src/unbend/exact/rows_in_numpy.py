"""What the compiled passes do, by NumPy, with the same digits and some fifty times slower."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from unbend.exact.double import Double
from unbend.exact.error_free import fast_two_sum, two_prod

CHUNK = 1 << 15
"""Numbers of x taken at a time: a dozen arrays of so many stay in cache."""


class Rows(NamedTuple):
    """Rows of columns and targets, their weights, and their low parts, or None where there are none."""

    x: np.ndarray
    y: np.ndarray | None
    weights: np.ndarray | None
    x_low: np.ndarray | None
    y_low: np.ndarray | None

    def each(self, change: Callable[[np.ndarray], np.ndarray]) -> Rows:
        """Every array changed."""
        rest = (None if one is None else change(one) for one in self[1:])
        return Rows(change(self.x), *rest)


def sums(rows: Rows, intercept: Double, coef: Double, residuals: np.ndarray | None) -> Double:
    """For each target Σ w r, Σ w r² and Σ w r x; (k, 2 + p)."""
    p, k = coef.shape
    with np.errstate(all="ignore"):
        each = [_target(rows, t, intercept[t], coef[:, t], residuals) for t in range(k)]
    return Double.stack(each) if each else Double.zeros((k, 2 + p))


def _target(rows: Rows, t: int, intercept: Double, coef: Double, residuals: np.ndarray | None) -> Double:
    total = Double.zeros(2 + len(coef))
    step = max(1, CHUNK // max(len(coef), 1))
    for start in range(0, len(rows.x), step):
        part = slice(start, start + step)
        chunk = rows.each(lambda one, part=part: one[part].astype(np.float64))
        residual = _residual(chunk, t, intercept, coef)
        if residuals is not None:
            residuals[part, t] = residual.hi
        total = total + _sums(chunk, residual)
    return total


def _residual(rows: Rows, t: int, intercept: Double, coef: Double) -> Double:
    """(m,)."""
    y = np.zeros(len(rows.x)) if rows.y is None else rows.y[:, t]
    target = Double.of(y, None if rows.y_low is None else rows.y_low[:, t]) - intercept
    return target - _times(rows, coef).sum(axis=1)


def _times(rows: Rows, factor: Double) -> Double:
    """x times a factor that broadcasts; the parts not yet renormalised; (m, p)."""
    product, error = two_prod(rows.x, factor.hi)
    error = error + rows.x * factor.lo
    return Double(product, error if rows.x_low is None else error + rows.x_low * factor.hi)


def _sums(rows: Rows, residual: Double) -> Double:
    """(2 + p,)."""
    weighted = residual
    if rows.weights is not None:
        product, error = two_prod(residual.hi, rows.weights)
        weighted = Double(*fast_two_sum(product, error + residual.lo * rows.weights))
    totals = Double.stack([weighted, weighted * residual], axis=1).sum()
    cross = _times(rows, weighted.reshape(-1, 1)).sum()
    return Double(np.concatenate([totals.hi, cross.hi]), np.concatenate([totals.lo, cross.lo]))
