"""`PolynomialRegression`: powers and products of the columns, then least squares that keeps its digits."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations, combinations_with_replacement
from typing import Any

import numpy as np

from unbend.errors import UsageError
from unbend.regression.estimators.linear_model import InferredModel
from unbend.regression.estimators.linear_regression import solutions, warn_of
from unbend.regression.estimators.sample import names_of, take
from unbend.regression.quadratic import MOST

RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


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
        names, p = names_of(self), sample.x.shape[1]
        self.powers_ = _powers(p, self.degree, self.interaction_only)
        self.terms_ = tuple(_name(names, powers) for powers in self.powers_)
        expanded = replace(sample, x=self._columns(sample.x), names=self.terms_)
        found = solutions(expanded, self.fit_intercept, "drop")
        self._keep(found, sample.flat)
        columns = set(self.terms_[:p])
        warn_of([said for name, said in zip(found[0].dropped, self.dropped_, strict=True) if name in columns])
        return self

    def _columns(self, x: np.ndarray) -> np.ndarray:
        products = [_product(x, powers) for powers in self.powers_]
        return np.column_stack(products)


def _powers(p: int, degree: int, interaction_only: bool) -> np.ndarray:
    if not isinstance(degree, (int, np.integer)) or degree < 1:
        raise UsageError(f"the degree must be a whole number from 1, not {degree}")
    choose = combinations if interaction_only else combinations_with_replacement
    found = []
    for size in range(1, degree + 1):
        for chosen in choose(range(p), size):
            counts = Counter(chosen)
            found.append([counts[j] for j in range(p)])
            if len(found) > MOST:
                raise UsageError(
                    f"{p} columns have more than {MOST} products up to degree {degree}",
                    try_="leave columns out, or take a lower degree",
                )
    return np.array(found)


def _product(x: np.ndarray, powers: np.ndarray) -> np.ndarray:
    taking_part = np.flatnonzero(powers)
    return np.prod([x[:, j] ** powers[j] for j in taking_part], axis=0)


def _name(names: tuple[str, ...], powers: np.ndarray) -> str:
    parts = [names[j] + (str(k).translate(RAISED) if k > 1 else "") for j, k in enumerate(powers) if k]
    return "·".join(parts)
