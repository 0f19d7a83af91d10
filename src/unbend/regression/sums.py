"""Sums over rows in two parts: about 27 digits, so that adding, taking away and merging them costs none that matters.

All that linear regression needs of rows are the sums of [1 z] [1 z]ᵀ with z the columns and the targets less a shift.
In float64 such sums carry half the digits of a factorization of the rows, and taking rows away or changing the shift
costs more; here nothing is lost to either, and rows need not be read again: sums can be saved, added to sums of other
rows, and be made to give up rows, and the solution has the digits that a factorization of all rows would have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from unbend.exact import Double, two_prod, two_sum
from unbend.regression.moments import Block, Moments, logs_of_shares, rounded_mean, sum_of_logs
from unbend.regression.slices import squares

EPS = 2.0**-100
"""Relative rounding of an operation on numbers in two parts."""


@dataclass(frozen=True, eq=False)
class Sums:
    """Weighted sums over rows of products of [1, z − shift]; the targets are the last columns of z.

    Attributes
    ----------
    n : number of rows
    shift : (q,)
    products : (1 + q, 1 + q), of w [1, z − shift] [1, z − shift]ᵀ
    error : (1 + q,) bound on the rounding error of the diagonal of `products`
    logs : sum of the logarithms of the weights, 0 without
    """

    n: int
    shift: np.ndarray
    products: Double
    error: np.ndarray
    logs: float = 0.0

    @classmethod
    def of(cls, block: Block, shift: np.ndarray | None = None) -> Sums:
        """The sums of a block of rows, about a shift that blocks may share (each may have its own as well)."""
        z = block.z
        shift = rounded_mean(z) if shift is None else shift
        rows = _rows(z, _low(block), shift)
        if block.weights is None:
            return cls(len(z), shift, *squares(rows, None))
        return cls(len(z), shift, *squares(rows, _weighted(rows, block.weights)), sum_of_logs(block.weights))

    @classmethod
    def of_moments(cls, moments: Moments) -> Sums:
        """The sums that moments are, with the rounding that they have."""
        whole = np.block(
            [[np.atleast_2d(moments.weight), moments.sums[None]], [moments.sums[:, None], moments.products]]
        )
        rounded = float(np.finfo(float).eps) * np.diag(whole)
        return cls(moments.n, moments.shift, Double.of(whole), rounded, moments.logs)

    def with_targets(self, coef: Double, rss: np.ndarray) -> Sums:
        """The same with targets of which these are the solutions, to the last digits: what moments round is mended.

        Parameters
        ----------
        coef : (1 + p, k) intercepts and coefficients of the columns as they are
        rss : (k,) weighted sums of squared residuals
        """
        p, k = coef.shape[0] - 1, coef.shape[1]
        shift = self.shift
        base = coef[0] + (coef[1:] * shift[:p, None]).sum(axis=0) - shift[p:]
        about = Double(np.vstack([base.hi, coef.hi[1:]]), np.vstack([base.lo, coef.lo[1:]]))
        hi, lo = self.products.hi.copy(), self.products.lo.copy()
        for i in range(k):
            cross = (self.products[: 1 + p, : 1 + p] * about[:, i]).sum(axis=1)
            at, own = 1 + p + i, (about[:, i] * cross).sum() + rss[i]
            hi[at, : 1 + p] = hi[: 1 + p, at] = cross.hi
            lo[at, : 1 + p] = lo[: 1 + p, at] = cross.lo
            hi[at, at], lo[at, at] = own.hi, own.lo
        return replace(self, products=Double(hi, lo))

    @property
    def weight(self) -> float:
        """Sum of the weights."""
        return float(self.products.hi[0, 0])

    @property
    def shares(self) -> float:
        """Sum of the logarithms of the weights over their mean; 0 where all are the same."""
        return logs_of_shares(self.logs, self.n, self.weight)

    @property
    def mean(self) -> Double:
        """Weighted mean of each column; (q,)."""
        return self.offset + self.shift

    @property
    def offset(self) -> Double:
        """The means less the shift; (q,)."""
        return self.products[0, 1:] / self.products[0, 0]

    @property
    def centred(self) -> Double:
        """Sum of w (z − mean)(z − mean)ᵀ; (q, q)."""
        sums, offset = self.products[0, 1:], self.offset
        return self.products[1:, 1:] - sums[:, None] * offset[None, :]

    def of_columns(self, columns: Sequence[int]) -> Sums:
        """The sums of some of the columns, in this order."""
        at = np.asarray(columns)
        inner = np.array([0, *(at + 1)])
        return replace(
            self, shift=self.shift[at], products=self.products[np.ix_(inner, inner)], error=self.error[inner]
        )

    def shifted(self, shift: np.ndarray) -> Sums:
        """The same sums about another shift."""
        if np.array_equal(shift, self.shift):
            return self
        step = Double(*two_sum(self.shift, -shift))
        sums, weight = self.products[0, 1:], self.products[0, 0]
        moved = sums + step * weight
        inner = self.products[1:, 1:] + step[:, None] * moved[None, :] + sums[:, None] * step[None, :]
        found = _bordered(weight, moved, inner)
        size = np.abs(np.diag(self.products.hi)) + np.abs(np.diag(found.hi))
        return replace(self, shift=shift, products=found, error=self.error + EPS * size)

    def scaled(self, factor: float) -> Sums:
        """The sums with all weights multiplied by a factor."""
        logs = self.logs + self.n * float(np.log(factor))
        return replace(self, products=self.products * factor, error=self.error * factor, logs=logs)

    def __add__(self, other: Sums) -> Sums:
        """The sums over the rows of both."""
        return self._combine(other, 1)

    def __sub__(self, other: Sums) -> Sums:
        """The sums without the rows of `other`."""
        return self._combine(other, -1)

    def _combine(self, other: Sums, sign: int) -> Sums:
        other = other.shifted(self.shift)
        found = self.products + other.products if sign > 0 else self.products - other.products
        size = np.abs(np.diag(self.products.hi)) + np.abs(np.diag(other.products.hi))
        n, logs = self.n + sign * other.n, self.logs + sign * other.logs
        return replace(self, n=n, products=found, error=self.error + other.error + EPS * size, logs=logs)

    @property
    def doubts(self) -> np.ndarray:
        """Bound on the relative error of each centred sum of squares, 0 where that is 0; (q,)."""
        spread, error = np.diag(self.centred.hi), self.error[1:]
        return np.divide(error, spread, out=np.zeros_like(error), where=spread > 0)

    def about_origin(self) -> Sums:
        """The sums of a fit without an intercept: with means of 0, what is about the mean is about 0."""
        at = self.shifted(np.zeros_like(self.shift))
        hi, lo = at.products.hi.copy(), at.products.lo.copy()
        hi[0, 1:] = hi[1:, 0] = lo[0, 1:] = lo[1:, 0] = 0.0
        return replace(at, products=Double(hi, lo))

    def moments(self) -> Moments:
        """Rounded to float64, about the mean."""
        at = self.shifted(self.mean.hi)
        return Moments(self.n, self.weight, at.shift, at.products.hi[0, 1:], at.products.hi[1:, 1:], self.logs)


def _low(block: Block) -> np.ndarray | None:
    if block.x_low is None and block.y_low is None:
        return None
    low = (np.zeros_like(part) if low is None else low for part, low in zip(block[:2], block[3:], strict=True))
    return np.hstack(list(low))


def _rows(z: np.ndarray, low: np.ndarray | None, shift: np.ndarray) -> Double:
    """[1, z − shift] in two parts; (n, 1 + q)."""
    moved, rest = two_sum(z, -shift)
    if low is not None:
        moved, rest = two_sum(moved, rest + low)
    n = len(z)
    return Double(np.hstack([np.ones((n, 1)), moved]), np.hstack([np.zeros((n, 1)), rest]))


def _weighted(rows: Double, weights: np.ndarray) -> Double:
    high, low = two_prod(rows.hi, weights[:, None])
    return Double(*two_sum(high, low + rows.lo * weights[:, None]))


def _bordered(weight: Double, sums: Double, inner: Double) -> Double:
    def whole(corner: np.ndarray, edge: np.ndarray, rest: np.ndarray) -> np.ndarray:
        return np.block([[np.atleast_2d(corner), edge[None, :]], [edge[:, None], rest]])

    return Double(whole(weight.hi, sums.hi, inner.hi), whole(weight.lo, sums.lo, inner.lo))
