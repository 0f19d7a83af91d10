"""Linear and ridge regression in closed form, and logistic regression, from a stream of rows."""

from unbend.regression.fitting import fit
from unbend.regression.inference import Coefficient, Prediction
from unbend.regression.linear import LinearFit
from unbend.regression.logistic_fit import LogisticFit
from unbend.regression.moments import Moments
from unbend.regression.ordinary import ordinary
from unbend.regression.quadratic import Quadratic, quadratic
from unbend.regression.ridge import ridge
from unbend.regression.solution import Solution
from unbend.regression.state import FitState
from unbend.regression.table_fit import fit_table

__all__ = [
    "Coefficient",
    "FitState",
    "LinearFit",
    "LogisticFit",
    "Moments",
    "Prediction",
    "Quadratic",
    "Solution",
    "fit",
    "fit_table",
    "ordinary",
    "quadratic",
    "ridge",
]
