"""How uncertain a solution is: the covariance of its intercept and coefficients, in coordinates without correlation.

With u = [1/√n, (x − mean) root] the cross products of all rows are the identity, so a covariance is a small matrix
that is well conditioned however the columns are scaled: σ² times the identity under the classical assumptions, and
Σ e² u uᵀ and its relatives (`unbend.regression.sandwich`) without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unbend.errors import DataError
from unbend.regression.solution import Solution

SINGULAR = 1e-10
"""A covariance whose eigenvalues differ by more than this share cannot test all coefficients at once."""


@dataclass(frozen=True, eq=False)
class Covariance:
    """Covariance of the intercept and the coefficients.

    Attributes
    ----------
    kind : "classical", "HC0" to "HC4", "HAC" or "cluster"
    whitened : (1 + k, 1 + k) in the coordinates u; a number stands for that multiple of the identity
    df : degrees of freedom of t, F and the intervals
    note : a sentence that says what was assumed, "" for classical
    """

    kind: str
    whitened: np.ndarray | float
    df: float
    note: str = ""

    def variances(self, u: np.ndarray) -> np.ndarray:
        """Variance of each row's combination; u is (n, 1 + k), the result (n,)."""
        return np.einsum("ij,ij->i", self._times(u), u)

    def matrix(self, solution: Solution) -> np.ndarray:
        """Of (intercept, coefficients); (1 + p, 1 + p), NaN for ridge.

        Raises
        ------
        DataError
            If a variance is too large or too small for a float64, though its root is not.
        """
        axes = coefficient_axes(solution)
        with np.errstate(over="ignore", invalid="ignore"):
            found = self._times(axes) @ axes.T
        _refuse_lost(np.diag(found), self.standard_errors(solution), ("intercept", *solution.names))
        return found

    def standard_errors(self, solution: Solution) -> np.ndarray:
        """(1 + p,) of the intercept and of each coefficient; NaN for ridge, 0 where a column was dropped."""
        if isinstance(self.whitened, float):
            return np.sqrt(self.whitened) * solution.sway
        axes = coefficient_axes(solution)
        size = np.fmax(np.abs(axes).max(axis=1), np.finfo(float).tiny)
        return size * np.sqrt(self.variances(axes / size[:, None]))

    def f(self, solution: Solution) -> float | None:
        """F statistic (Wald's) of the hypothesis that all coefficients are 0; None if it cannot be had."""
        root = solution.root
        if root is None or not root.size or isinstance(self.whitened, float):
            return None
        along = np.linalg.lstsq(root, solution.coef, rcond=None)[0]
        values, vectors = np.linalg.eigh(np.asarray(self.whitened)[1:, 1:])
        if values[0] <= SINGULAR * values[-1]:
            return None
        return float(np.sum(np.square(vectors.T @ along) / values) / len(values))

    def _times(self, u: np.ndarray) -> np.ndarray:
        return self.whitened * u if isinstance(self.whitened, float) else u @ self.whitened


def _refuse_lost(variances: np.ndarray, errors: np.ndarray, names: Sequence[str]) -> None:
    """Raise DataError for variances (1 + p,) that are not the squares of standard errors."""
    lost = (np.isfinite(errors) & ~np.isfinite(variances)) | ((errors > 0) & (variances < np.finfo(float).tiny))
    if lost.any():
        name = names[int(np.argmax(lost))]
        raise DataError(
            f"the variance of the coefficient of {name} is too large or too small for a number of 64 bits",
            where="its standard error is not",
            try_=f"give {'the target' if name == 'intercept' else name} in another unit",
        )


def classical(solution: Solution) -> Covariance:
    """Equal and independent noise: σ² times the identity."""
    df = solution.df_resid
    return Covariance("classical", float(solution.rss / df) if df > 0 else float("nan"), df)


def row_axes(solution: Solution, x: np.ndarray) -> np.ndarray:
    """The coordinates u of rows x (n, p), whose squares sum to the leverage; (n, 1 + k), NaN for ridge."""
    if solution.root is None:
        return np.full((len(x), 1), np.nan)
    return np.column_stack([np.full(len(x), _constant(solution)), solution.centred(x) @ solution.root])


def coefficient_axes(solution: Solution) -> np.ndarray:
    """What the intercept and each coefficient are made of in the coordinates u; (1 + p, 1 + k), NaN for ridge."""
    p = len(solution.coef)
    if solution.axes is not None:
        return solution.axes
    if solution.root is None:
        return np.full((p + 1, 1), np.nan)
    first = np.array([_constant(solution), *(-(solution.mean @ solution.root))])
    return np.vstack([first, np.column_stack([np.zeros(p), solution.root])])


def _constant(solution: Solution) -> float:
    return solution.n**-0.5 if solution.has_intercept else 0.0
