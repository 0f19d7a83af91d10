"""Ridge regression on standardised columns, from one eigendecomposition of the moments.

With columns z of mean 0 and standard deviation 1, the coefficients minimise |y − z b|² + strength |b|² (the convention
of `MASS::lm.ridge` and of scikit-learn's `Ridge` after `StandardScaler`); the intercept is not penalised. The same
eigendecomposition gives every strength, so generalised cross-validation costs nothing more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import minimize_scalar

from unbend.errors import UsageError
from unbend.regression.moments import Moments
from unbend.regression.solution import Solution, intercept_of
from unbend.regression.triangle import EPS

WEAKEST, STRONGEST, GRID = 1e-10, 1e4, 57
"""Range of strengths that are tried, in units of the largest eigenvalue, and how many: four a decade."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The standardised problem in the axes of its eigenvectors.

    Attributes
    ----------
    n : rows
    values : (k,) eigenvalues of zᵀz that are not 0
    vectors : (columns, k)
    along : (k,) vectorsᵀ zᵀ y
    apart : sum of squares of what no strength explains
    """

    n: int
    values: np.ndarray
    vectors: np.ndarray
    along: np.ndarray
    apart: float

    def effective_df(self, strength: float) -> float:
        """Parameters used at this strength, the intercept included."""
        return 1.0 + float(np.sum(self.values / (self.values + strength)))

    def rss(self, strength: float) -> float:
        """Sum of squared residuals at this strength."""
        left = strength / (self.values + strength)
        return self.apart + float(np.sum(np.square(self.along * left) / self.values))

    def coefficients(self, strength: float) -> np.ndarray:
        """Coefficients of the standardised columns at this strength."""
        return self.vectors @ (self.along / (self.values + strength))

    def gcv(self, strength: float) -> float:
        """Generalised cross-validation: n RSS / (n − effective df)².

        Source: Golub, Heath and Wahba (1979), Technometrics 21, 215-223.
        """
        free = self.n - 1 - len(self.values) + float(np.sum(strength / (self.values + strength)))
        return self.n * self.rss(strength) / free**2

    def best_strength(self) -> float:
        """The strength with the least generalised cross-validation error."""
        largest = float(self.values.max(initial=1e-300))
        grid = np.linspace(np.log(WEAKEST), np.log(STRONGEST), GRID)
        errors = [self.gcv(largest * float(np.exp(step))) for step in grid]
        best = int(np.argmin(errors))
        bounds = grid[max(best - 1, 0)], grid[min(best + 1, GRID - 1)]
        found = minimize_scalar(lambda step: self.gcv(largest * float(np.exp(step))), bounds=bounds, method="bounded")
        step = found.x if found.fun < errors[best] else grid[best]
        return largest * float(np.exp(step))


def ridge(moments: Moments, strength: float | Literal["gcv"], names: Sequence[str] | None = None) -> Solution:
    """Ridge coefficients for the columns as they are; constant columns get 0.

    Parameters
    ----------
    moments : of [x | y]
    strength : of the penalty on standardised columns, or "gcv" to choose it by generalised cross-validation
    names : of the columns, x0, x1, … if None

    Raises
    ------
    UsageError
        If the strength is negative, not finite, or another word.
    """
    p = len(moments.shift) - 1
    centred, mean = moments.centred, moments.mean
    spread = np.sqrt(np.maximum(np.diag(centred), 0.0) / moments.weight)
    kept = np.flatnonzero(spread[:p] > 0)
    scaled = centred[np.ix_(kept, kept)] / np.outer(spread[kept], spread[kept])
    spectrum = _spectrum(moments.n, scaled, centred[kept, p] / spread[kept], float(centred[p, p]))
    chosen = _strength(spectrum, strength)
    coef = np.zeros(p)
    coef[kept] = spectrum.coefficients(chosen) / spread[kept]
    condition = float((spectrum.values.max(initial=0) + chosen) / (spectrum.values.min(initial=0) + chosen))
    how = "strength by generalised cross-validation" if strength == "gcv" else "strength as given"
    return Solution(
        names=tuple(names) if names is not None else tuple(f"x{j}" for j in range(p)),
        coef=coef,
        intercept=intercept_of(moments.shift, moments.offset, coef),
        n=moments.n,
        mean=mean[:p],
        y_mean=float(mean[p]),
        rss=spectrum.rss(chosen),
        tss=float(centred[p, p]),
        effective_df=spectrum.effective_df(chosen),
        root=None,
        length=spread[:p] * np.sqrt(moments.weight),
        squared=True,
        condition=condition,
        method=f"ridge on standardised columns, eigenvalues of shifted moments, {how}",
        strength=chosen,
    )


def _spectrum(n: int, gram: np.ndarray, cross: np.ndarray, tss: float) -> Spectrum:
    values, vectors = np.linalg.eigh(gram)
    kept = values > len(gram) * EPS * values.max(initial=0.0)
    values, vectors = values[kept], vectors[:, kept]
    along = vectors.T @ cross
    apart = tss - float(np.sum(np.square(along) / values)) if len(values) < n - 1 else 0.0
    return Spectrum(n, values, vectors, along, max(apart, 0.0))


def _strength(spectrum: Spectrum, strength: float | str) -> float:
    if strength == "gcv":
        return spectrum.best_strength()
    if isinstance(strength, str) or not 0 < strength < np.inf:
        raise UsageError(
            f"the ridge strength must be a positive number or gcv, not {strength}",
            try_="leave-one-out needs every row's leverage; gcv is its rotation-invariant form and needs only moments"
            if strength == "loo"
            else "",
        )
    return float(strength)
