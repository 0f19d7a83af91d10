"""`examine` of networks that are no function of one row: those that draw, and those that mix the rows of a batch."""

import numpy as np
import pandas as pd
from onnx_graphs import Graph

from unbend.examine import examine

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
