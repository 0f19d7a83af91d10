"""The moments of columns that lie apart, as in Arrow."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from unbend.regression.moments import Block, Moments


def column_moments(columns: Sequence[np.ndarray], first: Moments | None = None) -> Moments:
    """The moments of columns (n,), the target last, about the shift of the `first` moments, or one of their own.

    Equivalent to `Moments.of(np.column_stack(columns), shift)`; each column is copied as it lies, which is faster.
    """
    together = _room.of(len(columns), len(columns[0]))
    for column, place in zip(columns, together, strict=True):
        place[:] = column
    with np.errstate(over="ignore", invalid="ignore"):
        return Moments.of_block(Block(together[:-1].T, together[-1:].T), first and first.shift)


class _Room(threading.local):
    """Memory that a thread keeps for its next block.

    To get it anew from the system takes as long as the products do, and a worker of Dask is told (by
    MALLOC_TRIM_THRESHOLD_) to give all of it back at once.
    """

    numbers = np.empty(0)

    def of(self, columns: int, rows: int) -> np.ndarray:
        """Some of it, (columns, rows); it has numbers of before."""
        if len(self.numbers) < columns * rows:
            self.numbers = np.empty(columns * rows)
        return self.numbers[: columns * rows].reshape(columns, rows)


_room = _Room()
