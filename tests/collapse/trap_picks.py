"""Traps of picks, means and sizes: what is thrown away, or made of little, need not be multiplied."""

from __future__ import annotations

import numpy as np
from onnx_graphs import Graph, a
from trap import HW, chain, image, statistics, trap

TOKENS, WIDTH = 6, 6


def tokens(*layers: tuple):
    return chain(("Relu",), *layers, graph=Graph("N", TOKENS, WIDTH))


@trap(1)
def first_token_of_a_layer():
    return tokens(("MatMul", a(WIDTH, WIDTH)), ("Add", a(WIDTH)), ("Gather", np.array(0), {"axis": 1}))


@trap(1)
def last_token_of_a_layer_whose_bias_differs():
    bias = a(TOKENS, WIDTH)
    slice_ = ("Slice", np.array([-1]), np.array([100]), np.array([1]))
    return tokens(("MatMul", a(WIDTH, WIDTH)), ("Add", bias), slice_)


@trap(2)
def one_feature_of_each_token():  # another axis of the same length: the matrix loses columns, no tokens go
    return tokens(
        ("MatMul", a(WIDTH, WIDTH)), ("Relu",), ("MatMul", a(WIDTH, WIDTH)), ("Gather", np.array([0]), {"axis": 2})
    )


@trap(1)
def mean_of_tokens_between_layers():
    layers = [
        ("MatMul", a(WIDTH, 9)),
        ("Add", a(9)),
        ("ReduceMean", np.array([1]), {"keepdims": 0}),
        ("Gemm", a(9, 3), a(3)),
    ]
    return tokens(*layers)


@trap(1)
def sum_of_tokens_between_layers():  # the bias counts six times
    layers = [
        ("MatMul", a(WIDTH, 9)),
        ("Add", a(9)),
        ("ReduceSum", np.array([1]), {"keepdims": 0}),
        ("Gemm", a(9, 3), a(3)),
    ]
    return tokens(*layers)


@trap(1)
def tokens_that_are_repeated():
    return tokens(
        ("Gather", np.array([0, 0, 3, 3, 5, 5, 1, 1]), {"axis": 1}), ("MatMul", a(WIDTH, WIDTH)), ("Add", a(WIDTH))
    )


@trap(1, free=(1,), lengths=((5,), (8,)))
def first_token_of_any_number():
    return tokens(("MatMul", a(WIDTH, WIDTH)), ("Add", a(WIDTH)), ("Gather", np.array([0]), {"axis": 1}))


@trap(1, free=HW)
def upsampled_before_a_pointwise_convolution():
    sizes = np.array([1, 1, 2, 2], dtype=np.float32)
    return chain(("Resize", "", sizes, {"mode": "nearest"}), ("Conv", a(3, 4, 1, 1), a(3)), graph=image())


@trap(1, float16="onnxruntime: no Resize of float16", bfloat16="onnxruntime: no Resize of bfloat16")
def upsampled_to_a_size_that_names_the_channels():
    sizes = np.array([1, 4, 9, 9])
    return chain(("Resize", "", "", sizes, {"mode": "nearest"}), ("Conv", a(4, 4, 1, 1), a(4)), graph=image())


@trap(1)
def cropped_behind_a_pointwise_convolution():
    crop = ("Slice", np.array([1, 2]), np.array([4, 6]), np.array([2, 3]))
    return chain(("Conv", a(8, 4, 1, 1), a(8)), crop, ("Conv", a(2, 8, 1, 1)), graph=image())


@trap(1)
def some_channels_of_a_pointwise_convolution():
    pick = ("Gather", np.array([3, 1]), {"axis": 1})
    return chain(("Conv", a(8, 4, 1, 1), a(8)), pick, graph=image())


TWICE = {"strides": [2, 2], "pads": [1, 1, 1, 1]}


@trap(1, dynamic=2, free=HW)
def pointwise_with_its_bias_then_transposed():  # at the border fewer taps see the bias
    return chain(("Conv", a(9, 4, 1, 1), a(9)), ("ConvTranspose", a(9, 5, 4, 4), a(5), TWICE), graph=image())


@trap(1, free=HW)
def transposed_in_groups_then_normalised():
    grouped = {**TWICE, "group": 2, "output_padding": [1, 0]}
    return chain(("ConvTranspose", a(4, 3, 3, 3), a(6), grouped), ("BatchNormalization", *statistics(6)), graph=image())


@trap(1)
def pointwise_in_groups_then_transposed_in_groups():
    return chain(
        ("Conv", a(8, 2, 1, 1), {"group": 2}), ("ConvTranspose", a(8, 2, 3, 3), {**TWICE, "group": 4}), graph=image()
    )


@trap(2)
def transposed_then_padded():  # the padding lies between the two
    return chain(
        ("ConvTranspose", a(4, 8, 4, 4), TWICE), ("Conv", a(3, 8, 1, 1), {"pads": [1, 1, 1, 1]}), graph=image()
    )


@trap(2)
def transposed_then_every_second():
    return chain(("ConvTranspose", a(4, 8, 4, 4), TWICE), ("Conv", a(3, 8, 1, 1), {"strides": [2, 2]}), graph=image())
