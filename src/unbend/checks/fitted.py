"""The fit under inspection, in coordinates in which every check is a sum over rows.

The first reading gives the solution (regression's moments or factor). With centred columns Z = Q R (Q orthonormal, R
triangular) and the constant column 1/√n put before Q, a row's leverage is |q|², the coefficients are Bᵀ Qᵀ y, and
the weight with which row i enters coefficient j is (q_i B)_j. The second reading computes q for every row once, for
all checks together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import stdtrit

from unbend.data import Term
from unbend.regression import Solution

FULL_LEVERAGE = 1e-8
"""A row whose leverage is nearer to 1 than this decides a coefficient alone: it has no residual of its own."""

NO_NOISE = 1e-20
"""Residual variance, as a share of the target's, below which the columns give the target exactly (ten digits)."""


@dataclass(frozen=True)
class Fitted:
    """A least-squares fit of y on a constant and p columns, as known after the first reading.

    Attributes
    ----------
    names, columns : (p,) the name of each column, and the column of the source that it was coded from
    bendable : those of the p columns that hold more than two numbers, so that a line through them could bend
    kept : (p,) where it stands among the coded columns, some of which may follow from others and be left out
    n : rows
    mean, target_mean : (p,) and the target's
    root : (p, p) R⁻¹, upper triangular; root rootᵀ is the inverse of the centred cross products
    slopes : (p,) coefficients
    tss, rss : sums of squares about the mean, and of the residuals
    level : of the intervals that the verdicts are about
    relations : a sentence for each column that was left out
    """

    names: tuple[str, ...]
    columns: tuple[str, ...]
    bendable: np.ndarray
    kept: np.ndarray
    n: int
    mean: np.ndarray
    target_mean: float
    root: np.ndarray
    slopes: np.ndarray
    tss: float
    rss: float
    level: float = 0.95
    relations: tuple[str, ...] = ()

    @classmethod
    def of(cls, solution: Solution, terms: Sequence[Term], level: float = 0.95) -> Fitted:
        """From the solution of ordinary least squares on coded columns."""
        if solution.root is None:
            raise ValueError("the checks are about ordinary least squares, not ridge")
        kept = [i for i, name in enumerate(solution.names) if name not in solution.dropped]
        return cls(
            tuple(terms[i].name for i in kept),
            tuple(terms[i].column for i in kept),
            np.flatnonzero([terms[i].level is None and not terms[i].two_valued for i in kept]),
            np.array(kept),
            solution.n,
            solution.mean[kept],
            solution.y_mean,
            solution.root[kept],
            solution.coef[kept],
            solution.tss,
            solution.rss,
            level,
            solution.relations,
        )

    @property
    def p(self) -> int:
        """How many columns, without the constant."""
        return len(self.names)

    @property
    def df(self) -> int:
        """Rows beyond the coefficients, n − p − 1."""
        return self.n - self.p - 1

    @property
    def sigma(self) -> float:
        """The residual standard error, √(RSS / df)."""
        return float(np.sqrt(self.rss / self.df))

    @property
    def r2(self) -> float:
        """The share of the target's variance that the columns explain."""
        return 1 - self.rss / self.tss

    @property
    def spread(self) -> float:
        """The standard deviation of the predictions, a hair above 0 where the columns explain nothing."""
        return float(np.sqrt(max(self.tss - self.rss, np.finfo(float).eps * self.tss) / self.n))

    @cached_property
    def scale(self) -> np.ndarray:
        """The standard deviations of the columns, (p,)."""
        return np.linalg.norm(self.factor, axis=0) / np.sqrt(self.n)

    @property
    def noiseless(self) -> bool:
        """Whether the columns give the target exactly, up to rounding."""
        rounding = self.n * (64 * np.finfo(float).eps * self.target_mean) ** 2
        return self.rss <= max(NO_NOISE * self.tss, rounding)

    @cached_property
    def factor(self) -> np.ndarray:
        """R (p, p), upper triangular: RᵀR is the centred cross products."""
        return solve_triangular(self.root, np.eye(self.p))

    @cached_property
    def coordinates(self) -> np.ndarray:
        """Qᵀy, (p,): what each orthonormal column explains is its square."""
        return self.factor @ self.slopes

    @cached_property
    def estimators(self) -> np.ndarray:
        """B (p+1, p+1): from the coordinates of a row, constant first, to its weight in [intercept, coefficients]."""
        b = np.zeros((self.p + 1, self.p + 1))
        b[0, 0] = 1 / np.sqrt(self.n)
        b[1:, 0] = -self.root.T @ self.mean
        b[1:, 1:] = self.root.T
        return b

    @cached_property
    def coefficients(self) -> np.ndarray:
        """[intercept, coefficients], (p+1,)."""
        return np.concatenate([[self.target_mean - self.slopes @ self.mean], self.slopes])

    @cached_property
    def unscaled(self) -> np.ndarray:
        """The diagonal of (XᵀX)⁻¹, intercept first, (p+1,): variances of the coefficients for noise of variance 1."""
        return np.einsum("ij,ij->j", self.estimators, self.estimators)

    @property
    def standard_errors(self) -> np.ndarray:
        """The classical standard errors, intercept first, (p+1,)."""
        return self.sigma * np.sqrt(self.unscaled)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the coefficients, intercept first."""
        return ("intercept", *self.names)

    def critical(self, df: float | None = None) -> float:
        """Student's quantile for a two-sided interval at the level."""
        return float(stdtrit(self.df if df is None else df, (1 + self.level) / 2))

    def rows(self, x: np.ndarray, y: np.ndarray) -> FittedRows:
        """A block of rows, `x` (rows, coded columns), seen through this fit."""
        x = x[:, self.kept] if len(self.kept) < x.shape[1] else x
        q = np.empty((len(x), self.p + 1))
        q[:, 0] = 1 / np.sqrt(self.n)
        q[:, 1:] = (x - self.mean) @ self.root
        return FittedRows(self, x, y, q)


