"""scikit-learn estimators on unbend's solvers: the same contract, more digits, and the whole inference."""

from unbend.regression.estimators.deep_linear_ridge import DeepLinearRidge
from unbend.regression.estimators.linear_regression import LinearRegression
from unbend.regression.estimators.logistic_regression import LogisticRegression
from unbend.regression.estimators.polynomial_regression import PolynomialRegression
from unbend.regression.estimators.reduced_rank_regression import ReducedRankRegression
from unbend.regression.estimators.ridge_regression import Ridge
from unbend.regression.estimators.rolling_regression import RollingRegression

__all__ = [
    "DeepLinearRidge",
    "LinearRegression",
    "LogisticRegression",
    "PolynomialRegression",
    "ReducedRankRegression",
    "Ridge",
    "RollingRegression",
]
