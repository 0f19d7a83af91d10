"""A scaler outside the network: columns that the network expects standardised, and an output in other units.

Whether there was one is not written in the file, so it is asked of the rows: a network that predicts worse than a
constant on the columns as they are, and well on standardised ones, was trained on standardised ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ROWS = 4096
"""How many rows the question is asked of."""

CLEARLY = 0.05
"""A scaling is taken only if the squared correlation of answer and target (or the accuracy) gains this much by it."""


WORTH_RESCALING = 0.1
"""An answer worse than a constant is put on the target's scale only if its squared correlation is this large."""


USUAL = 0.98
"""This share of the answers is taken for usual where the question is of scale."""


@dataclass(frozen=True, eq=False)
class Scaling:
    """(x − shift) / scale for each column, applied before the network."""

    kind: str
    shift: np.ndarray
    scale: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The scaled columns (n, d)."""
        return (x - self.shift) / self.scale


def standard(x: np.ndarray) -> Scaling:
    """Mean 0 and standard deviation 1; a constant column is only shifted."""
    scale = x.std(axis=0)
    return Scaling("standard", x.mean(axis=0), np.where(scale > 0, scale, 1.0))


def minmax(x: np.ndarray) -> Scaling:
    """Smallest value 0 and largest 1; a constant column is only shifted."""
    low, high = x.min(axis=0), x.max(axis=0)
    return Scaling("minmax", low, np.where(high > low, high - low, 1.0))


KINDS = {"standard": standard, "minmax": minmax}
WORDS = {"standard": "mean 0 and standard deviation 1", "minmax": "the range 0 to 1"}


def inner(values: np.ndarray) -> np.ndarray:
    """Which values are not among the most extreme: the 98 % closest to the median."""
    distance = np.abs(values - np.median(values))
    return distance <= np.quantile(distance, USUAL)


def r_squared(y: np.ndarray, predicted: np.ndarray) -> float:
    """1 − Σ(y − ŷ)² / Σ(y − ȳ)²; −inf where ŷ is not finite."""
    if not np.all(np.isfinite(predicted)):
        return -np.inf
    spread = float(np.sum((y - y.mean()) ** 2))
    return 1.0 - float(np.sum((y - predicted) ** 2)) / spread if spread > 0 else 0.0


def correlation_squared(y: np.ndarray, predicted: np.ndarray) -> float:
    """Squared correlation, 0 where either is constant or not finite."""
    if not np.all(np.isfinite(predicted)) or np.ptp(predicted) == 0 or np.ptp(y) == 0:
        return 0.0
    return float(np.corrcoef(y, predicted)[0, 1] ** 2)
