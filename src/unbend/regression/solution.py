"""What a solver gives: coefficients and what inference needs, and how far to trust them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unbend.exact import Double, compiled, gradient
from unbend.regression.leverages import squared_lengths
from unbend.regression.triangle import lengths
from unbend.regression.trust import digits_each, error_digits

FAR = 1e-14
"""Rounding of a mean beyond this share of the standard deviation shows in leverages."""


def intercepts_of(shift: np.ndarray, offset: np.ndarray, coef: np.ndarray) -> np.ndarray:
    """Means of the targets less mean · coef, rounded once; means in two parts (targets last), coef (p, k)."""
    mean, p = Double.of(shift, offset), len(coef)
    return (mean[p:] - (mean[:p, None] * coef).sum(axis=0)).to_float()


def intercept_of(shift: np.ndarray, offset: np.ndarray, coef: np.ndarray) -> float:
    """`intercepts_of` for one target; coef (p,)."""
    return float(intercepts_of(shift, offset, coef[:, None])[0])


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
    root : (p, k) with root rootᵀ = inverse of the centred cross products; None for ridge and for
        coefficients of least norm
    length : (p,) root of the centred sum of squares of each column
    squared : whether it was computed from squares, which carry half the digits
    condition : of the columns, centred and each of length 1 (1-norm estimate); for ridge of the penalised problem
    method : in words
    dropped : names of the columns that were left out
    relations : a sentence for each of them
    strength : of the ridge penalty; None for ordinary least squares
    has_intercept : False for a fit through the origin, whose means and sums of squares are about 0
    explained : tss − rss, to more digits than their difference has; None where nothing better is known
    refined_sway : (1 + p,) `sway`, right to the last digits; None where the root has to do
    axes : (1 + p, 1 + k) what the intercept and each coefficient are made of in the coordinates of
        `unbend.regression.covariance`; None where that is mean and root
    low : (1 + p,) what the intercept and the coefficients are beyond the last bit of a float64; None where not known
    error : (1 + p,) bound on the error of the intercept and the coefficients with `low` added, where refinement left
        one
    mean_low : (p,) what the means are beyond the last bit of `mean`, None where not known
    shares : sum of the logarithms of the rows' weights over their mean, 0 without weights
    in_units : for powers and products of shifted columns, the same for those of the columns as they are; only its
        coefficients and what is known of them are to be used
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
    explained: float | None = None
    refined_sway: np.ndarray | None = None
    low: np.ndarray | None = None
    error: np.ndarray | None = None
    axes: np.ndarray | None = None
    mean_low: np.ndarray | None = None
    shares: float = 0.0
    in_units: Solution | None = None

    @property
    def reported(self) -> Solution:
        """The solution whose coefficients are for the columns in their own units."""
        return self if self.in_units is None else self.in_units

    @property
    def r2(self) -> float:
        """Share of the sum of squares that is explained."""
        return 1 - self.rss / self.tss if self.explained is None else self.explained / self.tss

    @property
    def rank(self) -> int:
        """How many coefficients were determined; for ridge, how many columns vary."""
        if self.root is not None:
            return self.root.shape[1]
        if self.strength is None:
            return round(self.effective_df - self.has_intercept)
        return int(np.count_nonzero(self.length > 0))

    @property
    def df_resid(self) -> float:
        """Rows that are left to estimate the noise from."""
        return self.n - self.effective_df

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predictions at rows x (n, p); from the centre, so that large means cost no digits."""
        if compiled.passes is None:
            return self.y_mean + (x - self.mean) @ self.coef
        base = Double.of(self.y_mean) - (Double.of(self.coef) * self.mean).sum()
        predicted = np.empty((len(x), 1))
        gradient(x, None, -base.reshape(1), Double.of(-self.coef[:, None]), residuals=predicted)
        return predicted[:, 0]

    def residuals(
        self, x: np.ndarray, y: np.ndarray, x_low: np.ndarray | None = None, y_low: np.ndarray | None = None
    ) -> np.ndarray:
        """y (n,) less the predictions at rows x (n, p), rounded once: small ones of large numbers keep their digits.

        `x_low`, `y_low` are what the numbers are above those of x and y, if they are given in two parts.
        """
        if self.low is None:
            coef = Double.of(self.coef)
            base = Double.of(self.y_mean) - (coef * self.mean).sum()
        else:
            whole = Double.of(np.array([self.intercept, *self.coef]), self.low)
            base, coef = whole[0], whole[1:]
        found = np.empty((len(x), 1))
        low = None if y_low is None else y_low[:, None]
        gradient(x, y[:, None], base.reshape(1), coef.reshape(-1, 1), x_low=x_low, y_low=low, residuals=found)
        return found[:, 0]

    def leverage(self, x: np.ndarray) -> np.ndarray:
        """How much each row of x (n, p) pulls the fit to itself, 1/n to 1; NaN for ridge."""
        if self.root is None:
            return np.full(len(x), np.nan)
        far = self.mean_low is not None and np.any(np.abs(self.mean_low) * np.sqrt(self.n) > FAR * self.length)
        moved, mean = (self.centred(x), np.zeros_like(self.mean)) if far else (x, self.mean)
        return self.has_intercept / self.n + squared_lengths(moved, mean, self.root)

    def centred(self, x: np.ndarray) -> np.ndarray:
        """Rows x (n, p) less the means, which have more digits than a float64 where they are known."""
        return x - self.mean if self.mean_low is None else (x - self.mean) - self.mean_low

    @property
    def sway(self) -> np.ndarray:
        """(1 + p,) standard errors of the intercept and of each coefficient for noise of variance 1; NaN for ridge.

        The roots of the diagonal of the inverse of the cross products of [1 x]; their squares may be too large or too
        small for a float64 where they themselves are not.
        """
        if self.refined_sway is not None:
            return self.refined_sway
        if self.axes is not None:
            size = np.fmax(np.abs(self.axes).max(axis=1), np.finfo(float).tiny)
            return size * lengths(self.axes / size[:, None], "i")
        if self.root is None:
            return np.full(len(self.coef) + 1, np.nan)
        of_mean = np.hypot(np.sqrt(self.has_intercept / self.n), np.linalg.norm(self.mean @ self.root))
        return np.array([of_mean, *lengths(self.root, "i")])

    @property
    def standard_errors(self) -> np.ndarray:
        """(1 + p,) of the intercept and of each coefficient; NaN for ridge or no residual, 0 where dropped."""
        return self.sway * np.sqrt(self.rss / self.df_resid if self.df_resid > 0 else np.nan)

    @property
    def digits(self) -> int:
        """Decimal digits that rounding leaves of the worst coefficient (see `unbend.regression.trust`)."""
        return int(digits_each(self).min())

    @property
    def digits_of_errors(self) -> np.ndarray:
        """(1 + p,) decimal digits that rounding leaves of each standard error."""
        return error_digits(self)
