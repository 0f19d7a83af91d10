"""Shapes by ONNX's inference: those of onnx-ir's own pass, without a second graph."""

import numpy as np
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper
from onnx_graphs import Graph, a
from onnx_ir.passes.common import ShapeInferencePass

from unbend.network import read
from unbend.network.inference import infer, values_of


def image():
    graph = Graph("N", 3, "height", 9)
    small = graph("MaxPool", graph("Conv", "x", a(8, 3, 3, 3), pads=[1] * 4), kernel_shape=[2, 2], strides=[2, 2])
    tail = graph("Slice", graph("Shape", small), np.array([1]), np.array([2]))
    return graph.model(graph("Reshape", small, graph("Concat", np.array([0]), tail, np.array([-1]), axis=0)), small)


def table():
    graph = Graph("N", 8)
    return graph.model(graph("Softmax", graph("Gemm", "x", a(8, 300), a(300))), graph("ArgMax", "x", axis=1))


def branches():
    """A body of If: its values are no values of the main graph."""
    graph = Graph("N", 4)
    bodies = [
        helper.make_graph(
            [helper.make_node(op, ["x"], ["inner"])],
            op,
            [],
            [helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)],
        )
        for op in ("Relu", "Neg")
    ]
    return graph.model(graph("If", np.array(True), then_branch=bodies[0], else_branch=bodies[1]))


@pytest.mark.parametrize("values", [False, True])
@pytest.mark.parametrize("make", [image, table, branches])
def test_the_answer_is_that_of_the_pass(make, values):
    ours = read(make()).model
    theirs = ours.clone()
    infer(ours, values=values)
    ShapeInferencePass(check_type=False, strict_mode=False, data_prop=values)(theirs)
    assert len(values_of(ours)) > 1
    for one, other in zip(values_of(ours), values_of(theirs), strict=True):
        assert (one.name, one.shape, one.dtype) == (other.name, other.shape, other.dtype)


def test_the_model_keeps_its_numbers_and_its_inputs():
    model = read(table()).model
    before = ir.to_proto(model.graph)
    infer(model)
    after = ir.to_proto(model.graph)
    assert list(before.input) == list(after.input)
    assert list(before.initializer) == list(after.initializer)
    assert list(before.node) == list(after.node)


def test_nothing_is_told_of_what_makes_no_sense():
    model = read(table()).model
    for node in model.graph:
        node.domain = "nobody.knows"
    shapes = [value.shape for value in values_of(model)]
    infer(model)
    assert [value.shape for value in values_of(model)] == shapes
