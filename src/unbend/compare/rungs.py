"""The rungs: constant, linear, quadratic and a small network; for classes with logistic regressions.

To add a rung, add a function here. It gets the rows that it may see and gives a model; where on the ladder it stands
is where it stands in this file.
"""

from __future__ import annotations

import numpy as np

from unbend.compare import logistic, multilayer
from unbend.compare.ladder import Model, rung
from unbend.compare.training import LeftOutError, Training
from unbend.regression import ordinary, ridge


@rung("constant", "a constant", task="number")
def constant(training: Training) -> Model:
    """ŷ = the mean of the fitted rows."""
    mean = float(training.linear_moments.mean[-1])
    return Model(lambda x: np.full(len(x), mean), parameters=1)


@rung("linear", "linear regression", task="number")
def linear(training: Training) -> Model:
    """ŷ = W x + b by least squares.

    Equivalent to `sklearn.linear_model.LinearRegression` where the columns are independent; columns that follow from
    others are left out.
    """
    p = len(training.names)
    if training.n < p + 2:
        raise LeftOutError(
            f"linear regression is left out: {training.n} rows to fit on do not determine {p} columns and an intercept."
        )
    solution = ordinary(training.linear_moments, training.names, collinear="drop")
    note = (f"Left out of the linear regression: {_listed(solution.relations)}.",) if solution.relations else ()
    return Model(solution.predict, p + 1 - len(solution.dropped), note)


@rung("quadratic", "the quadratic", task="number")
def quadratic(training: Training) -> Model:
    """ŷ = W [x, squares and products] + b by ridge regression, strength by generalised cross-validation.

    Equivalent to scikit-learn's `Ridge` after `PolynomialFeatures(2)` and `StandardScaler`.
    """
    expansion = training.expansion
    if expansion.terms is None:
        raise LeftOutError(expansion.note)
    solution = ridge(training.quadratic_moments, "gcv", expansion.terms.names)
    return Model(lambda x: solution.predict(expansion.expand(x)), len(expansion.terms.names) + 1)


@rung("network", "the network", task="number", needs="rows", unstable=True)
def network(training: Training) -> Model:
    """scikit-learn's MLP with two hidden layers of 64 ReLU units, columns and target standardised, stopped early."""
    return multilayer.for_number(training)


@rung("constant", "the class shares", task="classes")
def shares(training: Training) -> Model:
    """The share of each class among the fitted rows."""
    found = training.counts / training.n
    return Model(lambda x: np.broadcast_to(found, (len(x), len(found))), parameters=len(found) - 1)


@rung("logistic", "logistic regression", task="classes", needs="rows")
def linear_logistic(training: Training) -> Model:
    """Softmax of W x + b by penalised likelihood, strength by inner validation."""
    return logistic.fit(training, lambda x: x, len(training.names))


@rung("quadratic", "the quadratic", task="classes", needs="rows")
def quadratic_logistic(training: Training) -> Model:
    """Softmax of W [x, squares and products] + b by penalised likelihood, strength by inner validation."""
    if training.expansion.terms is None:
        raise LeftOutError(training.expansion.note)
    return logistic.fit(training, training.expansion.expand, len(training.expansion.terms.names))


@rung("network", "the network", task="classes", needs="rows", unstable=True)
def network_classifier(training: Training) -> Model:
    """scikit-learn's MLP with two hidden layers of 64 ReLU units, columns standardised, stopped early."""
    return multilayer.for_classes(training)


def _listed(sentences: tuple[str, ...], most: int = 3) -> str:
    more = f"; and {len(sentences) - most} more" if len(sentences) > most else ""
    return "; ".join(sentences[:most]) + more
