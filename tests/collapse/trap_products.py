"""Traps of products of two values: what may change places with attention's weights, and what may not."""

from __future__ import annotations

import numpy as np
from onnx_graphs import Graph, a
from trap import trap

TOKENS, WIDTH = 6, 6


def layer(graph: Graph, value: str, width: int, bias: bool = True) -> str:
    made = graph("MatMul", value, a(WIDTH, width))
    return graph("Add", made, a(width)) if bias else made


def weights(graph: Graph, bend: str = "Softmax", axis: int = -1) -> str:
    """Attention's weights (rows, tokens, tokens), of as many tokens as there are numbers in one."""
    query, key = (layer(graph, "x", 3, bias=False) for _ in range(2))
    scores = graph("MatMul", query, graph("Transpose", key, perm=[0, 2, 1]))
    return graph(bend, scores, **({"axis": axis} if bend == "Softmax" else {}))


@trap(5, free=(1,), lengths=((5,), (8,)))
def values_and_outputs_of_one_head():
    graph = Graph("N", TOKENS, WIDTH)
    mixed = graph("MatMul", weights(graph), layer(graph, "x", WIDTH))
    return graph.model(layer(graph, mixed, WIDTH))


@trap(5, free=(1,), lengths=((5,), (8,)))
def a_bias_of_values_whose_weights_do_not_add_up():
    graph = Graph("N", TOKENS, WIDTH)
    mixed = graph("MatMul", weights(graph, "Sigmoid"), layer(graph, "x", WIDTH))
    return graph.model(layer(graph, mixed, WIDTH))


@trap(5)
def weights_that_add_up_along_the_other_axis():
    graph = Graph("N", TOKENS, WIDTH)
    mixed = graph("MatMul", weights(graph, axis=1), layer(graph, "x", WIDTH))
    return graph.model(layer(graph, mixed, WIDTH))


@trap(6)
def heads_of_their_own_weights():  # the output mixes heads, and each head has weights of its own: W_v W_o is another
    graph, value = Graph("N", TOKENS, WIDTH), "x"
    heads = [0, TOKENS, 2, WIDTH // 2]
    query, key, value = (
        graph("Transpose", graph("Reshape", layer(graph, "x", WIDTH), np.array(heads)), perm=order)
        for order in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
    )
    mixed = graph("MatMul", graph("Softmax", graph("MatMul", query, key)), value)
    joined = graph("Reshape", graph("Transpose", mixed, perm=[0, 2, 1, 3]), np.array([0, TOKENS, WIDTH]))
    return graph.model(layer(graph, joined, WIDTH))


@trap(7)
def a_matrix_along_the_axis_that_is_mixed():
    graph = Graph("N", TOKENS, WIDTH)
    mixed = graph("MatMul", weights(graph), graph("MatMul", a(TOKENS, TOKENS), layer(graph, "x", WIDTH)))
    return graph.model(graph("MatMul", a(TOKENS, TOKENS), mixed))


@trap(5)
def values_that_are_mixed_from_the_right():  # as the attention of an image's places
    graph, places = Graph("N", WIDTH, 2, 3), WIDTH
    key, value = (graph("Conv", "x", a(WIDTH, WIDTH, 1, 1), a(WIDTH)) for _ in range(2))
    key, value = (graph("Reshape", one, np.array([0, WIDTH, places])) for one in (key, value))
    found = graph("Softmax", graph("MatMul", graph("Transpose", key, perm=[0, 2, 1]), key), axis=2)
    mixed = graph("MatMul", value, graph("Transpose", found, perm=[0, 2, 1]))
    image = graph("Reshape", mixed, np.array([0, WIDTH, 2, 3]))
    out = graph("Conv", image, a(WIDTH, WIDTH, 1, 1), a(WIDTH))
    return graph.model(graph("MatMul", graph("Add", "x", out), a(3, 3)))


@trap(5)
def two_products_in_a_row():
    graph = Graph("N", TOKENS, WIDTH)
    kernel, other = (graph("Sigmoid", layer(graph, "x", TOKENS)) for _ in range(2))
    inner = graph("MatMul", kernel, layer(graph, "x", 4, bias=False))
    return graph.model(graph("MatMul", other, graph("MatMul", inner, a(4, 3))))


@trap(6)
def values_that_are_read_twice():
    graph = Graph("N", TOKENS, WIDTH)
    value = layer(graph, "x", WIDTH)
    return graph.model(layer(graph, graph("MatMul", weights(graph), value), WIDTH), graph("Relu", value))


@trap(3)
def a_value_that_mixes_itself():
    graph = Graph("N", TOKENS, TOKENS)
    value = layer(graph, "x", WIDTH, bias=False)
    return graph.model(layer(graph, graph("MatMul", value, value), WIDTH, bias=False))


@trap(5)
def values_of_places_turned():  # a non-local block
    graph, places = Graph("N", WIDTH, 2, 4), 8
    query, key, value = (
        graph("Reshape", graph("Conv", "x", a(WIDTH, WIDTH, 1, 1), a(WIDTH)), np.array([0, WIDTH, places]))
        for _ in range(3)
    )
    found = graph("Softmax", graph("MatMul", graph("Transpose", query, perm=[0, 2, 1]), key), axis=-1)
    mixed = graph("MatMul", found, graph("Transpose", value, perm=[0, 2, 1]))
    image = graph("Reshape", graph("Transpose", mixed, perm=[0, 2, 1]), np.array([0, WIDTH, 2, 4]))
    return graph.model(graph("Add", "x", graph("Conv", image, a(WIDTH, WIDTH, 1, 1), a(WIDTH))))


@trap(5)
def first_token_behind_the_output_of_one_head():  # values, output and head are one matrix, of the first token only
    graph = Graph("N", TOKENS, WIDTH)
    mixed = layer(graph, graph("MatMul", weights(graph), layer(graph, "x", WIDTH)), WIDTH)
    return graph.model(graph("Gemm", graph("Gather", mixed, np.array(0), axis=1), a(WIDTH, 4), a(4)))


@trap(6)
def first_token_behind_the_output_of_heads():
    graph = Graph("N", TOKENS, WIDTH)
    heads = np.array([0, TOKENS, 2, WIDTH // 2])
    query, key, value = (
        graph("Transpose", graph("Reshape", layer(graph, "x", WIDTH), heads), perm=order)
        for order in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
    )
    mixed = graph("MatMul", graph("Softmax", graph("MatMul", query, key)), value)
    joined = graph("Reshape", graph("Transpose", mixed, perm=[0, 2, 1, 3]), np.array([0, TOKENS, WIDTH]))
    turned = graph("Transpose", graph("Transpose", layer(graph, joined, WIDTH), perm=[1, 0, 2]), perm=[1, 0, 2])
    return graph.model(graph("Gemm", graph("Gather", turned, np.array(0), axis=1), a(WIDTH, 4), a(4)))
