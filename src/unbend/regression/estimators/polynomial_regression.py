"""`PolynomialRegression`: powers and products of the columns, then least squares that keeps its digits."""

from __future__ import annotations

from typing import Any

import numpy as np

from unbend.regression.design import Design
from unbend.regression.estimators.linear_model import InferredModel
from unbend.regression.estimators.linear_regression import warn_of
from unbend.regression.estimators.sample import names_of, refuse_not_finite, take
from unbend.regression.polynomial import Polynomial, polynomial
from unbend.regression.reading import refuse_unsquarable


class PolynomialRegression(InferredModel):
    """Least squares on all products of columns up to a degree.

    Equivalent to scikit-learn's `PolynomialFeatures(degree, include_bias=False)` and `LinearRegression` where the
    products are independent. A product that follows from earlier ones, such as the square of a column of 0 and 1, gets
    a coefficient of 0 and stands in `dropped_`; if a column itself follows from others, there is a `CollinearWarning`.

    Parameters
    ----------
    degree : the highest, 1 or more
    interaction_only : whether powers are left out
    fit_intercept : whether there is an intercept

    Attributes
    ----------
    powers_ : (k, p) the power of each column in each product
    terms_ : names of the products, such as `age²·bmi`
    dropped_ : a sentence for each product that was left out because it follows from earlier ones
    coef_, intercept_, rank_, condition_, digits_, n_features_in_, feature_names_in_ : as in `LinearRegression`, the
        coefficients those of `terms_`

    Examples
    --------
    >>> model = PolynomialRegression(degree=2).fit([[0.0], [1.0], [2.0], [3.0]], [1.0, 2.0, 5.0, 10.0])
    >>> model.terms_, model.coef_.round(9) + 0.0
    (('x0', 'x0²'), array([0., 1.]))
    """

    powers_: np.ndarray
    terms_: tuple[str, ...]
    _polynomial: Polynomial

    def __init__(self, degree: int = 2, *, interaction_only: bool = False, fit_intercept: bool = True) -> None:
        self.degree = degree
        self.interaction_only = interaction_only
        self.fit_intercept = fit_intercept

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> PolynomialRegression:
        """Fit to rows X (n, p) and a target (n,) or several (n, q); weights (n,) are relative to one another.

        Raises
        ------
        UsageError
            If the degree is not a whole number from 1, or if there would be more than 3 000 products.
        ValueError
            If the arguments cannot be used.
        """
        sample = take(self, X, y, sample_weight)
        refuse_not_finite(sample.x, sample.names)
        names = names_of(self)
        terms = polynomial(names, self.degree, products_only=self.interaction_only)
        design = Design.of_powers(sample.blocks, terms, self.fit_intercept)
        moments = design.moments()
        assert moments is not None  # the checks of `take` leave at least one row
        refuse_unsquarable(moments, (*terms.names, *(f"target {j}" for j in range(sample.y.shape[1]))))
        found, solved = design.solve(moments, collinear="drop")
        self.powers_, self.terms_, self._polynomial = terms.powers, terms.names, solved or terms
        self._keep(found, sample.flat)
        columns = set(names)
        warn_of([said for name, said in zip(found[0].dropped, self.dropped_, strict=True) if name in columns])
        return self

    @property
    def _terms(self) -> Polynomial:
        return self._polynomial

    def _columns(self, x: np.ndarray) -> np.ndarray:
        return self._polynomial.expand(x)
