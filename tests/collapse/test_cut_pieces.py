"""Stretches that are cut out, to be timed or tried by themselves, may read the shape of a value from outside."""

import numpy as np
import onnx
import pytest
from onnx_graphs import Graph, a, assert_same

from unbend.collapse import collapse


def reads_a_shape(last: str = ""):
    """A reshape to as many rows as the input has, behind a bend."""
    graph = Graph("N", 4, 3)
    value = graph("Relu", "x")
    rows = graph("Slice", graph("Shape", "x"), np.array([0]), np.array([1]))
    flat = graph("Reshape", value, graph("Concat", rows, np.array([12]), axis=0))
    value = graph("Gemm", graph("Gemm", flat, a(12, 12), a(12)), a(12, 11), a(11))
    if not last:
        return graph.model(value)
    graph.nodes.append(onnx.helper.make_node(last, [value], ["strange"], domain="elsewhere"))
    graph.domains.add("elsewhere")
    model = graph.model("strange", check=False)
    model.graph.output[0].type.tensor_type.shape.dim.add().dim_param = "N"
    model.graph.output[0].type.tensor_type.shape.dim.add().dim_value = 11
    return model


@pytest.mark.parametrize("cost", ["macs", "measured"])
def test_a_stretch_that_reads_the_shape_of_an_input(cost):
    model = reads_a_shape()
    found = collapse(model, cost=cost)
    assert_same(model, found.to_onnx(), 1, 3)
    assert found.changed or found.stretches[0].timing is not None


def test_it_is_tried_by_itself():
    found = collapse(reads_a_shape("Strange"), cost="macs")
    assert found.changed
    assert not found.certificate.evidence.whole
    assert found.certificate.holds
