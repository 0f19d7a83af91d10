"""The tests of bends build their networks with `onnx_graphs.py`, which lies beside the tests of networks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "network"))

from onnx_graphs import Graph

from unbend.data import open_table
from unbend.network import read
from unbend.pairing import Pair, pair


class Layers:
    """Weights of a network of fully connected layers, and what NumPy makes of them."""

    def __init__(self, *widths: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.weights = [rng.normal(size=(a, b)) / np.sqrt(a) for a, b in pairwise(widths)]
        self.biases = [0.3 * rng.normal(size=b) for b in widths[1:]]

    def __call__(self, graph: Graph, act: Callable[[Graph, str], str], end: str = "x") -> str:
        """The layers as nodes, with `act` between them."""
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            end = graph("Gemm", end, weight, bias)
            end = act(graph, end) if layer < len(self.weights) - 1 else end
        return end

    def before(self, x: np.ndarray, act: Callable[[np.ndarray], np.ndarray]) -> list[np.ndarray]:
        """What goes into each activation, and last the output, for rows x (n, inputs)."""
        found = []
        for weight, bias in zip(self.weights, self.biases, strict=True):
            found.append((x if not found else act(found[-1])) @ weight + bias)
        return found


@pytest.fixture
def layers() -> type[Layers]:
    return Layers


@pytest.fixture
def mlp() -> Callable[..., onnx.ModelProto]:
    """`mlp(layers, "Relu")`: the layers with an op of that name between them, in float64."""

    def make(of: Layers, op: str, *constants: object, dtype: type = np.float64, **attributes: object):
        graph = Graph("N", len(of.weights[0]), dtype=dtype)
        return graph.model(of(graph, lambda g, end: g(op, end, *constants, **attributes)))

    return make


def frame_of(x: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(x, columns=[f"c{j}" for j in range(x.shape[1])])


@pytest.fixture
def frame() -> Callable[[np.ndarray], pd.DataFrame]:
    """A table of the columns c0, c1, …"""
    return frame_of


@pytest.fixture
def matched() -> Callable[..., Pair]:
    """A network and rows, matched; `y` makes a target of them."""

    def make(model: object, x: np.ndarray, y: np.ndarray | None = None, **options: object) -> Pair:
        data = frame_of(x) if y is None else frame_of(x).assign(y=y)
        return pair(read(model), open_table(data, None if y is None else "y", **options), scale="none")  # pyright: ignore[reportArgumentType]

    return make
