"""A scaler folded into a product costs digits where a column's mean is large: the certificate looks there."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from unbend.collapse import collapse


def scaled_network(mean: float) -> onnx.ModelProto:
    weights = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    constants = {"mean": np.full(3, mean, np.float32), "sd": np.full(3, 2.0, np.float32), "W": weights}
    constants["sd2"] = np.full(1, 2.0, np.float32)
    constants["b"] = np.ones(4, np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Sub", ["x", "mean"], ["s"]),
            helper.make_node("Div", ["s", "sd"], ["z"]),
            helper.make_node("Gemm", ["z", "W", "b"], ["h"], transB=1),
            helper.make_node("Mul", ["h", "sd2"], ["y"]),
        ],
        "scaled",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def test_a_scaler_of_usual_columns_is_folded() -> None:
    assert collapse(scaled_network(50.0)).after.nodes == 1


@pytest.mark.parametrize("mean", [1e5, 1e7])
def test_a_scaler_whose_folding_would_cancel_is_left_alone(mean: float) -> None:
    found = collapse(scaled_network(mean))
    assert found.before.nodes == 4
    assert found.stretches[0].into == ("Gemm",)
    assert [node.op_type for node in found.to_onnx().graph.node] == ["Sub", "Div", "Gemm"]
