"""Traps of numbers: the largest and the smallest of a type, those that are none, whole numbers, shapes of nothing."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto
from onnx_graphs import Graph, a
from trap import chain, trap


def rows(**more: int) -> Graph:
    return Graph("N", 4, **more)


def two(first: np.ndarray, second: np.ndarray, **more: int) -> onnx.ModelProto:
    return chain(("Gemm", first), ("Gemm", second, a(second.shape[1])), graph=rows(**more))


def with_one(value: float) -> np.ndarray:
    weight = a(4, 4)
    weight[1, 2] = value
    return weight


@trap(2)
def weight_of_infinity():  # 0 · ∞ is no number: no product of weights may say 0
    return two(with_one(np.inf), a(4, 4))


@trap(2)
def weight_that_is_no_number():
    return two(a(4, 4), with_one(np.nan))


@trap(1)
def bias_of_infinity():
    return chain(("Gemm", a(4, 4), np.array([0, np.inf, 1, 2])), ("Mul", a(4)), graph=rows())


@trap(1)
def mask_of_minus_infinity():  # an attention mask: it must not become 0 · ∞
    graph = rows()
    hidden = graph("Mul", graph("Gemm", "x", a(4, 4), a(4)), np.array(0.5))
    masked = graph("Add", hidden, np.array([0.0, 0, -np.inf, 0]))
    return graph.model(graph("Softmax", masked))


@trap(2, bfloat16=2, float16="range")
def product_too_large():  # 1e30 · 1e30: the file's own intermediate fits, the product of the weights does not
    return two(1e30 * np.abs(a(4, 4)) + 1e30, 1e30 * np.abs(a(4, 4)) + 1e30)


@trap(1, float16=2, bfloat16=1)
def product_too_large_for_half():  # 300 · 300
    return two(300 * np.eye(4) + a(4, 4), 300 * np.eye(4) + a(4, 4))


@trap(1)
def small_products():  # in half these are denormal
    return chain(("Gemm", 1e-3 * a(4, 4)), ("Gemm", 1e-3 * a(4, 4), 1e-3 * a(4)), graph=rows())


@trap(1, float16="range", bfloat16=1)
def denormal_weights():
    return chain(("Gemm", 1e-40 * a(4, 4)), ("Mul", 1e30 * np.exp(a(4))), ("Mul", np.array(1e9)), graph=rows())


@trap(1)
def scales_that_cancel():  # 1e4 and 1e-4
    return chain(("Mul", np.array(1e4)), ("Gemm", a(4, 4), a(4)), ("Mul", np.array(1e-4)), graph=rows())


@trap(2, float16="whole", bfloat16="whole", dynamic=2)
def whole_numbers():  # int64 products wrap; nobody composes them in float64
    weights = [np.arange(16).reshape(4, 4), np.arange(16).reshape(4, 4) - 8]
    return chain(*(("MatMul", one) for one in weights), graph=Graph("N", 4, dtype=np.int64))


@trap(1, float16="double", bfloat16="double")
def double_precision():
    return chain(("Gemm", a(4, 6), a(6)), ("Gemm", a(6, 4), a(4)), ("Mul", a(4)), graph=Graph("N", 4, dtype=np.float64))


@trap(2, float16="half", bfloat16="half")
def half_in_the_middle():  # rounded to half between the two: the file says so
    graph = rows()
    half = graph("Cast", graph("Gemm", "x", a(4, 4), a(4)), to=TensorProto.FLOAT16)
    return graph.model(graph("Gemm", graph("Cast", half, to=TensorProto.FLOAT), a(4, 4)))


@trap(2)
def product_of_no_columns():  # (4, 0) (0, 3): zeros
    return chain(("MatMul", np.zeros((4, 0))), ("MatMul", np.zeros((0, 3))), ("Add", a(3)), graph=rows())


@trap(1)
def concat_with_nothing():
    graph = rows()
    nothing = graph("Slice", "x", np.array([4]), np.array([9]), np.array([1]))
    return graph.model(graph("Gemm", graph("Concat", "x", nothing, axis=1), a(4, 3), a(3)))


@trap(1)
def reshape_by_zero_and_minus_one():
    layers = [("Reshape", np.array([0, -1, 2])), ("MatMul", a(2, 6)), ("MatMul", a(6, 2))]
    return chain(*layers, ("Reshape", np.array([-1, 4])), graph=rows())


@trap(1, dynamic="empty")
def reshape_that_allows_zero():  # with allowzero 0 is no axis to copy, but an axis of nothing
    graph = Graph("N", 4)
    nothing = graph("Slice", "x", np.array([0]), np.array([0]), np.array([1]))
    empty = graph("Reshape", nothing, np.array([0, 3]), allowzero=1)
    total = graph("ReduceSum", empty, np.array([0, 1]), keepdims=0)
    return graph.model(graph("Add", graph("Gemm", "x", a(4, 4), a(4)), total))


@trap(1)
def slice_backwards():
    backwards = ("Slice", np.array([3]), np.array([-9]), np.array([1]), np.array([-2]))
    return chain(backwards, ("Gemm", a(2, 8)), ("Gemm", a(8, 3)), graph=rows())


@trap(1)
def gather_of_negative_columns():
    layers = [("Gemm", a(4, 4), a(4)), ("Gather", np.array([-1, 0, -1]), {"axis": -1}), ("Gemm", a(3, 2), a(2))]
    return chain(*layers, graph=rows())


@trap(1)
def gather_by_a_table():
    layers = [("Gemm", a(4, 4), a(4)), ("Gather", np.array([[0, 1], [3, -1]]), {"axis": 1})]
    return chain(*layers, ("Reshape", np.array([0, 4])), ("Mul", a(4)), graph=rows())


@trap(2)
def expanded_columns():
    layers = [("Gemm", a(4, 1), a(1)), ("Expand", np.array([1, 5])), ("Gemm", a(5, 2), a(2))]
    return chain(*layers, graph=rows())


@trap(1)
def tiled_columns():
    return chain(("Tile", np.array([1, 2])), ("Gemm", a(8, 8), a(8)), ("Gemm", a(8, 2)), graph=rows())


@trap(1)
def triangle():
    layers = [("Trilu", {"upper": 0}), ("MatMul", a(4, 4)), ("Mul", a(4))]
    return chain(*layers, graph=Graph("N", 4, 4))


@trap(1)
def part_written_by_scatter():
    graph = Graph("N", 4)
    hidden = graph("Gemm", "x", a(4, 4), a(4))
    picked = graph("Unsqueeze", graph("Gather", hidden, np.array([0, 1]), axis=1), np.array([2]))
    whole = graph("Transpose", hidden, perm=[1, 0])
    part = graph("Squeeze", graph("Transpose", picked, perm=[1, 0, 2]), np.array([2]))
    written = graph("ScatterND", whole, np.array([[1], [3]]), part)
    return graph.model(graph("Mul", graph("Transpose", written, perm=[1, 0]), a(4)))


@trap(1)
def constants_of_every_shape():  # (), (1), (1, 1), (4), (1, 4)
    layers = [("Add", np.array(0.5)), ("Mul", np.array([2.0])), ("Sub", np.array([[0.25]])), ("Div", np.exp(a(4)))]
    return chain(*layers, ("Gemm", a(4, 3), a(3)), ("Add", a(1, 3)), graph=rows())
