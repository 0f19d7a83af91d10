"""What a solver gives: coefficients and what inference needs, and how far to trust them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Solution:
    """Coefficients of one linear fit.

    Attributes
    ----------
    names : of the columns
    coef : (p,) 0 where a column was dropped
    intercept : the prediction where every column is 0
    n : rows
    mean : (p,) means of the columns
    y_mean : mean of the target
    rss, tss : sum of squared residuals, and about the mean
    effective_df : parameters that the fit uses, the intercept included
    root : (p, k) with root rootᵀ = inverse of the centred cross products; None for ridge
    condition : of the columns, centred and each of length 1 (1-norm estimate); for ridge of the penalised problem
    digits : decimal digits of the coefficients that rounding leaves
    method : in words
    dropped : names of the columns that were left out
    relations : a sentence for each of them
    strength : of the ridge penalty, on standardised columns; None for ordinary least squares
    """

    names: tuple[str, ...]
    coef: np.ndarray
    intercept: float
    n: int
    mean: np.ndarray
    y_mean: float
    rss: float
    tss: float
    effective_df: float
    root: np.ndarray | None
    condition: float
    digits: int
    method: str
    dropped: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()
    strength: float | None = None

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predictions at rows x (n, p); from the centre, so that large means cost no digits."""
        return self.y_mean + (x - self.mean) @ self.coef

    def leverage(self, x: np.ndarray) -> np.ndarray:
        """How much each row of x (n, p) pulls the fit to itself, 1/n to 1; NaN for ridge."""
        if self.root is None:
            return np.full(len(x), np.nan)
        return 1.0 / self.n + np.square((x - self.mean) @ self.root).sum(axis=1)


def trusted(lost: float) -> int:
    """Whole decimal digits that are left of float64's after a relative error of `lost` roundings."""
    return int(np.clip(np.floor(15.95 - np.log10(max(lost, 1.0))), 0, 15))
