"""The small default network: scikit-learn's MLP. It is fitted anew for every fold, and its limits are stated."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor

from unbend.compare.ladder import Model
from unbend.compare.standard import Standard
from unbend.compare.training import LeftOutError, Training

HIDDEN = (64, 64)
STEPS_PER_ROUND = 40
"""Batches that the rows are cut into, of 8 to 200 rows: with few rows one large batch a round would stop too early."""
PENALTY = 1e-2
VALIDATION = 0.2
"""Share of its rows that the network sets aside to know when to stop."""
LEAST_ROWS = 30
"""With fewer rows the inner validation, a fifth of them, says nothing."""

LIMITS = (
    "The network is a small default one (scikit-learn's MLP, two hidden layers of 64 ReLU units, columns standardised, "
    "stopped early on a fifth of its rows): one that is made and tuned for these rows may do better. Give your own to "
    "have it judged."
)


def for_number(training: Training) -> Model:
    """A regression network; the target is standardised for it."""
    _refuse_few_rows(training)
    x, y = Standard.of(training.x), Standard.of(training.y[:, None])
    model = MLPRegressor(**_settings(training))
    _fit(model, x(training.x), y(training.y[:, None])[:, 0])
    mean, spread = float(y.mean[0]), float(y.spread[0])
    return Model(lambda rows: mean + spread * np.asarray(model.predict(x(rows))), _size(model), (LIMITS,))


def for_classes(training: Training) -> Model:
    """A classification network; a class with one row only cannot be learned and gets no probability."""
    _refuse_few_rows(training)
    counts = np.bincount(training.y.astype(int), minlength=training.classes)
    learned = counts[training.y.astype(int)] > 1
    if VALIDATION * learned.sum() < (counts > 1).sum():
        raise LeftOutError(
            f"The network is left out: {int(learned.sum())} rows are too few for {training.classes} classes."
        )
    x = Standard.of(training.x)
    model = MLPClassifier(**_settings(training))
    _fit(model, x(training.x[learned]), training.y[learned].astype(int))
    return Model(lambda rows: spread_out(model, x(rows), training.classes), _size(model), (LIMITS,))


def spread_out(model: Any, x: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities (n, classes) of a scikit-learn classifier that may not have seen every class."""
    probabilities = np.zeros((len(x), classes))
    probabilities[:, model.classes_] = model.predict_proba(x)
    return probabilities


def _settings(training: Training) -> dict[str, Any]:
    return {
        "hidden_layer_sizes": HIDDEN,
        "alpha": PENALTY,
        "batch_size": int(np.clip(len(training.y) // STEPS_PER_ROUND, 8, 200)),
        "early_stopping": True,
        "validation_fraction": VALIDATION,
        "random_state": training.seed % 2**32,
    }


def _refuse_few_rows(training: Training) -> None:
    if len(training.y) < LEAST_ROWS:
        raise LeftOutError(f"The network is left out: {len(training.y)} rows are too few to train one.")


def _fit(model: Any, x: np.ndarray, y: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "maximum iterations reached": the limit is part of the default
        model.fit(x, y)


def _size(model: Any) -> int:
    return sum(array.size for array in (*model.coefs_, *model.intercepts_))
