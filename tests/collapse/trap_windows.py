"""Traps of windows: pads of every sort, transposed and grouped convolutions, chains of windows, pools, resizing."""

from __future__ import annotations

import numpy as np
from onnx_graphs import Graph, a
from trap import HW, PAD1, chain, image, statistics, trap

WIDE = {"kernel_shape": [3, 3]}


@trap(1, free=HW)
def padding_in_the_first_only():  # 1 → 8 → 1: one padded 5×5 is cheaper, and the border is the same
    return chain(("Conv", a(8, 1, 3, 3), {"pads": [2, 2, 2, 2]}), ("Conv", a(1, 8, 3, 3)), graph=image(1, 20, 20))


@trap(2, free=HW)
def padding_in_the_second_only():  # the padded 5×5 sees more of the image at the border: OREPA, 365 off
    return chain(("Conv", a(8, 1, 3, 3)), ("Conv", a(1, 8, 3, 3), PAD1), graph=image(1, 20, 20))


@trap(1, free=HW)
def pointwise_before_asymmetric_pads():
    layers = [("Conv", a(32, 4, 1, 1)), ("Conv", a(4, 32, 3, 3), {"pads": [0, 1, 2, 3]})]
    return chain(*layers, graph=image(4, 12, 12))


@trap(1, free=HW)
def bias_before_asymmetric_pads():  # conv and a border of its own at each side
    layers = [("Conv", a(64, 4, 1, 1), a(64)), ("Conv", a(4, 64, 3, 3), {"pads": [0, 1, 2, 3]})]
    return chain(*layers, graph=image(4, 12, 12))


@trap(1, free=HW)
def bias_before_dilated_pads():  # the border is as wide as the kernel reaches
    layers = [("Conv", a(64, 4, 1, 1), a(64)), ("Conv", a(4, 64, 3, 3), {"pads": [2, 2, 2, 2], "dilations": [2, 2]})]
    return chain(*layers, graph=image(4, 12, 12))


@trap(1, free=HW)
def mean_subtracted_before_pads():  # x − mean, then zeros: the border is −mean short of zero
    layers = [("Sub", a(3, 1, 1)), ("Div", np.exp(a(3, 1, 1))), ("Conv", a(8, 3, 3, 3), a(8), PAD1)]
    return chain(*layers, graph=image(3, 12, 12))


@trap(1, free=HW)
def stride_before_a_window():  # the second kernel is dilated by the first stride
    layers = [("Conv", a(32, 4, 1, 1), {"strides": [2, 2]}), ("Conv", a(4, 32, 3, 3), PAD1)]
    return chain(*layers, graph=image(4, 15, 14))


@trap(1, free=HW, dynamic=2)
def stride_that_drops_the_last_row():  # (H − 2) mod 2 ≠ 0: the composed window must not see the row that is left over
    layers = [("Conv", a(16, 1, 2, 2), {"strides": [2, 2]}), ("Conv", a(1, 16, 2, 2), {"strides": [3, 3]})]
    return chain(*layers, graph=image(1, 23, 21))


@trap(2, free=HW, lengths=((19, 22), (25, 16)))
def holes_of_two_dilations():  # 3 taps by 2 after 3 by 5: no one dilation holds all of them
    first, second = {"dilations": [2, 2]}, {"dilations": [5, 5]}
    return chain(("Conv", a(2, 2, 3, 3), first), ("Conv", a(2, 2, 3, 3), second), graph=image(2, 20, 20))


@trap(1, free=HW)
def asymmetric_kernels():  # ACNet: 3×3 + 1×3 + 3×1
    graph = image(4, 12, 12)
    shapes = {(3, 3): [1, 1, 1, 1], (1, 3): [0, 1, 0, 1], (3, 1): [1, 0, 1, 0]}
    return graph.model(graph("Sum", *(graph("Conv", "x", a(4, 4, *k), a(4), pads=p) for k, p in shapes.items())))


