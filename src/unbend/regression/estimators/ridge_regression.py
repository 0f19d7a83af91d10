"""`Ridge`: ridge regression whose strength the data may choose in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
from sklearn.utils.metaestimators import available_if

from unbend.regression.dual import dual_ridge
from unbend.regression.estimators.partitioned import Partitioned, take_anywhere
from unbend.regression.estimators.sample import Sample
from unbend.regression.estimators.updating import UpdatedModel
from unbend.regression.least_squares import per_row
from unbend.regression.moments import Moments, logs_of_shares, sum_of_logs
from unbend.regression.ridge import ridge
from unbend.regression.solution import Solution
from unbend.regression.sums import Sums


class Ridge(UpdatedModel):
    """Least squares with a penalty: |y − X b − b₀|² + alpha |b|², the intercept b₀ not penalised.

    Equivalent to `sklearn.linear_model.Ridge(alpha)`; with `standardise=True` to the same after `StandardScaler`, with
    the coefficients given for the columns as they are. Row weights multiply the squared residuals as they are (they are
    not scaled), as in scikit-learn; where the data choose the strength, they count as repetitions of rows.

    Parameters
    ----------
    alpha : a positive number; "gcv" for the least generalised cross-validation error; "loo" for the least sum of
        squared errors of each row predicted without it. With several targets each gets its own
    standardise : whether the penalty is on coefficients of columns of standard deviation 1; then no unit matters
    fit_intercept : whether there is an intercept

    Attributes
    ----------
    alpha_ : the strength that was used; (q,) if the target had two axes
    effective_df_ : parameters that the fit uses, the intercept included; (q,) likewise
    coef_, intercept_, rank_, condition_, digits_, n_features_in_, feature_names_in_ : as in `LinearRegression`;
        `condition_` is that of the penalised problem

    Examples
    --------
    >>> model = Ridge(alpha=2.0).fit([[0.0], [1.0], [2.0], [3.0]], [1.0, 3.0, 5.0, 7.0])
    >>> round(float(model.coef_[0]), 12)
    1.428571428571
    """

    alpha: float | Literal["gcv", "loo"]

    def __init__(
        self, alpha: float | Literal["gcv", "loo"] = 1.0, *, standardise: bool = False, fit_intercept: bool = True
    ) -> None:
        self.alpha = alpha
        self.standardise = standardise
        self.fit_intercept = fit_intercept

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Ridge:
        """Fit to rows X (n, p) and a target (n,) or several (n, q), with weights (n,).

        All may be Arrays, or X a DataFrame and y a Series, of Dask, in the same partitions; not for "loo".

        Raises
        ------
        UsageError
            If `alpha` is neither a positive number nor one of its words.
        ValueError
            If the arguments cannot be used.
        """
        sample = take_anywhere(self, X, y, sample_weight)
        if isinstance(sample, Sample) and len(sample.x) < len(sample.names):
            moments, found = None, [self._dual(sample, j) for j in range(sample.y.shape[1])]
        else:
            moments = sample.moments(self.fit_intercept)
            found = [self._solve(sample, moments, j) for j in range(len(moments.shift) - len(sample.names))]
        self._keep(found, sample.flat)
        self._begin(moments)
        return self

    @available_if(lambda self: self.alpha != "loo")
    def partial_fit(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, X: Any, y: Any, sample_weight: Any = None
    ) -> Self:
        """Go on with more rows, as `LinearRegression.partial_fit`; not for "loo", which needs all rows at once."""
        return super().partial_fit(X, y, sample_weight)

    def _keep(self, solutions: Sequence[Solution], flat: bool) -> None:
        super()._keep(solutions, flat)
        alphas, dfs = np.array([one.strength for one in solutions]), np.array([one.effective_df for one in solutions])
        self.alpha_ = float(alphas[0]) if flat else alphas
        self.effective_df_ = float(dfs[0]) if flat else dfs

    def _of_sums(self, sums: Sums, names: Sequence[str]) -> Solution:
        moments = (sums if self.fit_intercept else sums.about_origin()).moments()
        found = ridge(moments, self.alpha, names, standardise=self.standardise, intercept=self.fit_intercept)
        return per_row(found, moments.weight, moments.shares)

    def _dual(self, sample: Sample, target: int) -> Solution:
        found = dual_ridge(
            sample.of_rows(target),
            self.alpha,
            sample.names,
            standardise=self.standardise,
            intercept=self.fit_intercept,
        )
        if sample.weights is None:
            return found
        weight = float(sample.weights.sum())
        return per_row(found, weight, logs_of_shares(sum_of_logs(sample.weights), len(sample.x), weight))

    def _solve(self, sample: Sample | Partitioned, moments: Moments, target: int) -> Solution:
        p, rows = len(sample.names), None
        if self.alpha == "loo" and isinstance(sample, Sample):
            rows = sample.rows._replace(y=sample.y[:, [target]])
        found = ridge(
            moments.of_columns([*range(p), p + target]),
            self.alpha,
            sample.names,
            standardise=self.standardise,
            intercept=self.fit_intercept,
            rows=rows,
        )
        return per_row(found, moments.weight, moments.shares)
