"""Coordinates in which the cross products of the rows are the identity, whatever the units of the columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from unbend.regression.least_squares import least_squares
from unbend.regression.moments import Moments
from unbend.regression.ordinary import Collinear
from unbend.regression.rows import Blocks
from unbend.regression.triangle import EPS

PLAIN = 1e4
"""Condition number up to which sums over rows as they are carry the digits: the Hessian loses its square."""
FAR = 4.0
"""Columns whose mean is more than this many standard deviations from 0 are shifted."""


@dataclass(frozen=True, eq=False)
class Axes:
    """Coordinates u = [1/√weight, (x − mean) root] whose weighted cross products are the identity.

    Without an intercept there is no first coordinate, and `mean` is 0. Of the columns, `dropped` were left out, each
    with its relation; `condition` is that of the columns, centred and scaled to one length. `shift` is a number for
    each column near its mean, 0 where that is near enough.
    """

    names: tuple[str, ...]
    mean: np.ndarray
    root: np.ndarray
    weight: float
    intercept: bool
    condition: float
    dropped: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()
    shift: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @property
    def size(self) -> int:
        """How many coordinates there are."""
        return self.root.shape[1] + self.intercept

    @property
    def plain(self) -> bool:
        """Whether sums may be over the rows as they are, less the shift, and be taken to the coordinates after that."""
        return self.condition <= PLAIN

    def rows(self, x: np.ndarray) -> np.ndarray:
        """The coordinates of rows x (n, p); (n, q)."""
        u = (x - self.mean) @ self.root
        return np.column_stack([np.full(len(x), self.weight**-0.5), u]) if self.intercept else u

    def shifted(self, x: np.ndarray) -> np.ndarray:
        """Rows x (n, p) less the shift, in float64."""
        return x - self.shift if self.shift.any() else x.astype(np.float64, copy=False)

    def scores(self, x: np.ndarray, gamma: np.ndarray) -> np.ndarray:
        """The scores (n, k) of rows x (n, p) with gamma (k, q)."""
        if not self.plain:
            return self.rows(x) @ gamma.T
        beta = gamma @ self.shifted_back.T
        return self.shifted(x) @ beta[:, 1:].T + beta[:, 0]

    @cached_property
    def back(self) -> np.ndarray:
        """(1 + p, q) that turns coordinates of a score into its intercept and coefficients."""
        return self._back(self.mean)

    @cached_property
    def shifted_back(self) -> np.ndarray:
        """The same for rows less the shift."""
        return self._back(self.mean - self.shift)

    def _back(self, mean: np.ndarray) -> np.ndarray:
        below = np.column_stack([np.zeros(len(mean)), self.root]) if self.intercept else self.root
        first = -mean @ below
        if self.intercept:
            first[0] += self.weight**-0.5
        return np.vstack([first, below])


def plain_axes(moments: Moments, names: Sequence[str], blocks: Blocks, collinear: Collinear, intercept: bool) -> Axes:
    """Coordinates of columns that may not be collinear, or of which those that follow from others are left out.

    Raises
    ------
    DataError
        If columns are collinear and may not be dropped.
    """
    few = "as few as possible"
    one, *_ = least_squares(moments, names, blocks, collinear=collinear, intercept=intercept, readings=few)
    assert one.root is not None  # ordinary least squares has one
    found = one.condition, one.dropped, one.relations, _shift(moments)
    return Axes(tuple(names), one.mean, one.root, moments.weight, intercept, *found)


def penalised_axes(
    moments: Moments, names: Sequence[str], standardise: bool, intercept: bool
) -> tuple[Axes, np.ndarray]:
    """Axes that span all columns, and the matrix (k, k) of the penalty in them."""
    gram = moments.centred[:-1, :-1]
    spread = np.sqrt(np.maximum(np.diag(gram), 0.0) / moments.weight)
    unit = np.where(spread > 0, spread, 1.0) if standardise else np.ones(len(gram))
    values, vectors = np.linalg.eigh(gram / np.outer(unit, unit))
    kept = values > len(values) * EPS * values.max(initial=0.0)
    axes = vectors[:, kept] / np.sqrt(values[kept])
    condition = float(values[kept].max(initial=1.0) / values[kept].min(initial=1.0))
    root = axes / unit[:, None]
    shift = _shift(moments)
    found = Axes(tuple(names), moments.mean[:-1], root, moments.weight, intercept, condition**0.5, shift=shift)
    return found, np.diag(1.0 / values[kept])


def _shift(moments: Moments) -> np.ndarray:
    """The means of columns that are far from 0, to the few digits that the moments' own shift has."""
    mean, squares = moments.mean[:-1], np.diag(moments.centred)[:-1]
    far = np.square(mean) * moments.weight > FAR**2 * squares
    return np.where(far, moments.shift[:-1], 0.0)