@dataclass(frozen=True)
class FittedRows:
    """One block of the second reading: `x` (rows, p), `y` (rows,), and `q` (rows, p+1), constant first."""

    fit: Fitted
    x: np.ndarray
    y: np.ndarray
    q: np.ndarray

    @cached_property
    def fitted(self) -> np.ndarray:
        """What the fit predicts, (rows,)."""
        return self.fit.target_mean + self.q[:, 1:] @ self.fit.coordinates

    @cached_property
    def residual(self) -> np.ndarray:
        """The target less the prediction, (rows,)."""
        return self.y - self.fitted

    @cached_property
    def standard(self) -> np.ndarray:
        """The columns with mean 0 and standard deviation 1, (rows, p)."""
        return (self.x - self.fit.mean) / self.fit.scale

    @cached_property
    def leverage(self) -> np.ndarray:
        """How much each row's own target moves its prediction, (rows,), between 1/n and 1."""
        return np.einsum("ij,ij->i", self.q, self.q)

    @cached_property
    def freedom(self) -> np.ndarray:
        """1 − leverage, (rows,); infinite where a row decides a coefficient alone, so that dividing gives 0."""
        rest = 1 - self.leverage
        return np.where(rest > FULL_LEVERAGE, rest, np.inf)

    @cached_property
    def deleted(self) -> np.ndarray:
        """The residual of each row from the fit to all the others, e / (1 − h), (rows,)."""
        return self.residual / self.freedom

    @cached_property
    def studentised(self) -> np.ndarray:
        """`deleted` over its standard error from the other rows, (rows,): Student's t with df − 1 on clean rows.

        All 0 where there is no noise.
        """
        if self.fit.noiseless:
            return np.zeros_like(self.residual)
        df = self.fit.df
        squared = self.residual**2 / (self.fit.sigma**2 * self.freedom)
        return np.sign(self.residual) * np.sqrt(squared * (df - 1) / np.maximum(df - squared, df * np.finfo(float).eps))

    @cached_property
    def weights(self) -> np.ndarray:
        """The weight of each row in each coefficient, intercept first, (rows, p+1)."""
        return self.q @ self.fit.estimators

    @cached_property
    def shares(self) -> np.ndarray:
        """The share of each row in the variance of each coefficient, (rows, p+1); each column sums to 1."""
        return self.weights**2 / self.fit.unscaled
