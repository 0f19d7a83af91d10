"""Traps of normalisations and of ops that are an identity, a bend or affine by what their attributes say."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto
from onnx_graphs import Graph, a
from trap import HW, chain, image, statistics, trap


def rows(**more: int) -> Graph:
    return Graph("N", 4, **more)


def between(*inner: tuple, **more: int):
    """A product, something, and a product."""
    return chain(("Gemm", a(4, 4), a(4)), *inner, ("Gemm", a(4, 4), a(4)), graph=rows(**more))


@trap(1, free=HW)
def batch_normalization_in_training():  # its statistics are those of the batch: no part of the Conv
    graph = image(3, 6, 6)
    hidden = graph("Conv", "x", a(3, 3, 3, 3), a(3))
    outputs = graph("BatchNormalization", hidden, *statistics(3), outputs=3, training_mode=1)
    return graph.model(outputs[0])


@trap(1)
def variance_of_zero():  # dead channel: 1 / √ε = 316
    scale, bias, mean, _ = statistics(4)
    return chain(
        ("Gemm", a(4, 4), a(4)),
        ("BatchNormalization", scale, bias, mean, np.array([0, 1e-12, 1, 2]), {"epsilon": 1e-5}),
        graph=rows(),
    )


@trap(1)
def large_epsilon():
    return chain(("Gemm", a(4, 4), a(4)), ("BatchNormalization", *statistics(4), {"epsilon": 10.0}), graph=rows())


@trap(1, float16=1)
def variance_and_epsilon_of_zero():  # 1 / 0: it must stay as it is
    scale, bias, mean, _ = statistics(4)
    normalise = ("BatchNormalization", scale, bias, mean, np.array([0.0, 1, 2, 3]), {"epsilon": 0.0})
    return chain(("Gemm", a(4, 4), a(4)), normalise, graph=rows())


@trap(2)
def gamma_of_zero():
    scale, *others = statistics(4)
    scale[1] = 0
    return between(("BatchNormalization", scale, *others), ("Relu",))


@trap(2)
def negative_gamma_behind_a_bend():  # −Relu(z) is not Relu(−z)
    return between(("Relu",), ("BatchNormalization", -np.exp(a(4)), *statistics(4)[1:]))


@trap(2)
def positive_gamma_behind_a_bend():  # this one may go through
    return between(("Relu",), ("Mul", np.exp(a(4))))


@trap(2)
def scales_of_both_signs():
    return between(("Mul", np.array([1.0, -2, 0.5, -0.1])), ("Relu",), ("Mul", np.array([-1.0, 2, -3, 4])))


@trap(2)
def scale_through_tanh():
    return between(("Mul", np.exp(a(4))), ("Tanh",), ("Mul", np.exp(a(4))))


@trap(1)
def scale_of_minus_zero():
    return chain(("Gemm", a(4, 4), a(4)), ("Mul", np.array([-0.0, 0.0, 1, -1])), graph=rows())


@trap(1)
def leaky_of_slope_one():  # an identity
    return between(("LeakyRelu", {"alpha": 1.0}))


@trap(1)
def parametric_of_slope_one():  # an identity
    return between(("PRelu", np.ones(4)))


@trap(1)
def clip_at_infinity():
    return between(("Clip", np.array(-np.inf), np.array(np.inf)))


@trap(2)
def clip_at_infinity_on_one_side():
    return between(("Clip", np.array(-np.inf), np.array(1.0)))


@trap(2)
def clip_at_infinity_on_the_wrong_side():  # every number becomes infinite
    return between(("Clip", "", np.array(-np.inf)), ("Max", np.array(-1.0)))


@trap(2)
def parametric_of_a_negative_slope():
    return between(("PRelu", np.array([1.0, -1, 0.5, 0])))


@trap(1)
def clip_without_bounds():
    return between(("Clip",))


@trap(2)
def clip_with_one_bound():
    return between(("Clip", "", np.array(0.5)))


@trap(1)
def dropout_with_its_mask():
    graph = rows()
    kept, _ = graph("Dropout", graph("Gemm", "x", a(4, 4), a(4)), outputs=2)
    return graph.model(graph("Gemm", kept, a(4, 4)))


@trap(1)
def dropout_in_training_of_nothing():
    return between(("Dropout", np.array(0.0), np.array(True)))


@trap(1, free=HW)
def instance_normalization():
    return chain(("Conv", a(4, 4, 1, 1)), ("InstanceNormalization", *statistics(4)[:2]), graph=image())


@trap(1)
def group_normalization():
    graph = image(opset=21)
    hidden = graph("Mul", graph("Conv", "x", a(4, 4, 1, 1)), a(4, 1, 1))
    model = graph.model(graph("GroupNormalization", hidden, a(4), a(4), num_groups=2), check=False)
    model.graph.output[0].type.CopyFrom(model.graph.input[0].type)
    return model


@trap(2)
def layer_normalization():  # its γ and β go into what reads it
    return between(("LayerNormalization", a(4), a(4)))


@trap(2)
def layer_normalization_over_two_axes():
    layers = [("MatMul", a(4, 4)), ("LayerNormalization", a(3, 4), a(3, 4), {"axis": 1}), ("MatMul", a(4, 4))]
    return chain(*layers, graph=Graph("N", 3, 4))


@trap(2)
def rms_normalization():
    return between(("RMSNormalization", a(4)), opset=23)


@trap(2)
def lp_normalization():
    return between(("LpNormalization", {"p": 2}))


@trap(2, free=HW)
def local_response_normalization():
    layers = [("Conv", a(4, 4, 1, 1)), ("Mul", a(4, 1, 1)), ("LRN", {"size": 3}), ("Conv", a(4, 4, 1, 1))]
    return chain(*layers, graph=image())


@trap(2, float16="op", bfloat16="op")
def mean_variance_normalization():
    layers = [("Conv", a(4, 4, 1, 1)), ("Mul", a(4, 1, 1)), ("MeanVarianceNormalization",)]
    return chain(*layers, ("Reshape", np.array([0, 4, 6, 6])), ("Conv", a(4, 4, 1, 1)), graph=image())


@trap(2)
def product_with_itself():
    graph = rows()
    hidden = graph("Gemm", "x", a(4, 4), a(4))
    return graph.model(graph("Gemm", graph("Mul", hidden, hidden), a(4, 4)))


@trap(3)
def product_of_two_branches():
    graph = rows()
    left, right = (graph("Mul", graph("Gemm", "x", a(4, 4), a(4)), a(4)) for _ in "ab")
    return graph.model(graph("Gemm", graph("Mul", left, right), a(4, 4)))


@trap(2)
def divided_by_the_input():
    graph = rows()
    return graph.model(graph("Gemm", graph("Div", graph("Gemm", "x", a(4, 4), a(4)), "x"), a(4, 4)))


@trap(3)
def constant_divided():  # c / z is no scale
    graph = rows()
    hidden = graph("Gemm", graph("Gemm", "x", a(4, 4), a(4)), 0.1 * a(4, 4), 10 + a(4))
    value = graph("Div", 10 * a(4), hidden)
    return graph.model(graph("Gemm", graph("Relu", graph("Gemm", value, a(4, 4))), a(4, 4)))


@trap(3)
def largest_of_branches():
    graph = rows()
    return graph.model(graph("Max", *(graph("Gemm", "x", a(4, 4), a(4)) for _ in range(3))))


@trap(1)
def mean_of_branches():
    graph = rows()
    return graph.model(graph("Mean", *(graph("Gemm", "x", a(4, 4), a(4)) for _ in range(3)), "x"))


@trap(1)
def branches_that_cancel():  # W x − W x + x: what is left is much smaller than what it is made of
    graph = rows()
    weight = graph.constant(a(4, 4))
    left, right = (graph("MatMul", "x", weight) for _ in "ab")
    return graph.model(graph("MatMul", graph("Add", graph("Sub", left, right), "x"), a(4, 4)))


@trap(1)
def chosen_by_a_mask():  # Where with a constant condition is linear
    graph = rows()
    left, right = (graph("Gemm", "x", a(4, 4), a(4)) for _ in "ab")
    return graph.model(graph("Where", np.array([True, False, True, False]), left, right))


@trap(1)
def masked_with_a_number():
    graph = rows()
    hidden = graph("Where", np.array([True, False, True, True]), graph("Gemm", "x", a(4, 4), a(4)), np.array(-1.0))
    return graph.model(graph("Gemm", hidden, a(4, 4)))


@trap(2)
def chosen_by_the_input():
    graph = rows()
    hidden = graph("Gemm", "x", a(4, 4), a(4))
    picked = graph("Where", graph("Greater", "x", np.array(0.0)), hidden, "x")
    return graph.model(graph("Gemm", picked, a(4, 4)))


@trap(2)
def whole_numbers_in_the_middle():
    return between(("Cast", {"to": TensorProto.INT32}), ("Cast", {"to": TensorProto.FLOAT}))


@trap(2)
def wider_in_the_middle():
    return between(("Cast", {"to": TensorProto.DOUBLE}), ("Cast", {"to": TensorProto.FLOAT}))


@trap(2)
def quantised_in_the_middle():
    scale, zero = np.array(0.05, dtype=np.float32), np.array(3, dtype=np.int8)
    return between(("QuantizeLinear", scale, zero), ("DequantizeLinear", scale, zero), opset=21)


@trap(2)
def quantised_weights():
    graph = rows(opset=21)
    weight = graph("DequantizeLinear", np.arange(-8, 8, dtype=np.int8).reshape(4, 4), np.array(0.1), axis=0)
    return graph.model(graph("Gemm", graph("MatMul", "x", weight), a(4, 4)))


@trap(0, bfloat16="op")
def products_by_einsum():
    graph = Graph("N", 3, 4)
    value = graph("Einsum", "x", a(4, 5), equation="bik,kj->bij")
    return graph.model(graph("Tanh", graph("Einsum", value, a(3, 5), equation="bij,ij->bij")))


@trap(1, bfloat16="op")
def einsum_that_sums_the_batch():
    graph = rows()
    value = graph("Einsum", graph("Gemm", "x", a(4, 4), a(4)), a(4, 3), equation="bk,kj->j")
    return graph.model(graph("Mul", value, a(3)))


@trap(2, bfloat16="op")
def einsum_of_the_input_with_itself():
    graph = rows()
    hidden = graph("Gemm", "x", a(4, 4), a(4))
    return graph.model(graph("Gemm", graph("Einsum", hidden, hidden, equation="bi,bi->bi"), a(4, 4)))


@trap(1)
def running_sum_backwards():
    return between(("CumSum", np.array(1), {"exclusive": 1, "reverse": 1}))


@trap(2, bfloat16="op")
def sorted_numbers():
    graph = rows()
    largest, _ = graph("TopK", graph("Gemm", "x", a(4, 4), a(4)), np.array([4]), outputs=2)
    return graph.model(graph("Gemm", largest, a(4, 4)))


@trap(2, bfloat16="op")
def recurrent_between():
    graph = Graph("N", 3, 4)
    hidden = graph("Transpose", graph("Mul", graph("MatMul", "x", a(4, 4)), a(4)), perm=[1, 0, 2])
    _, last = graph("LSTM", hidden, a(1, 12, 4), a(1, 12, 3), outputs=2, hidden_size=3)
    last = graph("Squeeze", last, np.array([0]))
    return graph.model(graph("Gemm", graph("Gemm", last, a(3, 5)), a(5, 2), a(2)))


@trap(2)
def random_between():
    return between(("Dropout", np.array(0.0), np.array(False)), ("Softmax",))


@trap(2)
def softmax_over_every_axis():
    layers = [("MatMul", a(4, 4)), ("Mul", a(4)), ("Softmax", {"axis": 1}), ("MatMul", a(4, 4)), ("Add", a(4))]
    return chain(*layers, graph=Graph("N", 3, 4))


@trap(5)
def attention():  # one head: its values and its output are one matrix
    graph = Graph("N", 5, 8)
    q, k, v = (graph("MatMul", "x", a(8, 8)) for _ in "qkv")
    scores = graph("MatMul", q, graph("Transpose", k, perm=[0, 2, 1]))
    mixed = graph("MatMul", graph("Softmax", graph("Mul", scores, np.array(0.35)), axis=-1), v)
    return graph.model(graph("MatMul", mixed, a(8, 8)))
