"""Networks whose height and width are free: collapsed where the form holds for every height and width."""

import numpy as np
import pytest
from onnx_graphs import Graph, a, run

from unbend.collapse import collapse, explain
from unbend.errors import ModelError

SIZES = [(7, 9), (8, 8), (12, 5), (33, 20), (96, 96), (3, 4), (64, 63)]
PAD = {"pads": [1, 1, 1, 1]}
SAME = {"auto_pad": "SAME_UPPER"}


def image(*more: object) -> Graph:
    return Graph("N", 4, *(more or ("height", "width")))


def bn(graph: Graph, value: str) -> str:
    return graph("BatchNormalization", value, 1 + 0.1 * a(4), a(4), a(4), np.exp(a(4)))


def branches(graph: Graph, value: str, stride: int = 1) -> str:
    one = bn(graph, graph("Conv", value, a(4, 4, 3, 3), strides=[stride] * 2, **PAD))
    other = bn(graph, graph("Conv", value, a(4, 4, 1, 1), strides=[stride] * 2))
    added = graph("Add", one, other)
    return graph("Add", added, bn(graph, value)) if stride == 1 else added


def repvgg() -> Graph:
    graph = image()
    value = "x"
    for stride in (1, 2, 1, 2):
        value = graph("Relu", branches(graph, value, stride))
    return graph, graph("GlobalAveragePool", value)


def expansion(bias: bool) -> Graph:
    graph = image()
    value = graph("Conv", "x", a(9, 4, 1, 1), *([a(9)] if bias else []))
    return graph, graph("Conv", graph("Conv", value, a(9, 9, 3, 3), **PAD), a(4, 9, 1, 1), a(4))


def with_zero_bias_of_its_size():
    graph = image()
    first = graph("Conv", "x", a(8, 4, 1, 1))
    return graph, graph(
        "Conv", graph("Add", first, graph("Expand", np.zeros((1,)), graph("Shape", first))), a(4, 8, 1, 1)
    )


def strided_after_strided():
    graph = image()
    return graph, graph(
        "AveragePool", graph("Conv", "x", a(4, 4, 2, 2), strides=[2, 2]), kernel_shape=[2, 2], strides=[2, 2]
    )


def same_padding():
    graph = image()
    one = graph("Conv", "x", a(4, 4, 3, 3), strides=[2, 2], **SAME)
    return graph, graph("Add", one, graph("Conv", "x", a(4, 4, 1, 1), strides=[2, 2], **SAME))


def only_the_width():
    graph = image(6, "width")
    return graph, branches(graph, "x")


def turned():
    graph = image()
    value = graph("Transpose", graph("Conv", "x", a(4, 4, 1, 1)), perm=[0, 1, 3, 2])
    return graph, graph("Transpose", graph("Conv", value, a(4, 4, 3, 1), a(4), pads=[1, 0, 1, 0]), perm=[0, 1, 3, 2])


def tokens():
    graph = Graph("N", "tokens", 6)
    return graph, graph("Add", graph("MatMul", graph("MatMul", "x", a(6, 8)), a(8, 6)), a(6))


def scaled_by_size():
    graph = image()
    size = graph("Cast", graph("Gather", graph("Shape", "x"), np.array(2)), to=1)
    return graph, graph("Conv", graph("Mul", "x", size), a(4, 4, 1, 1))


CASES = {
    "repvgg": (repvgg, 4),
    "expansion": (lambda: expansion(False), 1),
    "bias before the padding": (lambda: expansion(True), 1),
    "zero bias": (with_zero_bias_of_its_size, 1),
    "strided": (strided_after_strided, 1),
    "same padding": (same_padding, 2),
    "one free axis": (only_the_width, 1),
    "turned": (turned, 1),
    "tokens": (tokens, 1),
    "scaled by its size": (scaled_by_size, 1),
}


@pytest.mark.parametrize("case", CASES)
def test_the_collapsed_network_is_the_same_at_every_size(case: str) -> None:
    build, products = CASES[case]
    graph, value = build()
    model = graph.model(value)
    found = collapse(model, cost="macs", allow_growth=True)
    assert found.after.heavy == products, [one.reason for one in found.stretches]
    shape = [dim.dim_value or dim.dim_param for dim in model.graph.input[0].type.tensor_type.shape.dim][1:]
    for height, width in SIZES:
        lengths = {"height": height, "width": width, "tokens": height}
        x = np.random.default_rng(1).normal(size=[2, *(lengths.get(axis, axis) for axis in shape)]).astype(np.float32)
        (expected,), (new,) = run(model, x), run(found.to_onnx(), x)
        assert new.shape == expected.shape
        np.testing.assert_allclose(new, expected, atol=2e-5 * np.abs(expected).max())


def three_convolutions():
    graph = image()
    first = graph("Conv", "x", a(5, 4, 1, 1))
    return graph, graph("Conv", graph("Conv", first, a(5, 5, 3, 3), **PAD), a(3, 5, 1, 1))


def test_before_and_after_are_counted_at_the_size_of_the_example():
    """By hand: for each pixel 4·5 + 5·5·9 + 5·3 multiplications, and 4·3·9 where it is one convolution."""
    graph, value = three_convolutions()
    found = collapse(graph.model(value), {"x": np.ones((2, 4, 9, 13))}, cost="macs")
    assert (found.before.macs, found.after.macs) == (9 * 13 * (20 + 225 + 15), 9 * 13 * 108)
    assert found.lengths == {"height": 9, "width": 13}
    assert "Counted at height = 9, width = 13." in str(found)
    assert "Counted at height = 96, width = 96." in str(collapse(graph.model(value), cost="macs"))


def test_explain_works_it_out_at_a_size_and_says_at_which():
    graph, value = three_convolutions()
    (part,) = explain(graph.model(value)).parts
    assert part.affine
    assert len(part.derivations[0].lines) == 3
    assert "Worked out at height = 96, width = 96" in str(explain(graph.model(value)))


def test_explain_refuses_what_it_cannot_work_out():
    graph = image()
    found = graph.model(graph("Reshape", "x", np.array([0, 4, 7, 11])))
    with pytest.raises(ModelError, match="can be worked out as W x") as raised:
        explain(found)
    assert "fixed height and width" in raised.value.try_


def test_an_output_that_is_stated_without_its_axes_has_those_that_it_has():
    """As some exporters write it: the shape of the output is there, and empty."""
    graph = Graph("N", 4)
    model = graph.model(graph("Softmax", graph("MatMul", graph("MatMul", "x", a(4, 6)), a(6, 3))))
    model.graph.output[0].type.tensor_type.shape.ClearField("dim")
    assert len(collapse(model, cost="macs").to_onnx().graph.node) == 2