@trap(1, free=HW)
def even_kernel_beside_an_odd_one():  # 2×2 padded at its ends lies within the 3×3
    graph = image(4, 12, 12)
    branches = [
        graph("Conv", "x", a(4, 4, 3, 3), **PAD1),
        graph("Conv", "x", a(4, 4, 2, 2), pads=[0, 0, 1, 1]),
        graph("Conv", "x", a(4, 4, 1, 1), a(4)),
    ]
    return graph.model(graph("Sum", *branches))


@trap(2, free=HW, lengths=((9, 13), (17, 7)))
def strides_that_start_elsewhere():  # the 1×1 reads another value than the 3×3, by a bend that does nothing
    graph = image(3, 9, 9)
    centre = graph("Conv", "x", a(3, 3, 3, 3), strides=[2, 2], **PAD1)
    pooled = graph("MaxPool", "x", kernel_shape=[1, 1], strides=[2, 2])
    return graph.model(graph("Add", centre, graph("Conv", pooled, a(3, 3, 1, 1))))


@trap(1, free=HW)
def dilated_branch_in_a_large_kernel():  # UniRepLKNet
    graph = image(2, 14, 14)
    large = graph("Conv", "x", a(2, 1, 5, 5), pads=[2] * 4, group=2)
    dilated = graph("Conv", "x", a(2, 1, 3, 3), pads=[2] * 4, dilations=[2, 2], group=2)
    return graph.model(graph("Add", large, dilated))


@trap(1, free=HW)
def identity_beside_a_grouped_kernel():
    graph = image(4, 12, 12)
    grouped = graph("Conv", "x", a(4, 2, 3, 3), a(4), group=2, **PAD1)
    return graph.model(graph("Add", graph("BatchNormalization", "x", *statistics(4)), grouped))


@trap(2)
def groups_with_shuffled_channels():  # ShuffleNet without its bends: each group reads a channel of each
    graph = image(8, 8, 8)
    value = graph("Conv", "x", a(8, 4, 1, 1), group=2)
    value = graph("Reshape", value, np.array([0, 2, 4, -1]))
    value = graph("Transpose", value, perm=[0, 2, 1, 3])
    value = graph("Reshape", value, np.array([0, 8, 8, 8]))
    return graph.model(graph("Conv", value, a(8, 4, 3, 3), group=2))


@trap(1, free=HW)
def channels_shuffled_by_gather():
    layers = [("Conv", a(8, 4, 3, 3), a(8)), ("Gather", np.array([0, 4, 1, 5, 2, 6, 3, 7]), {"axis": 1})]
    return chain(*layers, ("Mul", a(8, 1, 1)), graph=image(4, 8, 8))


@trap(1, free=HW)
def groups_within_groups():
    layers = [("Conv", a(32, 2, 1, 1), {"group": 2}), ("Conv", a(4, 16, 3, 3), {"group": 2, **PAD1})]
    return chain(*layers, graph=image(4, 10, 10))


@trap(1, free=HW)
def depthwise_with_more_filters():
    layers = [("Conv", a(12, 1, 3, 3), a(12), {"group": 4}), ("BatchNormalization", *statistics(12))]
    return chain(*layers, graph=image(4, 10, 10))


@trap(1, free=HW)
def cropped_by_negative_pads():  # onnxscript folds a negative Pad into a Conv, which may not have one
    layers = [("Pad", np.array([0, 0, -1, -2, 0, 0, -1, 0])), ("Conv", a(3, 4, 3, 3), PAD1), ("Mul", a(3, 1, 1))]
    return chain(*layers, graph=image(4, 12, 12))


@trap(1, free=HW)
def padded_with_a_number():
    layers = [("Pad", np.array([0, 0, 1, 1, 0, 0, 1, 1]), np.array(0.5)), ("Conv", a(3, 4, 3, 3)), ("Mul", a(3, 1, 1))]
    return chain(*layers, graph=image(4, 12, 12))


