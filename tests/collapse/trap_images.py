"""Traps of convolutions, pools and borders."""

from __future__ import annotations

from onnx_graphs import Graph, a
from trap import PAD1, chain, image, statistics, trap


@trap(1)
def conv_then_batch_normalization():
    return chain(("Conv", a(5, 4, 3, 3), PAD1), ("BatchNormalization", *statistics(5)), graph=image())


@trap(1)
def batch_normalization_then_valid_conv():
    return chain(("BatchNormalization", *statistics(4)), ("Conv", a(5, 4, 3, 3)), graph=image())


@trap(1)
def grouped_conv_with_scale():
    layers = [("Mul", a(4, 1, 1)), ("Conv", a(6, 2, 3, 3), {"group": 2, **PAD1}), ("Mul", a(6, 1, 1))]
    return chain(*layers, graph=image())


@trap(1)
def scale_along_the_width():  # OnnxSlim folds a constant of length C == W into the channels
    return chain(("Conv", a(6, 4, 3, 3), PAD1), ("Mul", a(6)), graph=image(4, 6, 6))


@trap(1)
def scale_along_the_height():
    return chain(("Conv", a(6, 4, 3, 3), PAD1), ("Mul", a(6, 1)), graph=image(4, 6, 6))


@trap(1)
def shift_along_the_width():
    return chain(("Conv", a(6, 4, 3, 3), PAD1), ("Add", a(6)), graph=image(4, 6, 6))


@trap(2)
def bias_before_zero_padding():  # the bias is missing at the border: no plain 3×3 convolution
    return chain(("Conv", a(4, 4, 1, 1), a(4)), ("Conv", a(4, 4, 3, 3), PAD1), graph=image(4, 24, 24))


@trap(2)
def padded_after_padded():  # two padded 3×3 are no padded 5×5
    return chain(("Conv", a(4, 4, 3, 3), PAD1), ("Conv", a(4, 4, 3, 3), PAD1), graph=image(4, 24, 24))


@trap(2)
def depthwise_then_pointwise():
    layers = [("Conv", a(8, 1, 3, 3), {"group": 8, **PAD1}), ("Conv", a(8, 8, 1, 1))]
    return chain(*layers, graph=image(8, 24, 24))


@trap(1)
def convolutions_to_one_matrix():
    layers = [("Conv", a(8, 2, 3, 3), a(8), PAD1), ("Conv", a(8, 8, 3, 3)), ("Flatten",), ("Gemm", a(32, 2), a(2))]
    return chain(*layers, graph=image(2, 4, 4))


@trap(1)
def parallel_convolutions_of_one_window():
    graph = image(4, 12, 12)
    branches = [graph("BatchNormalization", graph("Conv", "x", a(4, 4, 3, 3), **PAD1), *statistics(4)) for _ in "ab"]
    return graph.model(graph("Add", *branches))


@trap(1)
def convolutions_that_share_a_kernel():  # torch.fx edits the shared kernel in place and is wrong by 0.84
    graph = image(4, 12, 12)
    kernel = graph.constant(a(4, 4, 3, 3))
    branches = [graph("BatchNormalization", graph("Conv", "x", kernel, **PAD1), *statistics(4)) for _ in "ab"]
    return graph.model(graph("Add", *branches))


@trap(1)
def pool_that_counts_its_padding():
    layers = [("AveragePool", {"kernel_shape": [2, 2], "count_include_pad": 1, **PAD1}), ("Conv", a(4, 4, 3, 3))]
    return chain(*layers, graph=image(4, 24, 24))


@trap(1)
def pool_that_does_not_count_its_padding():
    layers = [
        ("Conv", a(4, 4, 3, 3)),
        ("AveragePool", {"kernel_shape": [3, 3], "ceil_mode": 1, "strides": [2, 2], **PAD1}),
    ]
    return chain(*layers, graph=image(4, 25, 25))


@trap(1)
def same_padding_of_an_odd_size():
    layers = [("Conv", a(4, 4, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}), ("Mul", a(4, 1, 1))]
    return chain(*layers, graph=image(4, 15, 14))


@trap(1)
def same_lower_padding():
    layers = [("Mul", a(4, 1, 1)), ("Conv", a(4, 4, 2, 2), {"auto_pad": "SAME_LOWER"})]
    return chain(*layers, graph=image(4, 15, 14))


@trap(1)
def asymmetric_pads_and_dilation():
    layers = [
        ("Conv", a(4, 4, 3, 2), {"pads": [0, 1, 2, 3], "dilations": [2, 1], "strides": [1, 2]}),
        ("Mul", a(4, 1, 1)),
    ]
    return chain(*layers, graph=image(4, 9, 9))


@trap(1)
def transposed_convolution():
    layers = [("ConvTranspose", a(4, 3, 3, 3), {"strides": [2, 2], **PAD1}), ("BatchNormalization", *statistics(3))]
    return chain(*layers, graph=image(4, 9, 9))


@trap(1)
def one_dimensional_convolution():
    layers = [("Conv", a(4, 2, 3), a(4), {"pads": [1, 1]}), ("BatchNormalization", *statistics(4))]
    return chain(*layers, graph=Graph("N", 2, 16))


@trap(1)
def global_pool_then_linear_layers():
    layers = [("GlobalAveragePool",), ("Flatten",), ("Gemm", a(8, 16), a(16)), ("BatchNormalization", *statistics(16))]
    return chain(*layers, ("Gemm", a(16, 3), a(3)), graph=image(8, 12, 12))


@trap(1)
def channels_last():  # tf2onnx: NHWC outside, NCHW inside
    layers = [
        ("Transpose", {"perm": [0, 3, 1, 2]}),
        ("Conv", a(4, 3, 3, 3), a(4), PAD1),
        ("Transpose", {"perm": [0, 2, 3, 1]}),
        ("Mul", a(4)),
        ("Add", a(4)),
    ]
    return chain(*layers, graph=Graph("N", 12, 12, 3))
