"""`RollingRegression`: least squares on the last rows of a stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, Self

import numpy as np

from unbend.errors import UsageError
from unbend.regression.estimators.linear_regression import Choice, LinearRegression
from unbend.regression.estimators.sample import Sample
from unbend.regression.estimators.updating import added_to
from unbend.regression.moments import Block
from unbend.regression.sums import Sums

WORN = 1e-20
"""Relative error of the sums, from rows that have come and gone, at which they are made anew from the rows that are
there. What is left of a sum then has 20 digits still, and a float64 needs 16."""


class RollingRegression(LinearRegression):
    """Ordinary least squares on the last `window` rows.

    `partial_fit` takes the next rows; those that leave the window are taken out of the sums again, and the coefficients
    are those of a fit of the rows in the window, to the last digits. The sums are in two parts and keep count of their
    rounding: after a row of 1e12 among ones has left, they are made anew.

    Parameters
    ----------
    window : rows that count
    fit_intercept, collinear : as in `LinearRegression`

    Attributes
    ----------
    rows_ : the rows in the window, oldest first, in blocks
    coef_, intercept_, … : as in `LinearRegression`

    Examples
    --------
    >>> model = RollingRegression(window=3)
    >>> for x, y in [(0.0, 9.0), (1.0, 1.0), (2.0, 3.0), (3.0, 5.0)]:
    ...     model = model.set_params(collinear="drop").partial_fit([[x]], [y])
    >>> round(float(model.coef_[0]), 12), round(model.intercept_, 12)
    (2.0, -1.0)
    """

    rows_: deque[Block]

    def __init__(
        self,
        window: int = 100,
        *,
        fit_intercept: bool = True,
        collinear: Choice = "warn",
    ) -> None:
        super().__init__(fit_intercept=fit_intercept, collinear=collinear)
        self.window = window

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Begin anew with these rows; the last `window` of them count."""
        for name in ("sums_", "rows_", "solutions_", "_moments"):
            self.__dict__.pop(name, None)
        return self.partial_fit(X, y, sample_weight)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Go on with the next rows, and without those that leave the window.

        Raises
        ------
        UsageError
            If the window is not a whole number from 2.
        ValueError
            If the rows have other columns or targets than those before.
        """
        if not isinstance(self.window, (int, np.integer)) or self.window < 2:
            raise UsageError(f"the window must be a whole number of rows from 2, not {self.window}")
        before = self._sums_so_far()
        sample = self._more_rows(X, y, sample_weight)
        rows = deque([*getattr(self, "rows_", ()), *_copies(sample)])
        left = _leaving(rows, self.window)
        self._settle(_moved_on(before, sample, left, rows), sample.flat)
        self.rows_ = rows
        return self


def _copies(sample: Sample) -> Iterable[Block]:
    """The rows of a sample, which the user may change afterwards."""
    return (Block._make(None if part is None else part.copy() for part in block) for block in sample.blocks())


def _leaving(rows: deque[Block], window: int) -> list[Block]:
    """Take the oldest rows out until `window` are left."""
    left = []
    excess = sum(len(block.x) for block in rows) - window
    while excess > 0:
        block = rows.popleft()
        take = min(excess, len(block.x))
        left.append(_part(block, slice(0, take)))
        if take < len(block.x):
            rows.appendleft(_part(block, slice(take, None)))
        excess -= take
    return left


def _part(block: Block, rows: slice) -> Block:
    return Block._make(None if part is None else part[rows] for part in block)


def _moved_on(before: Sums | None, sample: Sample, left: list[Block], rows: deque[Block]) -> Sums:
    """The sums of the rows in the window: those before, with the new rows, less those that left; or made anew."""
    if before is not None and sum(len(block.x) for block in left) < before.n:
        total = added_to(before, sample.blocks())
        for block in left:
            total = total - Sums.of(block, total.shift)
        if np.max(total.doubts, initial=0.0) < WORN:
            return total
    return added_to(None, rows)
