"""Standard errors, t, p and intervals of the coefficients, and intervals of predictions.

Under the classical assumptions the noise has the same variance in every row, is independent from row to row, and (for p
and intervals in small samples) is normal; `unbend check` asks whether that may be believed. Another covariance
(`unbend.regression.sandwich`) asks less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from scipy.special import stdtr, stdtrit

from unbend.regression.covariance import Covariance, classical, row_axes
from unbend.regression.solution import Solution
from unbend.regression.trust import digits_each


@dataclass(frozen=True)
class Coefficient:
    """One row of the coefficient table; NaN where there is no inference (ridge, or a column that was dropped).

    `p` is two-sided, for the hypothesis that the coefficient is 0; `low` and `high` are the confidence interval;
    `digits` decimal digits of the estimate and `se_digits` of the standard error are right against rounding (see
    `unbend.regression.trust`).
    """

    name: str
    estimate: float
    se: float
    t: float
    p: float
    low: float
    high: float
    digits: int
    se_digits: int


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predictions (n,) with intervals for the mean at such a row, and for one new row, which has noise of its own."""

    value: np.ndarray
    mean_low: np.ndarray
    mean_high: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[Prediction]) -> Prediction:
        """Those of several blocks of rows, one after the other."""
        return cls(*(np.concatenate([np.empty(0), *(getattr(part, f.name) for part in parts)]) for f in fields(cls)))


def prediction(
    solution: Solution,
    x: np.ndarray,
    level: float,
    covariance: Covariance | None = None,
    share: np.ndarray | None = None,
) -> Prediction:
    """Predictions at rows x (n, p) with intervals at `level`; NaN intervals for ridge.

    The interval of a row adds the noise of an average row, also where the covariance (classical if None) allows it to
    differ; with `share`, the weights of the rows over the mean weight, that over the row's share.

    Checked against: statsmodels `get_prediction`, with `weights` too, 1e-10.
    """
    covariance = classical(solution) if covariance is None else covariance
    value, variance = solution.predict(x), covariance.variances(row_axes(solution, x))
    reach = stdtrit(covariance.df, 0.5 + level / 2)
    of_mean = reach * np.sqrt(variance)
    with np.errstate(divide="ignore"):
        noise = solution.rss / solution.df_resid / (1.0 if share is None else share)
    of_row = reach * np.sqrt(variance + noise)
    return Prediction(value, value - of_mean, value + of_mean, value - of_row, value + of_row)


def coefficient_table(
    solution: Solution, level: float, covariance: Covariance | None = None
) -> tuple[Coefficient, ...]:
    """The intercept and every column, under a covariance (classical if None).

    Checked against: statsmodels OLS and R `lm`, 1e-10.
    """
    covariance = classical(solution) if covariance is None else covariance
    estimates = np.array([solution.intercept, *solution.coef])
    se = covariance.standard_errors(solution)
    se[1:][np.isin(solution.names, solution.dropped)] = np.nan
    se[0] = se[0] if solution.has_intercept else np.nan
    df = covariance.df
    with np.errstate(divide="ignore", invalid="ignore"):
        t = estimates / se
    p = 2 * stdtr(df, -np.abs(t))
    reach = stdtrit(df, 0.5 + level / 2) * se
    names, digits = ("intercept", *solution.names), digits_each(solution)
    own = solution.digits_of_errors
    columns = zip(names, estimates, se, t, p, estimates - reach, estimates + reach, digits, own, strict=True)
    return tuple(
        Coefficient(name, float(b), float(s), float(ratio), float(q), float(low), float(high), int(d), int(e))
        for name, b, s, ratio, q, low, high, d, e in columns
    )
