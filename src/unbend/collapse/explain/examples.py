"""The worked examples of `unbend explain`: networks small enough to follow with a pencil."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, helper, numpy_helper

from unbend.network import Network, network_of

OPSET = 18


def _network(name: str, columns: list[int], nodes: list[onnx.NodeProto], constants: dict[str, list]) -> Network:
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", *columns])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array(values, dtype=np.float32), key) for key, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    return network_of(ir.from_proto(model), name)


def _gemm(number: int, source: str, target: str) -> onnx.NodeProto:
    return helper.make_node("Gemm", [source, f"W_{number}", f"b_{number}"], [target], f"layer {number}", transB=1)


LAYERS = {
    "W_1": [[1, 2], [0, 1], [-1, 1]],
    "b_1": [1, 0, 2],
    "W_2": [[2, 0, 1], [1, -1, 0]],
    "b_2": [0, 1],
    "W_3": [[1, 3]],
    "b_3": [-2],
}


def linear() -> Network:
    """2 inputs, 3 hidden, 2 hidden, 1 output, no bend."""
    nodes = [_gemm(1, "x", "h_1"), _gemm(2, "h_1", "h_2"), _gemm(3, "h_2", "y")]
    return _network("2 inputs, 3 hidden, 2 hidden, 1 output", [2], nodes, LAYERS)


def residual() -> Network:
    """A convolution over four numbers, its input added to its output, and a convolution of that."""
    nodes = [
        helper.make_node("Conv", ["x", "kernel_1", "b_1"], ["c"], "convolution", pads=[1, 1]),
        helper.make_node("Add", ["x", "c"], ["s"], "residual sum"),
        helper.make_node("Flatten", ["s"], ["f"], "flatten"),
        helper.make_node("Gemm", ["f", "W_2", "b_2"], ["y"], "layer", transB=1),
    ]
    constants = {"kernel_1": [[[1, 2, -1]]], "b_1": [1], "W_2": [[1, 0, 1, 0], [0, 1, 0, 1]], "b_2": [0, 3]}
    return _network("A convolution with a residual sum", [1, 4], nodes, constants)


def bent() -> Network:
    """The first network with one ReLU after its first layer."""
    nodes = [
        _gemm(1, "x", "h_1"),
        helper.make_node("Relu", ["h_1"], ["r"], "ReLU"),
        _gemm(2, "r", "h_2"),
        _gemm(3, "h_2", "y"),
    ]
    return _network("The same with one ReLU", [2], nodes, LAYERS)
