"""Pooling: averages are affine; largest values are affine while the same elements stay the largest."""

from __future__ import annotations

import math

import numpy as np

from unbend.affine import Convolution, Diagonal, Shape, compose, shrink, total
from unbend.network.graph import Node
from unbend.network.local import Local, Operand, Unsupported
from unbend.network.ops import op
from unbend.network.ops.convolution import Windows, windows_of
from unbend.network.ops.extremum import Pick


@op("AveragePool", reach="everywhere")
def average_pool(node: Node, x: Operand) -> Local:
    """y = Σ over the window / how many elements the window has there.

    Elements of the padding count if `count_include_pad` says so; what `ceil_mode` reads beyond the padding never does.

    Checked against: onnx.reference and onnxruntime, opset 19.
    """
    image = x.shape[2:]
    windows = windows_of(node, image, tuple(node.attribute("kernel_shape")))
    sums = _window_sums(x.shape, windows, windows.reached)
    counted = (1, 1, *image)
    pads = windows.reached
    if node.attribute("count_include_pad", 0):
        counted = (1, 1, *(size + begin + end for size, (begin, end) in zip(image, windows.pads, strict=True)))
        pads = tuple((0, more) for more in windows.extra)
    counts = _window_sums(counted, windows, pads).apply(np.ones((1, *counted)))
    return Local.affine({0: compose(Diagonal(shrink(1.0 / np.maximum(counts, 1.0)), sums.out_shape), sums)})


def _window_sums(shape: Shape, windows: Windows, pads: tuple[tuple[int, int], ...]) -> Convolution:
    """The sum over each window, channel by channel."""
    kernel = np.ones((shape[1], 1, *windows.kernel))
    return Convolution(kernel, shape, windows.strides, pads, windows.dilations, shape[1])


@op("GlobalAveragePool", reach="everywhere")
def global_average_pool(node: Node, x: Operand) -> Local:
    """y = the mean of each channel.

    Checked against: onnx.reference and onnxruntime, opset 1.
    """
    return Local.affine({0: total(x.shape, range(2, len(x.shape)), 1.0 / math.prod(x.shape[2:]))})


@op("MaxPool", reach="region")
def max_pool(node: Node, x: Operand) -> tuple[Local, Local]:
    """y = the largest element of each window; the first of several that are equal.

    Checked against: onnx.reference and onnxruntime, opset 12.
    """
    if node.attribute("storage_order", 0) and any(node.outputs[1:]):
        raise Unsupported("MaxPool gives positions in column-major order")
    image = x.shape[2:]
    windows = windows_of(node, image, tuple(node.attribute("kernel_shape")))
    index = _window_index(image, windows)
    return _largest(x, index.reshape(-1, math.prod(windows.kernel)), index.shape[: len(image)])


def _window_index(image: Shape, windows: Windows) -> np.ndarray:
    """(*places, *kernel): which pixel each window reads, −1 for padding."""
    axes = len(image)
    numbers = np.arange(math.prod(image)).reshape(image)
    padded = np.pad(numbers, windows.reached, constant_values=-1)
    views = np.lib.stride_tricks.sliding_window_view(padded, windows.spans)
    places = tuple(slice(None, None, stride) for stride in windows.strides)
    taps = tuple(slice(None, None, dilation) for dilation in windows.dilations)
    return views[(*places, *taps)] if axes else views


@op("GlobalMaxPool", reach="region")
def global_max_pool(node: Node, x: Operand) -> Local:
    """y = the largest element of each channel; the first of several that are equal.

    Checked against: onnx.reference and onnxruntime, opset 1.
    """
    size = math.prod(x.shape[2:])
    return _largest(x, np.arange(size)[None], (1,) * (len(x.shape) - 2))[0]


def _largest(x: Operand, windows: np.ndarray, places: Shape) -> tuple[Local, Local]:
    """The largest element of each window of each channel, as (batch, channels, *places), and where it stands in x."""
    channels = x.shape[0] * x.shape[1]
    pick = Pick(x.rows.reshape(len(x.rows), channels, -1), windows)
    target = (*x.shape[:2], *places)
    largest = Local.bend(pick.value.reshape(-1, *target), {0: lambda: pick.between(x.shape, target)})
    return largest, Local.steps(pick.positions.reshape(-1, *target).astype(np.float64), {0: x.shape})
