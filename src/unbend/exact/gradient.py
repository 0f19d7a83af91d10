"""One reading of the rows for residuals and their products with the columns, every sum in two parts.

The numbers are taken as they are, without a shift: 106 bits carry a mean of 1e12, and what is wanted about the mean is
cross − mean · total afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unbend.exact import compiled, rows_in_numpy
from unbend.exact.double import Double
from unbend.exact.rows_in_numpy import Rows


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
    """The sums over some rows; their error is about 1e-30 of the sums of the sizes of what is added up.

    Parameters
    ----------
    x : (n, p) float64 or float32, in any order
    y : (n, k), or None where it is 0
    intercept, coef : (k,) and (p, k)
    weights : (n,), or None where all are 1
    x_low, y_low : what the numbers are above those of x and y, if they are given in two parts
    residuals : (n, k) float64 that is filled with the rounded residuals

    Where a number is not finite or a product overflows, the sums that it takes part in are NaN.

    Examples
    --------
    >>> x, y = np.array([[1.0], [2.0], [3.0]]), np.array([[2.0], [4.0], [6.5]])
    >>> found = gradient(x, y, Double.of([0.0]), Double.of([[2.0]]))
    >>> found.total.hi.item(), found.cross.hi.item(), found.squares.hi.item()
    (0.5, 1.5, 0.25)
    """
    rows = Rows(x, y, weights, x_low, y_low).each(compiled.readable)
    sums = (rows_in_numpy.sums if compiled.passes is None else _compiled)(rows, intercept, coef, residuals)
    wrong = ~(np.isfinite(sums.hi) & np.isfinite(sums.lo))
    sums = Double(np.where(wrong, np.nan, sums.hi), np.where(wrong, np.nan, sums.lo))
    return Gradient(sums[:, 0], sums[:, 2:].T, sums[:, 1])


def _compiled(rows: Rows, intercept: Double, coef: Double, residuals: np.ndarray | None) -> Double:
    assert compiled.passes is not None
    p, k = coef.shape
    sums = np.empty((k, 2 + p, 2))
    negated = _paired(-intercept), _paired(-coef.T).reshape(k, 2 * p)
    compiled.passes.gradient(*rows[:2], *negated, *rows[2:], residuals, sums.reshape(k, 2 * (2 + p)))
    return Double(sums[..., 0], sums[..., 1])


def _paired(numbers: Double) -> np.ndarray:
    """hi and lo next to each other; (…, 2)."""
    return np.ascontiguousarray(np.stack([numbers.hi, numbers.lo], axis=-1))
