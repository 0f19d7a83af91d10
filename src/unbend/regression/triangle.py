"""The triangular factor that every solution is read from: Rᵀ R = centred cross products of [x | y].

It comes from moments by a Cholesky factorization, which squares the condition number, or from the rows themselves by
QR of blocks, which does not. Columns are scaled by powers of two first, which is exact.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import get_lapack_funcs

from unbend.regression.moments import Moments

EPS = float(np.finfo(float).eps)
ROUNDINGS = 16.0
"""How many roundings an entry of a factor may have collected, in units of eps and of the root of its size."""
WORTH_A_FACTORIZATION = 4
"""Rows are factored when there are this many times as many as columns: fewer would cost a factorization too often."""


@dataclass(frozen=True, eq=False)
class Triangle:
    """A factor of n rows of q columns, the targets last.

    Attributes
    ----------
    n : rows
    shift, offset : (q,) the means of the columns in two parts, the second small
    scale : (q,) powers of two that make the columns of r about as long as 1, unless they are 0
    r : (q, q), or (n, q) of n rows that are fewer, upper triangular; rᵀ r scaled back by `scale` is the centred cross
        products
    noise : relative error of the length of a column in r
    method : in words
    targets : how many of the columns are; below the rows of the other columns only the lengths of theirs matter
    """

    n: int
    shift: np.ndarray
    offset: np.ndarray
    scale: np.ndarray
    r: np.ndarray
    noise: float
    method: str
    targets: int = 1

    @property
    def p(self) -> int:
        """Columns that are no target."""
        return self.r.shape[1] - self.targets

    @property
    def mean(self) -> np.ndarray:
        """Means of the columns; (q,)."""
        return self.shift + self.offset

    @cached_property
    def length(self) -> np.ndarray:
        """Root of the centred sum of squares of each column, scaled; (q,)."""
        return lengths(self.r, "j")

    @property
    def squared(self) -> bool:
        """Whether the factor was formed from squares, which carry half the digits."""
        return self.noise > np.sqrt(EPS)


def power_of_two(size: np.ndarray) -> np.ndarray:
    """The power of two nearest to each size, 1 where the size is 0; (q,)."""
    return np.exp2(np.round(np.log2(np.where(size > 0, size, 1.0))))


def triangle_of(moments: Moments, targets: int = 1) -> Triangle:
    """The factor of moments, by Cholesky; by eigenvalues where a column depends on others."""
    scaled, scale = _scaled(moments)
    noise = float(np.sqrt(ROUNDINGS * EPS * len(scale)))
    r, method = _cholesky(scaled, targets), "Cholesky factor of shifted moments"
    if r is None:
        r = _root(_scaled(moments)[0])
    return Triangle(moments.n, moments.shift, moments.offset, scale, r, noise, method, targets)


def _scaled(moments: Moments) -> tuple[np.ndarray, np.ndarray]:
    """The centred products of columns that are about as long as 1, and what these were divided by."""
    centred = moments.centred
    scale = power_of_two(np.sqrt(np.maximum(np.diag(centred), 0.0)))
    centred /= scale[:, None]
    centred /= scale
    return centred, scale


def _cholesky(scaled: np.ndarray, targets: int) -> np.ndarray | None:
    """The factor in the place of a matrix that is as symmetric as its rounding; None if columns depend on others.

    Below the rows of the other columns only the lengths of the targets' columns are wanted. They are put in afterwards:
    meanwhile the targets have so large a diagonal that a factor does not fail because of them.
    """
    (potrf,) = get_lapack_funcs(("potrf",), (scaled,))
    p, among = len(scaled) - targets, np.arange(len(scaled) - targets, len(scaled))
    squares = np.diag(scaled)[p:].copy()
    scaled[p:, p:] = 0.0
    scaled[among, among] = 1.0 + 2.0 * squares.sum()
    r, failed = potrf(scaled.T, overwrite_a=1)
    if failed:
        return None
    r[p:, p:] = 0.0
    r[among, among] = np.sqrt(np.maximum(squares - np.square(r[:p, p:]).sum(axis=0), 0.0))
    return r


def _root(scaled: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(scaled)
    return upper_factor(np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T)


class RowFactor:
    """QR of a stream of rows: the triangular factor of all blocks so far, together with a column of ones.

    Parameters
    ----------
    moments : of the same rows, for the shift and the scale of each column
    intercept : without one there is no column of ones
    targets : how many of the columns are
    """

    def __init__(self, moments: Moments, intercept: bool = True, targets: int = 1) -> None:
        self.intercept, self.targets = intercept, targets
        size = np.sqrt(np.maximum(np.diag(moments.centred), 0.0) / moments.weight)
        self.shift, self.scale = moments.shift, power_of_two(size)
        self.n = 0
        self._rows = [np.empty((0, len(size) + intercept))]

    def see(self, z: np.ndarray, weights: np.ndarray | None = None) -> None:
        """Take in a block of rows; z is (n, q), weights (n,)."""
        rows = (z - self.shift) / self.scale
        rows = np.column_stack([np.ones(len(z)), rows]) if self.intercept else rows
        self._rows.append(rows if weights is None else rows * np.sqrt(weights)[:, None])
        self.n += len(z)
        self._shorten()

    def __add__(self, other: RowFactor) -> RowFactor:
        """The factor of the rows of both, which must have the same shift and scale."""
        both = copy(self)
        both._rows, both.n = [*self._rows, *other._rows], self.n + other.n
        both._shorten()
        return both

    def _shorten(self) -> None:
        if sum(map(len, self._rows)) > WORTH_A_FACTORIZATION * len(self.scale):
            self._reduce()

    def _reduce(self) -> np.ndarray:
        self._rows = [upper_factor(np.vstack(self._rows))]
        return self._rows[0]

    def triangle(self) -> Triangle:
        """The factor of the centred columns: what is left below the row of the ones."""
        whole = self._reduce()
        q = len(self.scale)
        offset = self.scale * whole[0, 1:] / whole[0, 0] if self.intercept else np.zeros(q)
        size = power_of_two(np.sqrt([self.n]))
        r = np.zeros((q, q))
        below = whole[1:, 1:] if self.intercept else whole
        r[: len(below)] = below / size
        noise = ROUNDINGS * EPS * float(np.sqrt(q))
        method = "QR of the rows in blocks"
        return Triangle(self.n, self.shift, offset, self.scale * size, r, noise, method, self.targets)


def lengths(matrix: np.ndarray, kept: str) -> np.ndarray:
    """Of the rows (i) or the columns (j) of a matrix (i, j), of which no copy is made."""
    return np.sqrt(np.einsum(f"ij,ij->{kept}", matrix, matrix))


def upper_factor(rows: np.ndarray) -> np.ndarray:
    """The R of a QR factorization; (min(rows, columns), columns)."""
    return np.asarray(np.linalg.qr(rows, mode="r"))
