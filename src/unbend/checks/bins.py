"""What happens in the outer tenths of a column, in one reading and constant memory.

Each column gets a fixed grid of bins over its mean ± eight standard deviations, known before the rows are read. A tenth
is as many bins from one end as hold a tenth of the rows; rows with equal values stay together, so it may hold more.
"""

from __future__ import annotations

import numpy as np

REACH = 8.0
"""Standard deviations either side of the mean that the grid spans; what lies beyond counts in the end bins."""


class Bins:
    """Sums over rows by bin, for `columns` values and `sums` summands at a time.

    `counts` is (columns, bins) and `totals` is (sums, columns, bins).
    """

    def __init__(self, centre: np.ndarray, scale: np.ndarray, sums: int, bins: int = 1024) -> None:
        self.low = np.atleast_1d(centre - REACH * scale)
        self.width = np.atleast_1d(2 * REACH * scale / bins)
        self.bins = bins
        self.counts = np.zeros((len(self.low), bins))
        self.totals = np.zeros((sums, len(self.low), bins))

    def see(self, values: np.ndarray, *summands: np.ndarray) -> None:
        """Add rows: `values` (rows, columns) or (rows,), each summand (rows,)."""
        values = values.reshape(len(values), -1)
        columns = values.shape[1]
        place = np.clip((values - self.low) / self.width, 0, self.bins - 1).astype(np.intp)
        place += self.bins * np.arange(columns)
        self.counts += self._sum(place, None)
        for total, summand in zip(self.totals, summands, strict=True):
            total += self._sum(place, np.repeat(summand, columns))

    def _sum(self, place: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        sums = np.bincount(place.ravel(), weights, minlength=self.counts.size)
        return sums.reshape(self.counts.shape)

    def tenths(self) -> tuple[np.ndarray, np.ndarray]:
        """Counts (2, columns) and totals (sums, 2, columns) in the lowest and the highest tenth."""
        ends = [(self.counts, self.totals), (self.counts[:, ::-1], self.totals[:, :, ::-1])]
        inside = [_first_tenth(counts) for counts, _ in ends]
        counts = np.stack([(c * m).sum(-1) for (c, _), m in zip(ends, inside, strict=True)])
        totals = np.stack([(t * m).sum(-1) for (_, t), m in zip(ends, inside, strict=True)], axis=1)
        return counts, totals

    def quantile(self, share: float) -> np.ndarray:
        """The value below which `share` of the rows lie, straight inside a bin, (columns,)."""
        cumulative = np.cumsum(self.counts, axis=1)
        wanted = share * cumulative[:, -1]
        place = np.minimum((cumulative < wanted[:, None]).sum(1), self.bins - 1)
        column = np.arange(len(place))
        below = cumulative[column, place] - self.counts[column, place]
        inside = (wanted - below) / np.maximum(self.counts[column, place], 1)
        return self.low + (place + inside) * self.width


def _first_tenth(counts: np.ndarray) -> np.ndarray:
    """Which bins, from the first on, it takes to hold a tenth of the rows, (columns, bins)."""
    before = np.cumsum(counts, axis=1) - counts
    return before < 0.1 * counts.sum(axis=1, keepdims=True)
