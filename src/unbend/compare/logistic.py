"""Logistic regression with a ridge, for the rungs of a target of classes: scikit-learn's, on standardised columns."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from sklearn.linear_model import LogisticRegression

from unbend.compare.ladder import Model
from unbend.compare.loss import losses
from unbend.compare.multilayer import spread_out
from unbend.compare.standard import Standard
from unbend.compare.training import LeftOutError, Training
from unbend.data.folds import fold_of

STRENGTHS = (1e-1, 1e-2, 1e-3, 1e-4)
"""Ridge penalties that are tried, for a row: the criterion is mean loss + strength |W|² / 2."""

INNER = 5
"""One row of so many is held out inside the fitted rows to choose the strength."""

STEPS = 500


def fit(training: Training, expand: Callable[[np.ndarray], np.ndarray], columns: int) -> Model:
    """Softmax regression on `expand(x)`, the strength being the best on a fifth of the fitted rows."""
    y = training.y.astype(int)
    if len(np.unique(y)) < 2:
        raise LeftOutError("Logistic regression is left out: without some fold all rows are of one class.")
    x = expand(training.x)
    standard = Standard.of(x)
    x = standard(x)
    model = _fitted(x, y, _strength(x, y, training.seed))
    free = (training.classes - 1) * (columns + 1)  # adding the same to every class's scores changes nothing
    return Model(lambda rows: spread_out(model, standard(expand(rows)), training.classes), free)


def _strength(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    inner = fold_of(np.arange(len(y)), INNER, seed) == 0
    if len(np.unique(y[~inner])) < 2:
        return STRENGTHS[0]
    losses = [_loss(_fitted(x[~inner], y[~inner], strength), x[inner], y[inner]) for strength in STRENGTHS]
    return STRENGTHS[int(np.argmin(losses))]


def _loss(model: LogisticRegression, x: np.ndarray, y: np.ndarray) -> float:
    return float(losses(spread_out(model, x, int(max(y.max(), model.classes_.max())) + 1), y).mean())


def _fitted(x: np.ndarray, y: np.ndarray, strength: float) -> LogisticRegression:
    model = LogisticRegression(C=1 / (strength * len(y)), max_iter=STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "not converged": with a weak ridge the last digits do not matter here
        return model.fit(x, y)
