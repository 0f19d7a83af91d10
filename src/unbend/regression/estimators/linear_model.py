"""What linear estimators share: predictions, the attributes that are read from their solutions, and inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from unbend.data import Coding, Term
from unbend.errors import DataError
from unbend.regression.estimators.sample import WIDTHS, names_of, parts, refuse_not_finite, take
from unbend.regression.influence import Influence, influence
from unbend.regression.linear import LinearFit, Origin, linear_fit
from unbend.regression.polynomial import Polynomial
from unbend.regression.refusals import refuse_level
from unbend.regression.solution import Solution


class LinearModel(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """A linear regression of one target or several, as a scikit-learn estimator."""

    solutions_: tuple[Solution, ...]
    coef_: np.ndarray
    intercept_: Any
    rank_: int
    condition_: float
    digits_: int
    dropped_: tuple[str, ...]

    def predict(self, X: Any) -> np.ndarray:
        """Predictions at rows X (n, p); (n,), or (n, q) if the target had two axes."""
        check_is_fitted(self)
        x = np.asarray(validate_data(self, X, dtype=WIDTHS, reset=False))
        predicted = np.empty((len(x), len(self.solutions_)))
        for part in parts(len(x), self.solutions_[0].coef.size):
            rows = self._columns(x[part])
            for j, one in enumerate(self.solutions_):
                predicted[part, j] = one.predict(rows)
        return predicted[:, 0] if self.coef_.ndim == 1 else predicted

    def _columns(self, x: np.ndarray) -> np.ndarray:
        """The columns of the regression, from checked rows."""
        return x

    def _keep(self, solutions: Sequence[Solution], flat: bool) -> None:
        """Set the attributes that a fitted estimator has."""
        self.solutions_ = tuple(solutions)
        told = [one.reported for one in solutions]
        coef, intercept = np.array([one.coef for one in told]), np.array([one.intercept for one in told])
        self.coef_ = coef[0] if flat else coef
        self.intercept_ = float(intercept[0]) if flat else intercept
        self.rank_ = solutions[0].rank
        self.condition_ = max(one.condition for one in solutions)
        self.digits_ = min(one.digits for one in told)
        self.dropped_ = solutions[0].relations


class InferredModel(LinearModel):
    """A linear model whose solutions have the whole table of a fit."""

    def inference(self, level: float = 0.95) -> LinearFit | tuple[LinearFit, ...]:
        """The whole table of `unbend fit`: standard errors, t, p, intervals, R², F, AIC …; one a target.

        Row weights count as precisions (the variance of the noise is inversely proportional to them), scaled to a mean
        of 1.

        Raises
        ------
        DataError
            If no residual is left to estimate the noise from, or if the target does not vary.
        UsageError
            If the level is not between 0 and 1.
        """
        check_is_fitted(self)
        refuse_level(level)
        names = self.solutions_[0].names if self._terms is None else names_of(self)
        coding = Coding(tuple(Term(name, name) for name in names), {})
        fits = [linear_fit(self._origin(j, coding), self._terms, one, level) for j, one in enumerate(self.solutions_)]
        return fits[0] if self.coef_.ndim == 1 else tuple(fits)

    def influence(self, X: Any, y: Any, sample_weight: Any = None) -> Influence | tuple[Influence, ...]:
        """Residuals, leverages and what follows, of the rows that were fitted; one a target.

        Raises
        ------
        DataError
            If no residual is left to estimate the noise from, or if the coefficients have no leverages (ridge).
        ValueError
            If the arguments cannot be used.
        """
        check_is_fitted(self)
        sample = take(self, X, y, sample_weight, reset=False, finite=False)
        for j, one in enumerate(self.solutions_):
            self._origin(j, Coding((), {}))
            if one.root is None:
                raise DataError("these coefficients have no leverages", try_="fit without a penalty: LinearRegression")
        expand = None if self._terms is None else self._terms.expand
        found = tuple(
            influence(one, sample.x, sample.y[:, j], sample.weights, expand) for j, one in enumerate(self.solutions_)
        )
        if not np.isfinite(found[0].residual.sum()):
            refuse_not_finite(sample.x, sample.names)
        return found[0] if self.coef_.ndim == 1 else found

    @property
    def _terms(self) -> Polynomial | None:
        """Powers and products that the columns are expanded to."""
        return None

    def _origin(self, target: int, coding: Coding) -> Origin:
        one = self.solutions_[target]
        if one.df_resid <= 0 or one.tss <= 0:
            why = "no residual is left" if one.tss > 0 else "the target is the same in every row"
            raise DataError(f"there is nothing to infer from: {why}", where=f"{one.n} rows, {one.rank} coefficients")
        name = "y" if self.coef_.ndim == 1 else f"y{target}"
        return Origin("the rows given", name, (), coding)
