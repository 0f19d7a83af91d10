"""The moments of columns that lie apart, as in Arrow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unbend.regression.moments import Block, Moments


def column_moments(columns: Sequence[np.ndarray], first: Moments | None = None) -> Moments:
    """The moments of columns (n,), the target last, about the shift of the `first` moments, or one of their own.

    Equivalent to `Moments.of(np.column_stack(columns), shift)`; each column is copied as it lies, which is faster.
    """
    together = np.empty((len(columns), len(columns[0])))
    for column, place in zip(columns, together, strict=True):
        place[:] = column
    with np.errstate(over="ignore", invalid="ignore"):
        return Moments.of_block(Block(together[:-1].T, together[-1:].T), first and first.shift)
