"""Quantised models: what is rounded to whole numbers, or computed from such weights, is left alone and named."""

import numpy as np
import pytest
from onnx_graphs import Graph, a, assert_same

from unbend.collapse import collapse


def quantised(graph, value):
    """The value through QuantizeLinear and DequantizeLinear."""
    scale, zero = graph.constant(np.float32(0.05)), graph.constant(np.array(3, dtype=np.int8))
    return graph("DequantizeLinear", graph("QuantizeLinear", value, scale, zero), scale, zero)


def weight(graph, *shape):
    """A weight of whole numbers with one scale for each output channel."""
    numbers = np.random.default_rng(0).integers(-127, 127, shape).astype(np.int8)
    scales = np.linspace(0.01, 0.02, shape[0])
    return graph("DequantizeLinear", numbers, scales, np.zeros(shape[0], dtype=np.int8), axis=0)


@pytest.mark.parametrize("opset", [13, 18, 21])
def test_quantised_stretches_are_left_alone_and_named(opset):
    graph = Graph("N", 4, 8, 8, opset=opset)
    value = graph("Conv", quantised(graph, "x"), weight(graph, 6, 4, 1, 1), label="first")
    value = graph("Relu", quantised(graph, graph("Conv", value, weight(graph, 6, 6, 3, 3), label="second")))
    value = graph("Conv", value, a(12, 6, 1, 1))
    model = graph.model(graph("Conv", value, a(3, 12, 3, 3)))
    found = collapse(model)
    assert [(one.label, one.reason) for one in found.kept] == [
        ("first", "quantised: left alone"),
        ("second", "quantised: left alone"),
    ]
    assert found.after.heavy == 3
    assert "2 Conv (first, second): quantised: left alone" in str(found)
    assert_same(model, found.to_onnx(), 1, 3)
    assert found.certificate is not None


def test_weights_of_whole_numbers_are_not_merged():
    """Merging them would make floats of them, and the file four times as large."""
    graph = Graph("N", 4, opset=21)
    moved = graph("Transpose", weight(graph, 6, 4), perm=[1, 0])
    model = graph.model(graph("MatMul", graph("MatMul", "x", moved), a(6, 3)))
    found = collapse(model)
    assert not found.changed
    assert [one.reason for one in found.kept] == ["quantised: left alone"]


def test_a_sum_that_is_rounded_is_left_alone():
    graph = Graph("N", 4, opset=21)
    both = graph("Add", quantised(graph, "x"), quantised(graph, graph("Mul", "x", a(4))), label="sum")
    model = graph.model(quantised(graph, graph("Mul", graph("Mul", both, a(4)), a(4), label="last")))
    found = collapse(model)
    assert [one.label for one in found.kept if one.reason == "quantised: left alone"] == ["Mul_6", "last"]


def test_products_that_are_left_alone_are_counted():
    graph = Graph("N", 4, 8, 8, opset=21)
    model = graph.model(graph("Conv", quantised(graph, "x"), weight(graph, 6, 4, 3, 3), pads=[1] * 4))
    assert collapse(model).before.macs == 6 * 64 * 4 * 9
