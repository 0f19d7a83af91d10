"""Second moments of a stream of rows: small, mergeable, and not ruined by a large mean.

For columns z with a shift s that all blocks share, the sums of (z − s) and of (z − s)(z − s)ᵀ are all that linear and
ridge regression need. Blocks, processes and folds only add and subtract these sums. Without the shift a column with a
mean of 1e8 loses all digits; with each block's own mean instead of one shared shift it loses five.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from unbend.exact import products

SAMPLED, FEWEST, NUMBERS = 1024, 64, 1 << 17
"""Rows, spread over a block, that its shift is from: it need not be the mean, only near it. The first many, or of many
columns so many that these are about so many numbers, but no fewer than the second."""
ALIKE = 1e-14
"""Rounding of the logarithm of a weight, and of the sum of many."""


class Block(NamedTuple):
    """Some rows of columns and targets.

    Attributes
    ----------
    x : (n, p)
    y : (n, k)
    weights : (n,), not negative, or None where all are 1
    x_low, y_low : what the numbers are above those of x and y, where they are given in two parts, else None
    """

    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None = None
    x_low: np.ndarray | None = None
    y_low: np.ndarray | None = None

    @property
    def weight(self) -> float:
        """Sum of the weights: the number of rows without."""
        return float(len(self.x) if self.weights is None else self.weights.sum())

    def part(self, some: slice | np.ndarray) -> Block:
        """Some of the rows."""
        return Block(*(None if one is None else one[some] for one in self))  # pyright: ignore[reportArgumentType]

    @property
    def z(self) -> np.ndarray:
        """A copy of [x | y] in float64; (n, p + k)."""
        return np.hstack([self.x, self.y], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over rows of shifted columns; the target is the last column.

    Attributes
    ----------
    n : number of rows
    weight : sum of the rows' weights, n without weights
    shift : (q,)
    sums : (q,), of w (z − shift)
    products : (q, q), of w (z − shift)(z − shift)ᵀ
    logs : sum of the logarithms of the weights, 0 without; NaN where a weight is 0
    """

    n: int
    weight: float
    shift: np.ndarray
    sums: np.ndarray
    products: np.ndarray
    logs: float = 0.0

    @classmethod
    def of(cls, z: np.ndarray, shift: np.ndarray | None = None, weights: np.ndarray | None = None) -> Moments:
        """The moments of a block of rows.

        Parameters
        ----------
        z : (n, q), the columns and the target
        shift : (q,), shared by all blocks; from this block if it is None
        weights : (n,), not negative
        """
        return cls.of_block(Block(z, z[:, :0], weights), shift)

    @classmethod
    def of_block(cls, block: Block, shift: np.ndarray | None = None) -> Moments:
        """The moments of a block's [x | y], which is not copied, about a shift that all blocks share.

        The shift is from this block if it is None.
        """
        n, weights = len(block.x), block.weights
        shift = _shift(block) if shift is None else shift
        sums, squares = products(block.x, block.y, shift, weights)
        if weights is None:
            return cls(n, float(n), shift, sums, squares)
        return cls(n, block.weight, shift, sums, squares, sum_of_logs(weights))

    @classmethod
    def about_origin(cls, block: Block) -> Moments:
        """The moments of a fit without an intercept: with sums of 0, what is about the mean is about 0."""
        q = block.x.shape[1] + block.y.shape[1]
        return replace(cls.of_block(block, np.zeros(q)), sums=np.zeros(q))

    def of_columns(self, columns: Sequence[int]) -> Moments:
        """The moments of some of the columns, in this order."""
        at = np.asarray(columns)
        return replace(self, shift=self.shift[at], sums=self.sums[at], products=self.products[np.ix_(at, at)])

    @property
    def shares(self) -> float:
        """Sum of the logarithms of the weights over their mean; 0 where all are the same."""
        return logs_of_shares(self.logs, self.n, self.weight) if self.weight > 0 else 0.0

    @property
    def per_row(self) -> Moments:
        """The same with weights of mean 1."""
        unit = self.weight / self.n
        if unit == 1.0:
            return self
        sums, products = self.sums / unit, self.products / unit
        return replace(self, weight=float(self.n), sums=sums, products=products, logs=self.shares)

    @property
    def mean(self) -> np.ndarray:
        """Weighted mean of each column; (q,)."""
        return self.shift + self.offset

    @property
    def offset(self) -> np.ndarray:
        """The mean less the shift, which has digits that the mean of a column with a large mean has not; (q,)."""
        return self.sums / self.weight

    @property
    def centred(self) -> np.ndarray:
        """Sum of w (z − mean)(z − mean)ᵀ; (q, q)."""
        found = np.outer(self.sums, self.sums)
        found /= -self.weight
        found += self.products
        return found

    def shifted(self, shift: np.ndarray) -> Moments:
        """The same moments about another shift."""
        step = self.shift - shift
        if not step.any():
            return self
        cross = np.outer(self.sums, step)
        return replace(
            self,
            shift=shift,
            sums=self.sums + self.weight * step,
            products=self.products + cross + cross.T + self.weight * np.outer(step, step),
        )

    def __add__(self, other: Moments) -> Moments:
        """The moments of the rows of both; plain sums where the shifts are the same."""
        return self._combine(other, np.add, 1)

    def __sub__(self, other: Moments) -> Moments:
        """The moments without the rows of `other`, such as a fold that is held out."""
        return self._combine(other, np.subtract, -1)

    def _combine(self, other: Moments, combine: np.ufunc, sign: int) -> Moments:
        if not self.n and sign > 0:
            return other
        other = other.shifted(self.shift)
        return replace(
            self,
            n=self.n + sign * other.n,
            weight=self.weight + sign * other.weight,
            logs=self.logs + sign * other.logs,
            sums=combine(self.sums, other.sums),
            products=combine(self.products, other.products),
        )


def sum_of_logs(weights: np.ndarray) -> float:
    """Of weights (n,), not negative; NaN where one is 0."""
    return float(np.log(weights, out=np.full(len(weights), np.nan), where=weights > 0).sum())


def logs_of_shares(logs: float, n: int, weight: float) -> float:
    """Sum of the logarithms of n weights over their mean, from that of the weights and their sum; 0 for equal weights.

    >>> weights = np.full(7, 0.1)
    >>> logs_of_shares(sum_of_logs(weights), 7, float(weights.sum()))
    0.0
    """
    level = float(np.log(weight / n))
    found = logs - n * level
    return 0.0 if found > -ALIKE * n * (1.0 + abs(level)) else found


def _shift(block: Block) -> np.ndarray:
    wanted = max(FEWEST, min(SAMPLED, NUMBERS // max(block.x.shape[1], 1)))
    some = slice(None, None, max(1, len(block.x) // wanted))
    parts = (part[some].astype(np.float64) for part in (block.x, block.y))
    return np.concatenate([rounded_mean(part) for part in parts])


def rounded_mean(z: np.ndarray) -> np.ndarray:
    """The mean of each column, rounded to a power of two that is about its spread; (q,).

    With so few bits, subtracting it is exact for numbers that are themselves short. A constant column gets its value.
    """
    if len(z) == 0:
        return np.zeros(z.shape[1])
    moved = z - z[0]
    spread = moved.std(axis=0)
    unit = np.exp2(np.floor(np.log2(np.where(spread > 0, spread, 1.0))))
    return np.where(spread > 0, np.round((z[0] + moved.mean(axis=0)) / unit) * unit, z[0])
