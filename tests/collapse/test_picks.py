"""What is picked or averaged behind a matrix is picked before it, what is repeated before one is repeated behind."""

import numpy as np
import onnx
import pytest
from onnx_graphs import Graph, a, assert_same

from unbend.collapse import collapse
from unbend.verify import verify

TOKENS, WIDTH, WORDS = 7, 6, 50


def head(pick, tokens: int | str = TOKENS, bias: bool = True):
    graph = Graph("N", tokens, WIDTH)
    value = graph("MatMul", graph("Relu", "x"), a(WIDTH, WORDS))
    return graph.model(pick(graph, graph("Add", value, a(WORDS)) if bias else value))


def last(graph, value):
    return graph("Slice", value, np.array([-1]), np.array([2**31 - 1]), np.array([1]))


def first(graph, value):
    return graph("Gather", value, np.array(0), axis=1)


def mean(graph, value):
    return graph("ReduceMean", value, np.array([1]), keepdims=1)


def ends(graph, value):
    return graph("Gather", value, np.array([0, -1]), axis=1)


@pytest.mark.parametrize(
    ("pick", "rows", "more"), [(last, 1, 0), (first, 1, 0), (ends, 2, 0), (mean, 1, TOKENS * WIDTH)]
)
@pytest.mark.parametrize("bias", [False, True])
def test_only_what_is_picked_is_multiplied(pick, rows, more, bias, tmp_path):
    model = head(pick, bias=bias)
    original, smaller = tmp_path / "a.onnx", tmp_path / "b.onnx"
    onnx.save(model, original)
    found = collapse(original, cost="macs")
    assert found.after.macs == rows * WIDTH * WORDS + more
    assert found.after.parameters == found.before.parameters
    assert_same(model, found.to_onnx(), 1, 3)
    assert not collapse(found.to_onnx(), cost="macs").changed
    found.save(smaller)
    assert verify(original, smaller).holds


@pytest.mark.parametrize("pick", [last, first, ends, mean])
def test_it_is_of_any_number_of_tokens(pick):
    model = head(pick, "tokens")
    found = collapse(model, cost="macs")
    assert found.after.macs < 0.2 * found.before.macs
    assert_same(model, found.to_onnx(), 1, 3, tokens=4)


@pytest.mark.parametrize("bend", ["Softmax", "Relu"])
def test_a_bend_between_keeps_the_matrix_where_it_is(bend):
    model = head(lambda graph, value: last(graph, graph(bend, value)))
    assert not collapse(model, cost="macs").changed


def test_a_mean_between_two_layers_is_made_first():
    graph = Graph("N", TOKENS, WIDTH)
    inner = graph("Add", graph("MatMul", graph("Relu", "x"), a(WIDTH, 20)), a(20))
    model = graph.model(graph("Gemm", graph("ReduceMean", inner, np.array([1]), keepdims=0), a(20, 3), a(3)))
    found = collapse(model, cost="macs")
    assert found.after.macs == TOKENS * WIDTH + WIDTH * 3
    assert found.after.parameters == WIDTH * 3 + 3
    assert_same(model, found.to_onnx(), 1, 3)


def test_words_are_picked_out_of_the_matrix_itself():
    model = head(lambda graph, value: graph("Gather", value, np.array([3, 1]), axis=2))
    found = collapse(model, cost="macs")
    assert found.after.parameters == 2 * WIDTH + 2
    assert_same(model, found.to_onnx(), 1, 3)