@trap(1, free=HW)
def padded_with_zeros():
    layers = [("Pad", np.array([0, 0, 1, 0, 0, 0, 2, 1])), ("Conv", a(3, 4, 3, 3), a(3)), ("Mul", a(3, 1, 1))]
    return chain(*layers, graph=image(4, 12, 12))


@trap(1, free=HW)
def padded_by_reflection():  # linear, and no padding that a Conv could have
    layers = [("Mul", a(4, 1, 1)), ("Pad", np.array([0, 0, 1, 2, 0, 0, 2, 1]), {"mode": "reflect"})]
    return chain(*layers, ("Conv", a(3, 4, 3, 3), a(3)), graph=image(4, 10, 10))


@trap(1, free=HW)
def padded_by_its_edge():
    layers = [("Add", a(4, 1, 1)), ("Pad", np.array([0, 0, 1, 1, 0, 0, 1, 1]), {"mode": "edge"})]
    return chain(*layers, ("Conv", a(3, 4, 3, 3)), graph=image(4, 10, 10))


@trap(1, free=HW)
def padded_around():
    graph = image(4, 10, 10, opset=19)
    layers = [("Mul", a(4, 1, 1)), ("Pad", np.array([0, 0, 1, 1, 0, 0, 1, 1]), {"mode": "wrap"})]
    return chain(*layers, ("Conv", a(3, 4, 3, 3)), graph=graph)


@trap(2, free=HW)
def same_padding_twice():  # with a stride the pads depend on the size: 15 → (1, 1), 14 → (0, 1)
    same = {"auto_pad": "SAME_UPPER", "strides": [2, 2]}
    return chain(("Conv", a(4, 3, 3, 3), same), ("Conv", a(4, 4, 3, 3), same), graph=image(3, 15, 14))


@trap(1, free=HW)
def same_lower_at_a_stride():
    layers = [("Conv", a(4, 4, 3, 3), a(4), {"auto_pad": "SAME_LOWER", "strides": [2, 2]}), ("Mul", a(4, 1, 1))]
    return chain(*layers, graph=image(4, 15, 14))


@trap(1, free=HW)
def valid_padding():
    return chain(("Add", a(4, 1, 1)), ("Conv", a(4, 4, 3, 3), {"auto_pad": "VALID"}), graph=image(4, 9, 8))


@trap(1, free=HW)
def pool_with_a_ceiling():  # the last windows are not full, and count what they have
    pool = {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}
    return chain(("Conv", a(4, 4, 1, 1), a(4)), ("AveragePool", pool), ("Mul", a(4, 1, 1)), graph=image(4, 12, 12))


@trap(1, free=HW)
def pool_with_a_ceiling_that_counts_its_padding():  # what lies beyond the padding counts nothing all the same
    pool = {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1, "count_include_pad": 1, **PAD1}
    return chain(("AveragePool", pool), ("Conv", a(4, 4, 1, 1)), graph=image(4, 12, 12))


@trap(1, free=HW)
def bias_before_a_pool_that_counts_its_padding():  # the padding is no bias
    pool = {"kernel_shape": [3, 3], "count_include_pad": 1, **PAD1}
    return chain(("Conv", a(4, 4, 1, 1), a(4)), ("AveragePool", pool), graph=image(4, 12, 12))


@trap(1, free=HW)
def bias_before_a_pool_that_does_not():  # here it is
    pool = {"kernel_shape": [3, 3], **PAD1}
    return chain(("Conv", a(4, 4, 1, 1), a(4)), ("AveragePool", pool), graph=image(4, 12, 12))


@trap(1, free=HW)
def pooling_branch():  # DBB: 1×1 then average, beside a 3×3
    graph = image(4, 12, 12)
    pooled = graph("AveragePool", graph("Conv", "x", a(4, 4, 1, 1)), kernel_shape=[3, 3], count_include_pad=1, **PAD1)
    return graph.model(graph("Add", graph("Conv", "x", a(4, 4, 3, 3), a(4), **PAD1), pooled))


