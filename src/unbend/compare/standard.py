"""Columns with mean 0 and standard deviation 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Standard:
    """(x − mean) / spread for each column; a constant column is only shifted."""

    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray) -> Standard:
        """From the rows x (n, p)."""
        spread = x.std(axis=0)
        return cls(x.mean(axis=0), np.where(spread > 0, spread, 1.0))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The standardised columns (n, p)."""
        return (x - self.mean) / self.spread
