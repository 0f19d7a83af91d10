"""Training the demo's network: a scaler and a small ReLU network, on the rows that are not held out."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unbend.demo.cases import Case, Settings

if TYPE_CHECKING:
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import Pipeline

HELD_OUT = 1 / 3
"""Share of the rows that the network does not see: the intervals need them more than the training does."""

ONE_THREAD = 1
"""The matrices of so small a network are multiplied faster by one thread than shared out among several."""


@dataclass(frozen=True)
class Trained:
    """A network and the data it belongs to; `held_out` is true where the network has not seen the row."""

    network: Pipeline
    columns: Mapping[str, np.ndarray]
    held_out: np.ndarray


def train(case: Case, seed: int = 0) -> Trained:
    """Train the network of `case`, with the target in its own unit. Same seed, same network."""
    columns = case.columns()
    y = columns[case.target]
    x = np.column_stack([values for name, values in columns.items() if name != case.target])
    held_out = np.zeros(len(y), dtype=bool)
    held_out[np.random.default_rng(seed).permutation(len(y))[: round(HELD_OUT * len(y))]] = True
    return Trained(_fit(case, x[~held_out], y[~held_out], seed), columns, held_out)


def _fit(case: Case, x: np.ndarray, y: np.ndarray, seed: int) -> Pipeline:
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    network = MLPRegressor(**_settings(case.network), random_state=seed)
    pipeline = make_pipeline(StandardScaler(), network)
    mean, spread = y.mean(), y.std()
    with warnings.catch_warnings(), threadpool_limits(ONE_THREAD):
        warnings.simplefilter("ignore")  # "maximum iterations reached": the rounds are limited on purpose
        pipeline.fit(x, (y - mean) / spread)
    _into_unit_of_target(network, mean, spread)
    return pipeline


def _settings(network: Settings) -> dict[str, Any]:
    """In scikit-learn's words; training stops when a sixth of its rows, set aside, are predicted no better."""
    return {
        "hidden_layer_sizes": network.hidden,
        "alpha": network.penalty,
        "batch_size": network.batch,
        "max_iter": network.rounds,
        "learning_rate_init": 3e-3,
        "early_stopping": True,
        "validation_fraction": 1 / 6,
        "n_iter_no_change": 20,
    }


def _into_unit_of_target(network: MLPRegressor, mean: float, spread: float) -> None:
    """The last layer is affine, so undoing the scaling of the target folds into it."""
    network.coefs_[-1] *= spread
    network.intercepts_[-1] = network.intercepts_[-1] * spread + mean
