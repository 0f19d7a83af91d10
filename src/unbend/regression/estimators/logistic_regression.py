"""`LogisticRegression`: the maximum of the likelihood by Newton's method, and an error where there is none."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from unbend.errors import UsageError
from unbend.regression.estimators.linear_regression import warn_of
from unbend.regression.estimators.logistic_rows import SampleRows, numbered
from unbend.regression.estimators.sample import WIDTHS, Sample, weighted
from unbend.regression.logistic import LogisticSolution, logistic


class LogisticRegression(ClassifierMixin, BaseEstimator):
    """Logistic regression of two classes or more.

    Maximises the log-likelihood less alpha / 2 · |coefficients|², the intercepts not penalised. Equivalent to
    `sklearn.linear_model.LogisticRegression(C=1 / alpha)`, at the exact optimum; `alpha=0` is no penalty, and then
    classes that a plane tells apart without error are refused with that plane: they have no finite optimum.

    Parameters
    ----------
    alpha : a number from 0
    standardise : whether the penalty is on coefficients of columns of standard deviation 1; then no unit matters
    fit_intercept : whether there is an intercept
    collinear : without a penalty, what to do where columns follow from earlier ones: as in `LinearRegression`

    Attributes
    ----------
    classes_ : (K,)
    coef_ : (1, p) of the second of two classes; (K, p) of more, of mean 0 over the classes
    intercept_ : (1,) or (K,) likewise
    n_iter_ : Newton steps
    solution_ : coefficients against the first class, their standard errors, the log-likelihood
    dropped_ : a sentence for each column that was left out because it follows from others
    n_features_in_, feature_names_in_ : of the columns

    Examples
    --------
    >>> model = LogisticRegression(alpha=0).fit([[0.0], [1.0], [2.0], [3.0]], ["a", "b", "a", "b"])
    >>> model.coef_.round(6), model.solution_.standard_errors.round(6)
    (array([[0.908184]]), array([[1.974883, 1.085192]]))
    """

    classes_: np.ndarray
    coef_: np.ndarray
    intercept_: np.ndarray
    solution_: LogisticSolution
    collinear: Literal["warn", "drop", "error"]

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        standardise: bool = False,
        fit_intercept: bool = True,
        collinear: Literal["warn", "drop", "error"] = "warn",
    ) -> None:
        self.alpha = alpha
        self.standardise = standardise
        self.fit_intercept = fit_intercept
        self.collinear = collinear

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LogisticRegression:
        """Fit to rows X (n, p) and their classes (n,); weights (n,) count as repetitions.

        Raises
        ------
        DataError
            If without a penalty the classes are separated (it says by which plane), or columns are collinear.
        UsageError
            If an option means nothing.
        ValueError
            If the arguments cannot be used.
        """
        self._refuse()
        sample = self._sample(X, y, sample_weight)
        self.solution_ = logistic(
            sample.moments(self.fit_intercept),
            sample.names,
            SampleRows(sample),
            [str(one) for one in self.classes_],
            strength=float(self.alpha),
            standardise=self.standardise,
            intercept=self.fit_intercept,
            collinear="error" if self.collinear == "error" else "drop",
        )
        self.dropped_ = self.solution_.axes.relations
        if self.collinear == "warn":
            warn_of(self.dropped_)
        self.n_iter_ = self.solution_.steps
        found = self.solution_.coefficients
        if len(self.classes_) > 2:
            found = np.vstack([np.zeros(found.shape[1]), found])
            found = found - found.mean(axis=0)
        self.coef_, self.intercept_ = found[:, 1:], found[:, 0]
        return self

    def _refuse(self) -> None:
        if isinstance(self.alpha, str) or not 0 <= self.alpha < np.inf:
            raise UsageError(f"alpha must be a number from 0, not {self.alpha}")
        if self.collinear not in ("warn", "drop", "error"):
            raise UsageError(f"collinear must be warn, drop or error, not {self.collinear}")

    def _sample(self, X: Any, y: Any, sample_weight: Any) -> Sample:
        x, y = validate_data(self, X, y, dtype=WIDTHS, ensure_min_samples=2, ensure_all_finite=False)
        sample, kept = weighted(self, np.asarray(x), np.asarray(y), sample_weight)
        self.classes_, numbers = numbered(kept)
        if len(self.classes_) < 2:
            raise ValueError(f"all rows are of one class, {self.classes_[0]}: there is nothing to tell apart")
        return Sample(sample.x, numbers[:, None].astype(sample.x.dtype), sample.weights, sample.names, True)

    def decision_function(self, X: Any) -> np.ndarray:
        """Log-odds (n,) of the second of two classes; scores (n, K) of more."""
        check_is_fitted(self)
        x = np.asarray(validate_data(self, X, dtype=WIDTHS, reset=False))
        scores = self.solution_.axes.scores(x, self.solution_.gamma)
        if len(self.classes_) == 2:
            return scores[:, 0]
        whole = np.column_stack([np.zeros(len(x)), scores])
        return whole - whole.mean(axis=1, keepdims=True)

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, K) probability of each class."""
        scores = self.decision_function(X)
        return expit(np.column_stack([-scores, scores])) if scores.ndim == 1 else softmax(scores, axis=1)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """(n, K) logarithm of the probability of each class."""
        scores = self.decision_function(X)
        return log_expit(np.column_stack([-scores, scores])) if scores.ndim == 1 else log_softmax(scores, axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """(n,) the most probable class."""
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(np.intp) if scores.ndim == 1 else scores.argmax(axis=1)]
