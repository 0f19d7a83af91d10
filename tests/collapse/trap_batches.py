"""Traps of the batch: what looks affine for one row, and mixes rows, counts them or moves them.

unbend looks at a network with a batch of one, where all of these are an identity, a constant or a plain product.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto
from onnx_graphs import Graph, a
from trap import HW, chain, image, trap


def rows() -> Graph:
    return Graph("N", 4)


def between(*inner: tuple, width: int = 4):
    """A product, something that mixes rows, and a product."""
    return chain(("Gemm", a(4, 4), a(4)), *inner, ("Gemm", a(width, 4), a(4)), graph=rows())


@trap(2)
def first_row_by_gather():
    return between(("Gather", np.array([0]), {"axis": 0}))


@trap(2)
def last_row_by_gather():
    return between(("Gather", np.array([-1]), {"axis": 0}))


@trap(2)
def first_row_by_slice():
    return between(("Slice", np.array([0]), np.array([1]), np.array([0])))


@trap(2)
def rows_backwards():
    return between(("Slice", np.array([-1]), np.array([-(1 << 40)]), np.array([0]), np.array([-1])))


@trap(2)
def mean_over_rows():
    return between(("ReduceMean", np.array([0]), {"keepdims": 1}))


@trap(2)
def mean_taken_off():  # x − mean over the batch
    graph = rows()
    hidden = graph("Gemm", "x", a(4, 4), a(4))
    centred = graph("Sub", hidden, graph("ReduceMean", hidden, np.array([0])))
    return graph.model(graph("Gemm", centred, a(4, 4), a(4)))


@trap(2)
def running_sum_over_rows():
    return between(("CumSum", np.array(0)))


@trap(2)
def softmax_over_rows():
    return between(("Softmax", {"axis": 0}))


@trap(2)
def rows_twice():  # 2 N rows come out
    graph = rows()
    hidden = graph("Gemm", "x", a(4, 4), a(4))
    return graph.model(graph("Gemm", graph("Concat", hidden, hidden, axis=0), a(4, 4), a(4)))


@trap(2)
def rows_tiled():
    return between(("Tile", np.array([3, 1])))


@trap(2)
def row_of_zeros_before():
    return between(("Pad", np.array([1, 0, 0, 0])))


@trap(2)
def rows_and_columns_turned():
    graph = Graph("N", 4)
    turned = graph("Transpose", graph("Gemm", "x", a(4, 4), a(4)), perm=[1, 0])
    return graph.model(graph("MatMul", a(3, 4), turned))


@trap(2)
def rows_halved_by_reshape():  # (N, 4) → (2 N, 2): still a row by itself
    return between(("Reshape", np.array([-1, 2])), width=2)


@trap(2, dynamic="fixed")
def rows_joined_by_reshape():  # (2 N, 2) → (N, 4): with N fixed only
    layers = [("Gemm", a(2, 2), a(2)), ("Reshape", np.array([-1, 4])), ("Gemm", a(4, 4), a(4))]
    return chain(*layers, graph=Graph(4, 2))


@trap(1, dynamic="fixed")
def flatten_at_the_first_axis():  # (2, 3) → (1, 6)
    layers = [("Gemm", a(3, 3), a(3)), ("Flatten", {"axis": 0}), ("Gemm", a(6, 2), a(2))]
    return chain(*layers, graph=Graph(2, 3))


@trap(2, dynamic="fixed")
def gemm_of_the_transpose():  # transA: rows become columns
    layers = [("Gemm", a(4, 5), a(5)), ("Gemm", a(3, 2), a(2), {"transA": 1})]
    return chain(*layers, graph=Graph(3, 4))


@trap(1, dynamic="fixed")
def bias_by_row():  # C of shape (M, 1): another number for each row
    return chain(("Gemm", a(4, 5), a(3, 1)), ("Gemm", a(5, 4), a(3, 4)), graph=Graph(3, 4))


@trap(1)
def batch_size_as_a_number():  # 1 at a batch of one, and another with every batch
    graph = rows()
    count = graph("Cast", graph("Shape", "x", start=0, end=1), to=TensorProto.FLOAT)
    return graph.model(graph("Gemm", graph("Mul", "x", count), a(4, 4), a(4)))


@trap(1)
def count_of_numbers():
    graph = rows()
    count = graph("Cast", graph("Size", "x"), to=TensorProto.FLOAT)
    return graph.model(graph("Div", graph("Gemm", "x", a(4, 4), a(4)), count))


@trap(1)
def position_in_the_batch():  # a constant for each row, by its number
    graph = rows()
    count = graph("Squeeze", graph("Shape", "x", start=0, end=1))
    numbers = graph("Range", np.array(0), count, np.array(1))
    own = graph("Unsqueeze", graph("Cast", numbers, to=TensorProto.FLOAT), np.array([1]))
    return graph.model(graph("Add", graph("Gemm", "x", a(4, 4), a(4)), own))


@trap(2)
def rows_behind_a_stack():  # (N, 4) (3, 4, 2) → (3, N, 2): the batch is no longer in front
    return chain(("MatMul", a(4, 4)), ("MatMul", a(3, 4, 2)), ("Mul", a(2)), graph=rows())


@trap(1)
def shift_of_a_stack():  # (N, 4) + (3, 1, 4) → (3, N, 4)
    return chain(("Gemm", a(4, 4), a(4)), ("Add", a(3, 1, 4)), ("Mul", a(4)), graph=rows())


@trap(1)
def expanded_to_a_stack():
    return chain(("Gemm", a(4, 4), a(4)), ("Expand", np.array([2, 1, 4])), ("Mul", a(4)), graph=rows())


@trap(1, free=HW, lengths=((6, 6), (5, 7)))
def mean_by_its_count():  # a mean pool by hand: the count is the height times the width
    graph = image(4, 6, 6)
    total = graph("ReduceSum", "x", np.array([2, 3]), keepdims=0)
    sizes = graph("Cast", graph("Shape", "x", start=2), to=TensorProto.FLOAT)
    mean = graph("Div", total, graph("ReduceProd", sizes, keepdims=0))
    return graph.model(graph("Gemm", mean, a(4, 3), a(3)))


@trap(1, free=(1,), lengths=((5,), (8,)))
def position_along_a_sequence():
    graph = Graph("N", 6, 4)
    count = graph("Squeeze", graph("Shape", "x", start=1, end=2))
    numbers = graph("Cast", graph("Range", np.array(0), count, np.array(1)), to=TensorProto.FLOAT)
    own = graph("Unsqueeze", numbers, np.array([1]))
    return graph.model(graph("Mul", graph("Add", graph("MatMul", "x", a(4, 4)), own), a(4)))


@trap(2, free=(1,), lengths=((5,), (8,)))
def mean_along_a_sequence():
    layers = [("MatMul", a(4, 4)), ("ReduceMean", np.array([1]), {"keepdims": 1}), ("Tanh",), ("MatMul", a(4, 2))]
    return chain(*layers, graph=Graph("N", 6, 4))


@trap(1, free=(1,), lengths=((5,), (8,)))
def last_of_a_sequence():  # only it is multiplied
    layers = [("MatMul", a(4, 4)), ("Gather", np.array(-1), {"axis": 1}), ("Gemm", a(4, 2), a(2))]
    return chain(*layers, graph=Graph("N", 6, 4))


@trap(1, free=(1,), lengths=((5,), (8,)))
def sequence_backwards():
    layers = [("Slice", np.array([-1]), np.array([-(1 << 40)]), np.array([1]), np.array([-1])), ("MatMul", a(4, 4))]
    return chain(*layers, ("Add", a(4)), graph=Graph("N", 6, 4))


@trap(1, free=(1,), lengths=((6,), (8,)))
def every_other_of_a_sequence():
    layers = [("MatMul", a(4, 4)), ("Slice", np.array([1]), np.array([1 << 40]), np.array([1]), np.array([2]))]
    return chain(*layers, ("Mul", a(4)), graph=Graph("N", 6, 4))


@trap(2)
def one_vector_in():  # a right factor of one axis: (N, 4) (4) → (N)
    layers = [("MatMul", a(4, 4)), ("MatMul", a(4)), ("Unsqueeze", np.array([1])), ("Tanh",), ("Gemm", a(1, 3))]
    return chain(*layers, graph=rows())


@trap(2)
def one_vector_from_the_left():  # (4) (N, 4, 3) → (N, 3)
    graph = Graph("N", 4, 3)
    return graph.model(graph("MatMul", graph("MatMul", a(4), "x"), a(3, 3)))