@trap(2, free=HW)
def pooling_branch_that_does_not_count_its_padding():  # divided by 4 and 6 at the border: no part of the 3×3
    graph = image(4, 12, 12)
    pooled = graph("AveragePool", graph("Conv", "x", a(4, 4, 1, 1)), **WIDE, **PAD1)
    return graph.model(graph("Add", graph("Conv", "x", a(4, 4, 3, 3), a(4), **PAD1), pooled))


@trap(1, free=HW)
def dilated_pool():
    graph = image(4, 12, 12, opset=19)
    return chain(("AveragePool", {"dilations": [2, 2], **WIDE}), ("Conv", a(4, 4, 1, 1)), graph=graph)


@trap(2, free=HW)
def largest_between():  # a negative scale does not go through a MaxPool
    layers = [("Conv", a(4, 4, 1, 1)), ("MaxPool", WIDE), ("Mul", -np.exp(a(4, 1, 1))), ("Conv", a(4, 4, 1, 1))]
    return chain(*layers, graph=image(4, 9, 9))


@trap(1, free=HW)
def lp_pool():
    return chain(("Conv", a(4, 4, 1, 1)), ("LpPool", {"p": 1, **WIDE}), graph=image(4, 9, 9))


@trap(1, free=HW, bfloat16="op")
def global_lp_pool():
    return chain(("Mul", a(4, 1, 1)), ("Conv", a(4, 4, 1, 1)), ("GlobalLpPool", {"p": 2}), graph=image(4, 9, 9))


@trap(1, free=HW)
def transposed_with_output_padding():
    up = {"strides": [3, 3], "output_padding": [1, 2], **PAD1}
    return chain(("ConvTranspose", a(4, 3, 4, 4), a(3), up), ("Mul", a(3, 1, 1)), graph=image(4, 5, 6))


@trap(1)
def transposed_with_an_output_shape():
    up = {"strides": [2, 2], "output_shape": [11, 12]}
    return chain(("ConvTranspose", a(4, 3, 3, 3), up), ("Mul", a(3, 1, 1)), graph=image(4, 5, 6))


@trap(1, free=HW)
def transposed_same_upper():
    up = {"strides": [2, 2], "auto_pad": "SAME_UPPER"}
    return chain(("ConvTranspose", a(4, 3, 3, 3), up), ("Mul", a(3, 1, 1)), graph=image(4, 5, 6))


@trap(1, free=HW)
def transposed_in_groups_and_dilated():
    up = {"strides": [2, 1], "dilations": [1, 2], "group": 2, **PAD1}
    layers = [("Mul", a(4, 1, 1)), ("ConvTranspose", a(4, 3, 3, 3), a(6), up), ("BatchNormalization", *statistics(6))]
    return chain(*layers, graph=image(4, 5, 6))


@trap(1, free=HW)
def pointwise_then_transposed():  # 2 → 16 → 2
    layers = [("Conv", a(16, 2, 1, 1)), ("ConvTranspose", a(16, 2, 2, 2), a(2), {"strides": [2, 2]})]
    return chain(*layers, graph=image(2, 6, 6))


@trap(1, free=HW)
def transposed_then_pointwise():
    layers = [("ConvTranspose", a(2, 16, 2, 2), a(16), {"strides": [2, 2]}), ("Conv", a(2, 16, 1, 1), a(2))]
    return chain(*layers, graph=image(2, 6, 6))


@trap(1, free=(2,), lengths=((5,), (8,)))
def three_axes():
    layers = [("Conv", a(3, 2, 2, 3, 3), a(3), {"pads": [0, 1, 1, 1, 1, 1]}), ("BatchNormalization", *statistics(3))]
    return chain(*layers, graph=Graph("N", 2, 5, 6, 7))


@trap(1, free=HW)
def nearest_neighbours():
    layers = [("Conv", a(3, 4, 1, 1), a(3)), ("Resize", "", np.array([1, 1, 2, 2], dtype=np.float32))]
    return chain(*layers, ("Mul", a(3, 1, 1)), graph=image(4, 5, 6))


