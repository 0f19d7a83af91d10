"""Conv and its transpose, and the geometry of windows that pooling shares with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unbend.affine import Convolution, Pads, Shape, Transposed
from unbend.network.graph import Node
from unbend.network.local import Local, Operand, Unsupported
from unbend.network.ops import needed, only_first, op, weights


@dataclass(frozen=True)
class Windows:
    """Where a node's windows lie on an image; `extra` is what `ceil_mode` reads beyond each axis's padded end."""

    kernel: Shape
    strides: Shape
    dilations: Shape
    pads: Pads
    extra: Shape

    @property
    def reached(self) -> Pads:
        """The pads with what lies beyond them."""
        return tuple((begin, end + more) for (begin, end), more in zip(self.pads, self.extra, strict=True))

    @property
    def spans(self) -> Shape:
        """How far a window reaches along each axis."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilations, strict=True))


def windows_of(node: Node, image: Shape, kernel: Shape) -> Windows:
    """The node's windows on an image of the given size; `auto_pad` is resolved for that size."""
    axes = len(image)
    strides = node.attribute("strides", (1,) * axes)
    dilations = node.attribute("dilations", (1,) * axes)
    windows = Windows(kernel, strides, dilations, ((0, 0),) * axes, (0,) * axes)
    pads = _pads(node, image, windows)
    extra = (0,) * axes
    if node.attribute("ceil_mode", 0):
        extra = tuple(map(_beyond, image, windows.spans, strides, pads))
    return Windows(kernel, strides, dilations, pads, extra)


def _pads(node: Node, image: Shape, windows: Windows) -> Pads:
    mode = node.attribute("auto_pad", "NOTSET")
    if mode == "NOTSET":
        flat = node.attribute("pads", (0,) * (2 * len(image)))
        return tuple(zip(flat[: len(image)], flat[len(image) :], strict=True))
    if mode == "VALID":
        return windows.pads
    needed_ = (
        max((-(-size // stride) - 1) * stride + span - size, 0)
        for size, stride, span in zip(image, windows.strides, windows.spans, strict=True)
    )
    halves = ((whole // 2, whole - whole // 2) for whole in needed_)
    return tuple((small, large) if mode == "SAME_UPPER" else (large, small) for small, large in halves)


def _beyond(size: int, span: int, stride: int, pad: tuple[int, int]) -> int:
    """How far the last window of `ceil_mode` reaches beyond the padded end; a window that starts there is left out."""
    room = size + sum(pad) - span
    count = -(-room // stride) + 1
    if (count - 1) * stride >= size + pad[0]:
        count -= 1
    return max(0, (count - 1) * stride - room)


@op("Conv", reach="point", affine_when=only_first)
def conv(node: Node, x: Operand, w: Operand, b: Operand | None = None) -> Local:
    """y_o = b_o + Σ_i w_oi ⋆ x_i.

    Checked against: onnx.reference and onnxruntime, opset 11.
    """
    kernel = weights(w, "the kernel of a Conv")
    windows = windows_of(node, x.shape[2:], kernel.shape[2:])
    groups = node.attribute("group", 1)
    linear = Convolution(kernel, x.shape, windows.strides, windows.pads, windows.dilations, groups)
    return Local.affine({0: linear}, _bias(b, len(x.shape)))


def _bias(b: Operand | None, rank: int) -> np.ndarray | float:
    return 0.0 if b is None else needed(b, "the bias of a Conv").reshape(-1, *(1,) * (rank - 2))


@op("ConvTranspose", reach="point", affine_when=only_first)
def conv_transpose(node: Node, x: Operand, w: Operand, b: Operand | None = None) -> Local:
    """y = b + Wᵀ x, where W is the Conv that takes y's shape to x's.

    Checked against: onnx.reference and onnxruntime, opset 11.
    """
    kernel = weights(w, "the kernel of a ConvTranspose")
    axes, groups = len(x.shape) - 2, node.attribute("group", 1)
    windows = Windows(
        kernel.shape[2:],
        node.attribute("strides", (1,) * axes),
        node.attribute("dilations", (1,) * axes),
        ((0, 0),) * axes,
        node.attribute("output_padding", (0,) * axes),
    )
    full = [
        stride * (size - 1) + more + span
        for size, stride, span, more in zip(x.shape[2:], windows.strides, windows.spans, windows.extra, strict=True)
    ]
    pads = transposed_pads(node, full, x.shape[2:], windows.strides)
    target = (1, kernel.shape[1] * groups, *(size - sum(pad) for size, pad in zip(full, pads, strict=True)))
    forward = Convolution(kernel, (x.shape[0], *target[1:]), windows.strides, pads, windows.dilations, groups)
    if forward.out_shape != x.shape:
        raise Unsupported("the sizes of this ConvTranspose do not fit those of a Conv")
    return Local.affine({0: Transposed(forward)}, _bias(b, len(x.shape)))


def transposed_pads(node: Node, full: list[int], image: Shape, strides: Shape) -> Pads:
    """What is cut off at each side of the full output."""
    axes, mode = len(full), node.attribute("auto_pad", "NOTSET")
    wanted = node.attribute("output_shape")
    if wanted is None and mode in {"SAME_UPPER", "SAME_LOWER"}:
        wanted = tuple(size * stride for size, stride in zip(image, strides, strict=True))
    if wanted is None:
        flat = node.attribute("pads", (0,) * (2 * axes)) if mode == "NOTSET" else (0,) * (2 * axes)
        return tuple(zip(flat[:axes], flat[axes:], strict=True))
    cut = [whole - size for whole, size in zip(full, wanted[-axes:], strict=True)]
    halves = ((whole // 2, whole - whole // 2) for whole in cut)
    return tuple((small, large) if mode == "SAME_UPPER" else (large, small) for small, large in halves)
