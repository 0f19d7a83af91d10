"""`examine` of networks that are no function of one row: those that draw, and those that mix the rows of a batch."""

import numpy as np
import pandas as pd
from onnx_graphs import Graph

from unbend.examine import examine
from unbend.network import Runner, mixes_rows, read

rng = np.random.default_rng(3)
TABLE = pd.DataFrame(rng.normal(size=(120, 4)), columns=list("abcd"))
TABLE["y"] = TABLE.a - 2 * TABLE.b + 0.1 * rng.normal(size=120)
WEIGHT = np.array([[1.0], [-2.0], [0.5], [0.25]])


def finding(found, name):
    return next(one.sentence for one in found.findings if one.name == name)


def test_a_dropout_in_training_mode_is_named():
    graph = Graph("N", 4)
    drawn = graph("Dropout", "x", np.array(0.5), np.array(True))
    found = examine(graph.model(graph("Gemm", drawn, WEIGHT)), TABLE, "y")
    assert found.regression is None
    assert "Dropout is in training mode, so its output is random" in finding(found, "is_regression")


def test_a_network_that_mixes_the_rows_of_a_batch_is_no_regression_of_one_row():
    graph = Graph("N", 4)
    centred = graph("Sub", "x", graph("ReduceMean", "x", np.array([0]), keepdims=1))
    network = read(graph.model(graph("Add", graph("Gemm", centred, WEIGHT), graph("Gemm", "x", WEIGHT))))
    assert mixes_rows(network)
    found = examine(network, TABLE, "y")
    assert found.regression is None
    assert "mixes the rows of a batch" in finding(found, "is_regression")


def test_rows_that_stay_apart_are_not_mixed():
    graph = Graph("N", 4)
    assert not mixes_rows(read(graph.model(graph("Gemm", "x", WEIGHT))))
    graph = Graph(8, 4)
    assert not mixes_rows(read(graph.model(graph("Gemm", "x", WEIGHT))))


def test_rows_that_cannot_be_run_together_are_not_said_to_be_mixed():
    graph = Graph("N", 4)
    network = read(graph.model(graph("Gemm", graph("Reshape", "x", np.array([1, 4])), WEIGHT)))
    assert not mixes_rows(network)
    assert Runner(network).batch_size == 1
