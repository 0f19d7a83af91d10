"""A scaler outside the network: columns that the network expects standardised, or between 0 and 1."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Scaling:
    """(x − shift) / scale for each column, applied before the network."""

    kind: str
    shift: np.ndarray
    scale: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The scaled columns (n, d)."""
        return (x - self.shift) / self.scale


def standard(blocks: Iterable[np.ndarray]) -> Scaling:
    """Mean 0 and standard deviation 1 over all blocks (n, d); a constant column is only shifted.

    Equivalent to `sklearn.preprocessing.StandardScaler`. Checked against it, 1e-12.
    """
    n, mean, squares = 0, np.zeros(()), np.zeros(())
    for x in blocks:
        own = x.mean(axis=0)
        step = own - mean
        total = n + len(x)
        squares = squares + np.square(x - own).sum(axis=0) + np.square(step) * (n * len(x) / total)
        mean = mean + step * (len(x) / total)
        n = total
    spread = np.sqrt(squares / max(n, 1))
    return Scaling("standard", mean, np.where(spread > ROUNDING * np.abs(mean), spread, 1.0))


def minmax(blocks: Iterable[np.ndarray]) -> Scaling:
    """Smallest value 0 and largest 1 over all blocks (n, d); a constant column is only shifted.

    Equivalent to `sklearn.preprocessing.MinMaxScaler`. Checked against it, 1e-12.
    """
    low, high = np.array(np.inf), np.array(-np.inf)
    for x in blocks:
        low, high = np.minimum(low, x.min(axis=0)), np.maximum(high, x.max(axis=0))
    return Scaling("minmax", low, np.where(high > low, high - low, 1.0))


ROUNDING = 1e-14
"""A column whose spread is this small, relative to its mean, is constant up to rounding."""

KINDS: dict[str, Callable[[Iterable[np.ndarray]], Scaling]] = {"standard": standard, "minmax": minmax}
WORDS = {"standard": "mean 0 and standard deviation 1", "minmax": "the range 0 to 1"}
FIGURES = {"standard": "mean and the standard deviation", "minmax": "least and the largest value"}
"""What a scaler takes from rows."""
