"""Tables and networks for the tests of the ladder."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor


@pytest.fixture
def frame() -> Callable[..., pa.Table]:
    """A table of the columns x0, x1, … and any others by name."""

    def make(x: np.ndarray, **others: object) -> pa.Table:
        return pa.table({f"x{j}": x[:, j] for j in range(x.shape[1])} | {k: pa.array(v) for k, v in others.items()})

    return make


@pytest.fixture
def trained() -> Callable[..., MLPRegressor | MLPClassifier]:
    """A small scikit-learn network, trained on the rows given."""

    def train(x: np.ndarray, y: np.ndarray, classes: bool = False, **settings: object) -> MLPRegressor | MLPClassifier:
        kind = MLPClassifier if classes else MLPRegressor
        network = kind(**({"hidden_layer_sizes": (16,), "max_iter": 400, "random_state": 0} | settings))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return network.fit(x, y)

    return train
