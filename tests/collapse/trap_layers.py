"""Traps of products of matrices: chains, waists, branches, readers, moves of numbers.

The comment says which tool falls into it, or why the answer is what it is.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from onnx_graphs import Graph, a
from trap import chain, statistics, trap


@trap(1)
def linear_mlp():
    layers = [("Gemm", a(8, 5), a(8), {"transB": 1}), ("Gemm", a(8, 8), a(8)), ("Gemm", a(8, 2), a(2))]
    return chain(*layers, graph=Graph("N", 5))


@trap(1)
def wide_linear_mlp():
    widths = (784, 512, 512, 512, 10)
    layers = [("Gemm", a(i, o) / np.sqrt(i), a(o)) for i, o in pairwise(widths)]
    return chain(*layers, graph=Graph("N", 784))


@trap(3)
def towers_that_share_layers():  # no tower alone may drop a layer, all of them together may
    graph, value = Graph("N", 6), "x"
    first, second = graph.constant(a(6, 9)), graph.constant(a(9, 6))
    for _ in range(3):
        value = graph("Relu", graph("MatMul", graph("MatMul", value, first), second))
    return graph.model(value)


@trap(2)
def relu_among_four():
    layers = [("Gemm", a(6, 6)), ("Gemm", a(6, 6), a(6)), ("Relu",), ("Gemm", a(6, 6)), ("Gemm", a(6, 6), a(6))]
    return chain(*layers, graph=Graph("N", 6))


@trap(0)
def only_a_relu():
    return chain(("Relu",), graph=Graph("N", 6))


@trap(0)
def identities():
    return chain(("Identity",), ("Dropout",), ("Identity",), graph=Graph("N", 6))


@trap(0)
def there_and_back():
    return chain(("Transpose", {"perm": [0, 2, 1]}), ("Transpose", {"perm": [0, 2, 1]}), graph=Graph("N", 3, 4))


@trap(1)
def alpha_and_beta():
    layer = {"alpha": 0.5, "beta": 2.0}
    return chain(
        ("Gemm", a(5, 6), a(1, 6), layer), ("Gemm", a(3, 6), a(1), {**layer, "transB": 1}), graph=Graph("N", 5)
    )


@trap(1)
def scaler_before_and_after():
    layers = [("Sub", a(5)), ("Div", np.exp(a(5))), ("Gemm", a(5, 4), a(4)), ("Mul", a(4)), ("Add", a(4))]
    return chain(*layers, graph=Graph("N", 5))


@trap(1)
def linear_then_batch_normalization():
    return chain(("Gemm", a(5, 4), a(4)), ("BatchNormalization", *statistics(4)), graph=Graph("N", 5))


@trap(1)
def scale_of_columns_before_matmul():  # (T, C) with T == C
    return chain(("Mul", a(4, 1)), ("MatMul", a(4, 4)), graph=Graph("N", 4, 4))


@trap(2)
def constant_of_higher_rank():  # (2, 1, 4) + (N, 4) has three axes: W can still take no part of it
    return chain(("Gemm", a(5, 4)), ("Add", a(2, 1, 4)), ("MatMul", a(4, 4)), graph=Graph(1, 5))


@trap(2)
def waist():
    return chain(("Gemm", a(64, 3)), ("Gemm", a(3, 64)), graph=Graph("N", 64))


@trap(2)
def waist_behind_width():  # 16 → 32 → 2 → 16: the product 16 → 2 is cheaper, the waist stays
    return chain(("Gemm", a(16, 32)), ("Gemm", a(32, 2)), ("Gemm", a(2, 16)), graph=Graph("N", 16))


@trap(2)
def waist_in_a_sequence():
    return chain(("MatMul", a(16, 2)), ("MatMul", a(2, 16)), ("Add", a(16)), graph=Graph("N", 5, 16))


@trap(1)
def sequence_of_linear_layers():
    layers = [("MatMul", a(4, 8)), ("Add", a(8)), ("MatMul", a(8, 4)), ("Add", a(4))]
    return chain(*layers, graph=Graph("N", 5, 4))


@trap(1)
def product_from_the_left():
    graph = Graph("N", 5, 4)
    return graph.model(graph("MatMul", a(2, 6), graph("MatMul", a(6, 5), "x")))


@trap(1)
def flatten_between():
    return chain(("Mul", a(2, 3)), ("Flatten",), ("Gemm", a(6, 4)), ("Gemm", a(4, 2)), graph=Graph("N", 2, 3))


@trap(1)
def transpose_and_reshape_between():
    layers = [
        ("Transpose", {"perm": [0, 2, 1]}),
        ("Reshape", np.array([-1, 6])),
        ("Gemm", a(6, 4)),
        ("Unsqueeze", np.array([1])),
        ("Squeeze", np.array([1])),
        ("Gemm", a(4, 2)),
    ]
    return chain(*layers, graph=Graph("N", 2, 3))


@trap(1)
def residual_of_two_layers():
    graph = Graph("N", 8)
    inner = graph("Gemm", graph("Gemm", "x", a(8, 8), a(8)), a(8, 8))
    return graph.model(graph("Add", "x", inner))


@trap(1)
def three_branches():
    graph = Graph("N", 8)
    return graph.model(graph("Sum", *(graph("Gemm", "x", a(8, 3), a(3)) for _ in range(3))))


@trap(1)
def nested_sums():
    graph = Graph("N", 8)
    first = graph("Add", graph("Gemm", "x", a(8, 8)), "x")
    second = graph("Sub", graph("Gemm", first, a(8, 8), a(8)), first)
    return graph.model(graph("Add", second, "x"))


@trap(2)
def sum_with_a_bend():
    graph = Graph("N", 8)
    straight = graph("Gemm", graph("Gemm", "x", a(8, 8)), a(8, 8))
    bent = graph("Relu", graph("Gemm", graph("Identity", "x"), a(8, 8)))
    return graph.model(graph("Add", straight, bent))


@trap(2)
def one_kernel_on_two_sides_of_a_bend():
    graph = Graph("N", 6)
    weight = graph.constant(a(6, 6))
    value = graph("Relu", graph("Mul", graph("Gemm", "x", weight), a(6)))
    return graph.model(graph("Gemm", value, weight))


@trap(2)
def two_readers_of_a_wide_value():  # 4 → 32 → 2 and 32 → 3: two small products instead of three
    graph = Graph("N", 4)
    wide = graph("Gemm", "x", a(4, 32), a(32))
    return graph.model(graph("Tanh", graph("Gemm", wide, a(32, 2))), graph("Relu", graph("Gemm", wide, a(32, 3))))


@trap(3)
def two_readers_of_a_narrow_value():  # carrying 32 → 2 into its readers would make them dearer
    graph = Graph("N", 32)
    narrow = graph("Gemm", "x", a(32, 2), a(2))
    return graph.model(graph("Tanh", graph("Gemm", narrow, a(2, 32))), graph("Relu", graph("Gemm", narrow, a(2, 32))))


@trap(2)
def output_inside():  # the hidden value is asked for as well, so it stays
    graph = Graph("N", 6)
    hidden = graph("Gemm", "x", a(6, 2), a(2))
    return graph.model(graph("Gemm", hidden, a(2, 6)), hidden)


@trap(2)
def split_into_two():
    graph = Graph("N", 6)
    left, right = graph("Split", "x", np.array([2, 4]), outputs=2, axis=1)
    return graph.model(graph("Gemm", graph("Gemm", left, a(2, 5)), a(5, 2)), graph("Gemm", right, a(4, 3)))


@trap(1)
def concat_in_the_middle():
    graph = Graph("N", 6)
    both = graph("Concat", graph("Mul", graph("Gemm", "x", a(6, 3)), a(3)), "x", axis=1)
    return graph.model(graph("Gemm", both, a(9, 2)))


@trap(1)
def slice_of_a_layer():
    layers = [("Gemm", a(6, 8), a(8)), ("Slice", np.array([1]), np.array([5]), np.array([1])), ("Gemm", a(4, 2))]
    return chain(*layers, graph=Graph("N", 6))


@trap(1)
def gather_of_columns():
    return chain(("Gather", np.array([4, 0, 0, 2]), {"axis": 1}), ("Gemm", a(4, 2)), graph=Graph("N", 6))


@trap(1)
def pad_of_a_row():
    return chain(
        ("Gemm", a(6, 4)), ("Pad", np.array([0, 1, 0, 2]), np.array(0.5)), ("Gemm", a(7, 2)), graph=Graph("N", 6)
    )


@trap(1)
def low_rank_adapter():  # LoRA: W x + 0.5 B A x
    graph = Graph("N", 16)
    adapter = graph("MatMul", graph("MatMul", "x", a(16, 2)), a(2, 16))
    return graph.model(graph("Add", graph("MatMul", "x", a(16, 16)), graph("Mul", adapter, np.array(0.5))))


@trap(1)
def shape_of_the_input():  # what an exporter writes for x.view(x.shape[0], -1)
    graph = Graph("N", 2, 3)
    rows = graph("Gather", graph("Shape", "x"), np.array(0), axis=0)
    shape = graph("Concat", graph("Unsqueeze", rows, np.array([0])), np.array([-1]), axis=0)
    return graph.model(graph("Gemm", graph("Gemm", graph("Reshape", "x", shape), a(6, 6)), a(6, 2)))


@trap(1)
def bias_expanded_from_a_shape():  # torch's exporter: a zero bias by ConstantOfShape and Expand, in the input's type
    graph = Graph("N", 4)
    zeros = graph("ConstantOfShape", np.array([3]))
    bias = graph("CastLike", graph("Expand", zeros, np.array([3])), "x")
    return graph.model(graph("Mul", graph("Gemm", "x", a(4, 3), bias), a(3)))


@trap(2)
def softmax_between():
    return chain(("Gemm", a(4, 4)), ("Mul", a(4)), ("Softmax",), ("Gemm", a(4, 4)), ("Add", a(4)), graph=Graph("N", 4))


@trap(2)
def a_matrix_for_each_position():  # MatMul with a stack of matrices: no single product says the same
    return chain(("Mul", a(3, 1, 4)), ("MatMul", a(3, 4, 4)), ("MatMul", a(3, 4, 2)), graph=Graph("N", 3, 2, 4))
