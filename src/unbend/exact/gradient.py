"""One reading of the rows for residuals and their products with the columns, every sum in two parts.

The numbers are taken as they are, without a shift: 106 bits carry a mean of 1e12, and what is wanted about the mean is
cross − mean · total afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unbend.exact.double import Double
from unbend.exact.error_free import fast_two_sum, two_prod

COMPILED = False
CHUNK = 1 << 15
"""Numbers of x that NumPy takes at a time: a dozen arrays of so many stay in cache."""


@dataclass(frozen=True, eq=False)
class Gradient:
    """Sums over rows of residuals r = y − intercept − x · coef, for k targets; + adds the rows of another.

    Attributes
    ----------
    total : (k,) Σ w r
    cross : (p, k) Σ w r x
    squares : (k,) Σ w r²
    """

    total: Double
    cross: Double
    squares: Double

    def __add__(self, other: Gradient) -> Gradient:
        """The sums over the rows of both."""
        return Gradient(self.total + other.total, self.cross + other.cross, self.squares + other.squares)


def gradient(
    x: np.ndarray,
    y: np.ndarray | None,
    intercept: Double,
    coef: Double,
    weights: np.ndarray | None = None,
    *,
    x_low: np.ndarray | None = None,
    y_low: np.ndarray | None = None,
    residuals: np.ndarray | None = None,
) -> Gradient:
    """The sums over some rows.

    Parameters
    ----------
    x : (n, p) float64 or float32, in any order
    y : (n, k), or None where it is 0
    intercept, coef : (k,) and (p, k)
    weights : (n,), or None where all are 1
    x_low, y_low : what the numbers are above those of x and y, if they are given in two parts
    residuals : (n, k) float64 that is filled with the rounded residuals

    Where a number is not finite or a product overflows, the sums that it takes part in are NaN.
    """
    n, p = x.shape
    k = len(intercept)
    whole = Gradient(Double.zeros(k), Double.zeros((p, k)), Double.zeros(k))
    step = max(1, CHUNK // max(p, 1))
    with np.errstate(all="ignore"):
        for start in range(0, n, step):
            part = slice(start, start + step)
            rows = _wide(x[part]), _of(x_low, part)
            target = (np.zeros((len(rows[0]), k)) if y is None else _wide(y[part])), _of(y_low, part)
            residual = _residuals(rows, target, intercept, coef)
            if residuals is not None:
                residuals[part] = residual.hi
            whole = whole + _sums(rows, residual, _of(weights, part))
    return Gradient(*(_finite(sums) for sums in (whole.total, whole.cross, whole.squares)))


Parts = tuple[np.ndarray, np.ndarray | None]


def _wide(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=np.float64)


def _of(values: np.ndarray | None, part: slice) -> np.ndarray | None:
    return None if values is None else _wide(values[part])


def _residuals(x: Parts, y: Parts, intercept: Double, coef: Double) -> Double:
    """(m, k)."""
    target = Double.of(*y) - intercept
    fitted = [_times(*x, coef[:, t]).sum(axis=1) for t in range(len(intercept))]
    return target - Double.stack(fitted, axis=1) if fitted else target


def _times(x: np.ndarray, x_low: np.ndarray | None, factor: Double) -> Double:
    """x times factor, which broadcasts; the parts not yet renormalised."""
    product, error = two_prod(x, factor.hi)
    error += x * factor.lo
    if x_low is not None:
        error += x_low * factor.hi
    return Double(product, error)


def _sums(x: Parts, residual: Double, weights: np.ndarray | None) -> Gradient:
    weighted = residual
    if weights is not None:
        product, error = two_prod(residual.hi, weights[:, None])
        weighted = Double(*fast_two_sum(product, error + residual.lo * weights[:, None]))
    cross = [_times(*x, weighted[:, [t]]).sum(axis=0) for t in range(weighted.shape[1])]
    columns = Double.stack(cross, axis=1) if cross else Double.zeros((x[0].shape[1], 0))
    return Gradient(weighted.sum(axis=0), columns, (weighted * residual).sum(axis=0))


def _finite(sums: Double) -> Double:
    """NaN in both parts where a part is not finite."""
    wrong = ~(np.isfinite(sums.hi) & np.isfinite(sums.lo))
    return Double(np.where(wrong, np.nan, sums.hi), np.where(wrong, np.nan, sums.lo))
