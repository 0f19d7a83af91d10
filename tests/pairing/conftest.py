"""Networks of known answers, as scikit-learn estimators or ONNX models, and tables for them."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor

from unbend.network.metadata import CLASSES, FEATURES

sys.path.insert(0, str(Path(__file__).parent.parent / "network"))

from onnx_graphs import Graph


@pytest.fixture
def linear() -> Callable[..., onnx.ModelProto]:
    """`linear([1, 2, 3], 4, features=…)`: the network 1 x0 + 2 x1 + 3 x2 + 4."""

    def make(weight: Sequence[float], bias: float = 0.0, *, features: Any = None) -> onnx.ModelProto:
        graph = Graph("N", len(weight))
        end = graph("Gemm", "x", np.array(weight, dtype=float)[:, None], np.array([bias], dtype=float))
        return described(graph.model(end), features=features)

    return make


@pytest.fixture
def ending() -> Callable[..., onnx.ModelProto]:
    """`ending(W, "Softmax")`: the network x W, and then the op."""

    def make(weight: np.ndarray, *ops: str, classes: Any = None) -> onnx.ModelProto:
        graph = Graph("N", len(weight))
        value = graph("MatMul", "x", weight)
        for op in ops:
            value = graph(op, value, **({"axis": -1} if "Softmax" in op else {}))
        return described(graph.model(value), classes=classes)

    return make


def described(model: onnx.ModelProto, *, features: Any = None, classes: Any = None) -> onnx.ModelProto:
    import json

    for key, names in ((FEATURES, features), (CLASSES, classes)):
        if names is not None:
            entry = model.metadata_props.add()
            entry.key, entry.value = key, json.dumps(list(names))
    return model


@pytest.fixture
def trained() -> Callable[..., Any]:
    """A small scikit-learn network, trained on the rows given."""

    def train(x: Any, y: np.ndarray, classes: bool = False, **settings: Any) -> Any:
        kind = MLPClassifier if classes else MLPRegressor
        options = {
            "hidden_layer_sizes": (12,),
            "max_iter": 500,
            "random_state": 0,
            "learning_rate_init": 0.01,
        } | settings
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return kind(**options | settings).fit(x, y)

    return train


@pytest.fixture
def least_squares() -> Callable[..., LinearRegression]:
    """scikit-learn's linear regression, which unbend reads as a network without bends."""
    return lambda x, y: LinearRegression().fit(x, y)