@trap(1, free=HW)
def linear_resizing():
    layers = [("Resize", "", np.array([1, 1, 2, 1.5]), {"mode": "linear"}), ("Conv", a(3, 4, 1, 1), a(3))]
    return chain(("Mul", a(4, 1, 1)), *layers, graph=image(4, 6, 6))


@trap(1)
def cubic_resizing_to_a_size():
    cubic = {"mode": "cubic", "coordinate_transformation_mode": "align_corners"}
    layers = [("Resize", "", "", np.array([1, 4, 9, 7]), cubic), ("Conv", a(3, 4, 1, 1), a(3))]
    return chain(("Mul", a(4, 1, 1)), *layers, graph=Graph(1, 4, 5, 5))


@trap(1, free=HW)
def depth_to_space():  # the channels that meet are in another order in each of the modes
    layers = [("Conv", a(8, 3, 3, 3), a(8)), ("DepthToSpace", {"blocksize": 2, "mode": "CRD"}), ("Mul", a(2, 1, 1))]
    return chain(*layers, graph=image(3, 6, 6))


@trap(1, free=HW, lengths=((8, 12), (16, 6)))
def space_to_depth():
    layers = [("SpaceToDepth", {"blocksize": 2}), ("Conv", a(4, 8, 1, 1), a(4)), ("Mul", a(4, 1, 1))]
    return chain(*layers, graph=image(2, 6, 6))


@trap(1, free=HW, dynamic=2, lengths=((8, 12), (16, 4)))
def patches_as_tokens():  # ViT: a Conv as large as its stride, its places as a sequence, then a matrix
    layers = [("Conv", a(64, 3, 4, 4), a(64), {"strides": [4, 4]}), ("Reshape", np.array([0, 64, -1]))]
    layers += [("Transpose", {"perm": [0, 2, 1]}), ("MatMul", a(64, 4)), ("Add", a(4))]
    return chain(*layers, graph=image(3, 8, 8))


@trap(1)
def padding_of_channels():  # an exporter's shortcut of another width: zeros for the channels that are not there
    graph = image(2, 6, 6)
    wide = graph("Pad", "x", np.array([0, 1, 0, 0, 0, 1, 0, 0]))
    return graph.model(graph("Add", wide, graph("Conv", "x", a(4, 2, 3, 3), **PAD1)))


@trap(2, free=HW)
def border_written_by_scatter():  # DBB: BatchNormalization, its border set to a constant, then a valid 3×3
    graph = image(3, 6, 6)
    value = graph("Pad", graph("Conv", "x", a(3, 3, 1, 1)), np.array([0, 0, 1, 1, 0, 0, 1, 1]), np.array(0.25))
    return graph.model(graph("Conv", value, a(3, 3, 3, 3)))


NCHW, NHWC = {"perm": [0, 3, 1, 2]}, {"perm": [0, 2, 3, 1]}


@trap(1)
def convolution_then_matmul_of_channels_last():  # as tf2onnx writes it
    layers = [("Transpose", NCHW), ("Conv", a(6, 4, 3, 3), a(6), PAD1), ("Transpose", NHWC), ("MatMul", a(6, 2))]
    return chain(*layers, ("Add", a(2)), graph=Graph("N", 5, 6, 4))


@trap(1)
def matmul_of_channels_last_then_convolution():  # with its bias before the padding
    layers = [("MatMul", a(3, 16)), ("Add", a(16)), ("Transpose", NCHW), ("Conv", a(16, 16, 3, 3), PAD1)]
    return chain(*layers, ("Transpose", NHWC), ("Relu",), graph=Graph("N", 5, 6, 3))


@trap(2)
def matmul_of_another_axis_than_channels():  # the width is as long as there are channels
    layers = [("MatMul", a(4, 4)), ("Transpose", {"perm": [0, 3, 2, 1]}), ("Conv", a(4, 4, 3, 3), PAD1)]
    return chain(("Transpose", {"perm": [0, 1, 3, 2]}), *layers, graph=Graph("N", 4, 4, 4))
