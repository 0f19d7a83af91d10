"""Standard errors, t, p and intervals of the coefficients, under the classical assumptions.

The noise has the same variance in every row, is independent from row to row, and (for p and intervals in small samples)
is normal. `unbend check` asks whether that may be believed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from unbend.regression.solution import Solution
from unbend.regression.trust import digits_each


@dataclass(frozen=True)
class Coefficient:
    """One row of the coefficient table; NaN where there is no inference (ridge, or a column that was dropped).

    `p` is two-sided, for the hypothesis that the coefficient is 0; `low` and `high` are the confidence interval;
    `digits` decimal digits of the estimate are right against rounding (see `Solution.digits_each`).
    """

    name: str
    estimate: float
    se: float
    t: float
    p: float
    low: float
    high: float
    digits: int


def covariance(solution: Solution) -> np.ndarray:
    """Covariance of (intercept, coefficients); (1 + p, 1 + p), NaN for ridge."""
    p = len(solution.coef)
    if solution.root is None:
        return np.full((p + 1, p + 1), np.nan)
    variance = solution.rss / df_resid(solution)
    between = solution.root @ solution.root.T
    with_intercept = -between @ solution.mean
    corner = 1.0 / solution.n + np.square(solution.mean @ solution.root).sum()
    return variance * np.block([[np.array([[corner]]), with_intercept[None]], [with_intercept[:, None], between]])


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predictions (n,) with intervals for the mean at such a row, and for one new row, which has noise of its own."""

    value: np.ndarray
    mean_low: np.ndarray
    mean_high: np.ndarray
    low: np.ndarray
    high: np.ndarray


def prediction(solution: Solution, x: np.ndarray, level: float) -> Prediction:
    """Predictions at rows x (n, p) with intervals at `level`; NaN intervals for ridge.

    Checked against: statsmodels `get_prediction`, 1e-10.
    """
    value, leverage, df = solution.predict(x), solution.leverage(x), df_resid(solution)
    reach = stdtrit(df, 0.5 + level / 2) * np.sqrt(solution.rss / df)
    of_mean, of_row = reach * np.sqrt(leverage), reach * np.sqrt(1 + leverage)
    return Prediction(value, value - of_mean, value + of_mean, value - of_row, value + of_row)


def df_resid(solution: Solution) -> float:
    """Rows that are left to estimate the noise from."""
    return solution.n - solution.effective_df


def coefficient_table(solution: Solution, level: float) -> tuple[Coefficient, ...]:
    """The intercept and every column.

    Checked against: statsmodels OLS and R `lm`, 1e-10.
    """
    estimates = np.array([solution.intercept, *solution.coef])
    se = solution.standard_errors
    se[1:][np.isin(solution.names, solution.dropped)] = np.nan
    df = df_resid(solution)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = estimates / se
    p = 2 * stdtr(df, -np.abs(t))
    reach = stdtrit(df, 0.5 + level / 2) * se
    names, digits = ("intercept", *solution.names), digits_each(solution)
    columns = zip(names, estimates, se, t, p, estimates - reach, estimates + reach, digits, strict=True)
    return tuple(Coefficient(name, *map(float, rest), digits=int(d)) for name, *rest, d in columns)
