"""What a solver gives: coefficients and what inference needs, and how far to trust them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from unbend.regression.trust import digits_each


def intercept_of(shift: np.ndarray, offset: np.ndarray, *coef: np.ndarray) -> float:
    """Mean of the target less mean · coef, rounded once; means in two parts (target last), coef a sum of parts."""
    exact = Fraction(float(shift[-1])) + Fraction(float(offset[-1]))
    for a, b, *parts in zip(shift[:-1].tolist(), offset[:-1].tolist(), *(part.tolist() for part in coef), strict=True):
        exact -= (Fraction(a) + Fraction(b)) * sum(map(Fraction, parts))
    return float(exact)


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
    length : (p,) root of the centred sum of squares of each column
    squared : whether it was computed from squares, which carry half the digits
    condition : of the columns, centred and each of length 1 (1-norm estimate); for ridge of the penalised problem
    method : in words
    dropped : names of the columns that were left out
    relations : a sentence for each of them
    strength : of the ridge penalty; None for ordinary least squares
    has_intercept : False for a fit through the origin, whose means and sums of squares are about 0
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
    length: np.ndarray
    squared: bool
    condition: float
    method: str
    dropped: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()
    strength: float | None = None
    has_intercept: bool = True

    @property
    def rank(self) -> int:
        """How many coefficients were determined; for ridge, how many columns vary."""
        return int(np.count_nonzero(self.length > 0)) if self.root is None else self.root.shape[1]

    @property
    def df_resid(self) -> float:
        """Rows that are left to estimate the noise from."""
        return self.n - self.effective_df

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predictions at rows x (n, p); from the centre, so that large means cost no digits."""
        return self.y_mean + (x - self.mean) @ self.coef

    def leverage(self, x: np.ndarray) -> np.ndarray:
        """How much each row of x (n, p) pulls the fit to itself, 1/n to 1; NaN for ridge."""
        if self.root is None:
            return np.full(len(x), np.nan)
        return self.has_intercept / self.n + np.square((x - self.mean) @ self.root).sum(axis=1)

    @property
    def standard_errors(self) -> np.ndarray:
        """(1 + p,) of the intercept and of each coefficient; NaN for ridge or no residual, 0 where dropped."""
        if self.root is None:
            return np.full(len(self.coef) + 1, np.nan)
        of_mean = self.has_intercept / self.n + np.square(self.mean @ self.root).sum()
        variances = np.array([of_mean, *np.square(self.root).sum(axis=1)])
        return np.sqrt(variances * (self.rss / self.df_resid if self.df_resid > 0 else np.nan))

    @property
    def digits(self) -> int:
        """Decimal digits that rounding leaves of the worst coefficient (see `unbend.regression.trust`)."""
        return int(digits_each(self).min())
