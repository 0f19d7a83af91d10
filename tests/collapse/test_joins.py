"""Branches that meet in a Concat or part in a Split, and heads behind a mean, at fixed sizes and at any."""

import numpy as np
import pytest
from onnx_graphs import Graph, a, assert_same

from unbend.collapse import collapse

SIZES = [(7, 9), (8, 8), (5, 12), (33, 20), (1, 3)]


def images(channels, free):
    return Graph("N", channels, *(("height", "width") if free else (9, 8)))


def bn(graph, value, channels):
    numbers = np.abs(a(channels)) + 0.5, a(channels), a(channels), np.abs(a(channels)) + 0.5
    return graph("BatchNormalization", value, *numbers)


def collapsed(model, free):
    found = collapse(model, cost="macs")
    for height, width in SIZES if free else [(9, 8)]:
        assert_same(model, found.to_onnx(), 1, 3, height=height, width=width)
    assert not collapse(found.to_onnx(), cost="macs").changed
    return found


def ops(found):
    return [node.op_type for node in found.to_onnx().graph.node]


def joined(graph):
    """Of 3 channels 8 by a 1 × 1 convolution and 4 by a 3 × 3 one, and of these 12 again 5."""
    wide = graph("Conv", "x", a(4, 3, 3, 3), a(4), pads=[1, 1, 1, 1])
    both = graph("Concat", graph("Conv", "x", a(8, 3, 1, 1), a(8)), wide, axis=1)
    return graph.model(graph("Relu", graph("Conv", both, a(5, 12, 1, 1), a(5))))


@pytest.mark.parametrize("free", [False, True])
def test_branches_that_meet_in_a_concat(free):
    found = collapsed(joined(images(3, free)), free)
    assert ops(found) == ["Conv", "Relu"]
    assert found.after.parameters == 5 * 3 * 9 + 5


@pytest.mark.parametrize("free", [False, True])
def test_halves_of_a_split_that_are_added(free):
    graph = images(3, free)
    halves = graph("Split", graph("Conv", "x", a(8, 3, 1, 1), a(8)), outputs=2, axis=1, num_outputs=2)
    found = collapsed(graph.model(graph("Relu", graph("Add", *halves))), free)
    assert ops(found) == ["Conv", "Relu"]
    assert found.after.parameters == 4 * 3 + 4


@pytest.mark.parametrize("free", [False, True])
def test_channels_that_are_shuffled(free):
    graph = images(8, free)
    sizes = graph("Shape", "x", start=2) if free else np.array([9, 8])
    apart = graph(
        "Reshape", "x", graph("Concat", np.array([0, 2, 4]), sizes, axis=0) if free else np.array([0, 2, 4, 9, 8])
    )
    turned = graph("Transpose", apart, perm=[0, 2, 1, 3, 4])
    shape = graph("Concat", np.array([0, 8]), sizes, axis=0) if free else np.array([0, 8, 9, 8])
    found = collapsed(graph.model(graph("Relu", graph("Conv", graph("Reshape", turned, shape), a(5, 8, 1, 1)))), free)
    assert ops(found)[-2:] == ["Conv", "Relu"]
    assert found.after.nodes == 2


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("parts", [2, 3])
def test_a_split_between_bends_stays_one_node(free, parts):
    graph = images(3, free)
    value = bn(graph, graph("Conv", "x", a(6, 3, 1, 1), a(6)), 6)
    outputs = graph("Split", value, outputs=parts, axis=1, num_outputs=parts)
    bends = [graph(bend, one) for bend, one in zip(("Relu", "Sigmoid", "Tanh"), outputs, strict=False)]
    found = collapsed(graph.model(*bends), free)
    assert ops(found)[:2] == ["Conv", "Split"]
    assert found.after.nodes == parts + 2


@pytest.mark.parametrize("free", [False, True])
def test_a_concat_between_bends_stays_one_node(free):
    graph = images(4, free)
    both = graph("Concat", "x", graph("Relu", "x"), axis=1)
    found = collapsed(graph.model(graph("Relu", graph("Conv", bn(graph, both, 8), a(4, 8, 1, 1)))), free)
    assert ops(found) == ["Relu", "Concat", "Conv", "Relu"]


HEADS = {
    "flatten": lambda graph, value: graph("Flatten", graph("GlobalAveragePool", value)),
    "reshape": lambda graph, value: graph("Reshape", graph("GlobalAveragePool", value), np.array([0, -1])),
    "squeeze": lambda graph, value: graph("Squeeze", graph("GlobalAveragePool", value), np.array([2, 3])),
    "mean": lambda graph, value: graph("ReduceMean", value, np.array([2, 3]), keepdims=0),
    "mean, flatten": lambda graph, value: graph("Flatten", graph("ReduceMean", value, np.array([-2, -1]))),
}


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("head", HEADS)
def test_a_convolution_before_the_mean_of_a_head(head, free):
    graph = images(4, free)
    value = graph("Conv", graph("Relu", "x"), a(16, 4, 1, 1), a(16))
    value = graph("Gemm", HEADS[head](graph, value), a(16, 5), a(5))
    found = collapsed(graph.model(value), free)
    assert found.after.heavy == 1
    assert found.after.parameters == 4 * 5 + 5


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("head", HEADS)
def test_a_convolution_of_means(head, free):
    """The 1 × 1 convolution of a squeezed image and the layer behind it are one layer."""
    graph = images(4, free)
    value = graph("GlobalAveragePool", graph("Relu", "x"))
    value = graph("Conv", value, a(16, 4, 1, 1), a(16))
    value = graph("Gemm", HEADS[head](graph, value), a(16, 5), a(5))
    found = collapsed(graph.model(value), free)
    assert found.after.heavy == 1
    assert found.after.parameters == 4 * 5 + 5


def test_a_flatten_of_what_is_one_place_at_some_lengths_only():
    """A pool of 64 × 64 leaves one place up to 127: what is true of that is not true at 128."""
    graph = Graph("N", 3, "height", "width")
    small = graph("AveragePool", "x", kernel_shape=[64, 64], strides=[64, 64])
    flat = graph("Flatten", graph("Conv", small, a(4, 3, 1, 1), a(4)))
    model = graph.model(graph("Relu", graph("Mul", flat, np.array(0.5))))
    found = collapse(model, cost="macs").to_onnx()
    for height, width in ((64, 64), (100, 127), (128, 64), (200, 260)):
        assert_same(model, found, 1, 2, height=height, width=width)
