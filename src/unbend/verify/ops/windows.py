"""Convolutions and average pools: a weighted sum over the taps of a window, tap by tap."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from unbend.verify.measures import Measure, Operand, Tensor
from unbend.verify.ops import Unknown, affine, constant, needed, varying
from unbend.verify.reading import Node


@dataclass(frozen=True)
class Window:
    """Where a window's taps lie: per axis its size, stride, dilation, padding, and how many places it takes."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begins: tuple[int, ...]
    ends: tuple[int, ...]
    places: tuple[int, ...]

    def taps(self) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
        """Each tap with the slices of the padded image that it meets."""
        for tap in np.ndindex(*self.kernel):
            yield (
                tap,
                tuple(
                    slice(t * d, t * d + s * (n - 1) + 1, s)
                    for t, d, s, n in zip(tap, self.dilations, self.strides, self.places, strict=True)
                ),
            )

    def padded_sizes(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """The image's sizes with its padding, and as far as the last window reaches."""
        reach = (
            d * (k - 1) + s * (n - 1) + 1
            for k, s, d, n in zip(self.kernel, self.strides, self.dilations, self.places, strict=True)
        )
        plain = (size + b + e for size, b, e in zip(sizes, self.begins, self.ends, strict=True))
        return tuple(map(max, reach, plain))

    def padded(self, x: np.ndarray) -> np.ndarray:
        """The image (…, *sizes) in zeros; a negative padding cuts off."""
        sizes = x.shape[2:]
        out = np.zeros((*x.shape[:2], *self.padded_sizes(sizes)))
        inside = tuple(slice(max(b, 0), max(b, 0) + n) for b, n in zip(self.begins, self._seen(sizes), strict=True))
        source = tuple(slice(max(-b, 0), max(-b, 0) + n) for b, n in zip(self.begins, self._seen(sizes), strict=True))
        out[(..., *inside)] = x[(..., *source)]
        return out

    def _seen(self, sizes: Sequence[int]) -> list[int]:
        """How much of the image is left of each axis after what negative paddings cut off."""
        return [size + min(b, 0) + min(e, 0) for size, b, e in zip(sizes, self.begins, self.ends, strict=True)]


def window(node: Node, sizes: Sequence[int], kernel: Sequence[int]) -> Window:
    """The window of a Conv or a pool on an image of these sizes."""
    axes = len(sizes)
    strides = tuple(node.attributes.get("strides") or (1,) * axes)
    dilations = tuple(node.attributes.get("dilations") or (1,) * axes)
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]
    pads = tuple(node.attributes.get("pads") or (0,) * (2 * axes))
    begins, ends = pads[:axes], pads[axes:]
    auto = node.attributes.get("auto_pad", "NOTSET")
    if auto.startswith("SAME"):
        total = [
            max((math.ceil(size / s) - 1) * s + r - size, 0) for size, s, r in zip(sizes, strides, reach, strict=True)
        ]
        small, large = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
        begins, ends = (small, large) if auto == "SAME_UPPER" else (large, small)
    elif auto == "VALID":
        begins = ends = (0,) * axes
    ceil = bool(node.attributes.get("ceil_mode", 0)) and not auto.startswith("SAME")
    places = tuple(
        _places(size, b, e, r, s, ceil) for size, b, e, r, s in zip(sizes, begins, ends, reach, strides, strict=True)
    )
    return Window(tuple(kernel), strides, dilations, tuple(begins), tuple(ends), places)


def _places(size: int, begin: int, end: int, reach: int, stride: int, ceil: bool) -> int:
    room = size + begin + end - reach
    places = (-(-room // stride) if ceil else room // stride) + 1
    if ceil and (places - 1) * stride >= size + begin:
        places -= 1
    return places


@affine("Conv")
def conv(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """y[o, p] = Σ_c,t W[o, c, t] x[c, s p + d t - pad] + b[o], in groups."""
    x, kernel, bias = varying(node, operands), needed(node, operands, 1), constant(node, operands, 2)
    groups = node.attributes.get("group", 1)
    view = window(node, x.array.shape[2:], kernel.shape[2:])
    y = measure.scaled(lambda w, a: _convolved(view, w, a, groups), kernel, x, kernel[0].size)
    return y if bias is None else measure.shifted(y, bias.reshape(-1, *(1,) * len(view.kernel)))


def _convolved(view: Window, kernel: np.ndarray, x: np.ndarray, groups: int) -> np.ndarray:
    padded = view.padded(x)
    out = np.zeros((len(x), groups, kernel.shape[0] // groups, math.prod(view.places)))
    grouped = kernel.reshape(groups, kernel.shape[0] // groups, *kernel.shape[1:])
    for tap, slices in view.taps():
        seen = padded[(..., *slices)].reshape(len(x), groups, kernel.shape[1], -1)
        weight = np.ascontiguousarray(grouped[(..., *tap)])
        out += weight[:, :, 0, None] * seen if kernel.shape[1] == 1 else np.matmul(weight, seen)
    return out.reshape(len(x), kernel.shape[0], *view.places)


@affine("ConvTranspose")
def conv_transpose(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """What Conv is to its input read backwards: each number spreads a kernel over the output."""
    x, kernel, bias = varying(node, operands), needed(node, operands, 1), constant(node, operands, 2)
    groups, axes = node.attributes.get("group", 1), x.array.ndim - 2
    sizes, begins = _spread_sizes(node, x.array.shape[2:], kernel.shape[2:])
    strides = tuple(node.attributes.get("strides") or (1,) * axes)
    dilations = tuple(node.attributes.get("dilations") or (1,) * axes)
    view = Window(kernel.shape[2:], strides, dilations, begins, (0,) * axes, x.array.shape[2:])
    terms = kernel[:, 0].size // groups
    y = measure.scaled(lambda w, a: _spread(view, w, a, groups, sizes), kernel, x, terms)
    return y if bias is None else measure.shifted(y, bias.reshape(-1, *(1,) * axes))


def _spread_sizes(node: Node, sizes: Sequence[int], kernel: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The output's sizes, and how much is cut off at the beginning of each axis."""
    axes = len(sizes)
    strides = node.attributes.get("strides") or (1,) * axes
    dilations = node.attributes.get("dilations") or (1,) * axes
    extra = node.attributes.get("output_padding") or (0,) * axes
    whole = [
        s * (n - 1) + o + (k - 1) * d + 1
        for s, n, o, k, d in zip(strides, sizes, extra, kernel, dilations, strict=True)
    ]
    pads = node.attributes.get("pads") or (0,) * (2 * axes)
    auto, wanted = node.attributes.get("auto_pad", "NOTSET"), node.attributes.get("output_shape")
    if auto.startswith("SAME") and wanted is None:
        wanted = [n * s for n, s in zip(sizes, strides, strict=True)]
    if wanted is None:
        cut = [a + b for a, b in zip(pads[:axes], pads[axes:], strict=True)]
        return tuple(w - c for w, c in zip(whole, cut, strict=True)), tuple(pads[:axes])
    total = [w - size for w, size in zip(whole, wanted[-axes:], strict=True)]
    begins = [t - t // 2 if auto == "SAME_LOWER" else t // 2 for t in total]
    if auto == "NOTSET":
        begins = [t - t // 2 for t in total]
    return tuple(wanted[-axes:]), tuple(begins)


def _spread(view: Window, kernel: np.ndarray, x: np.ndarray, groups: int, sizes: tuple[int, ...]) -> np.ndarray:
    full = view.padded_sizes([size + b for size, b in zip(sizes, view.begins, strict=True)])
    outputs = kernel.shape[1]
    out = np.zeros((len(x), groups, outputs, *full))
    grouped = kernel.reshape(groups, kernel.shape[0] // groups, *kernel.shape[1:])
    flat = x.reshape(len(x), groups, kernel.shape[0] // groups, -1)
    for tap, slices in view.taps():
        weight = np.swapaxes(grouped[(..., *tap)], -1, -2)
        out[(..., *slices)] += np.matmul(weight, flat).reshape(len(x), groups, outputs, *view.places)
    inside = tuple(slice(b, b + size) for b, size in zip(view.begins, sizes, strict=True))
    return out[(..., *inside)].reshape(len(x), groups * outputs, *sizes)


@affine("AveragePool")
def average_pool(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """The mean of the window: of what lies on the image, or of what lies on its padding too."""
    x = varying(node, operands)
    view = window(node, x.array.shape[2:], node.attributes["kernel_shape"])
    share = 1.0 / _counts(view, x.array.shape[2:], bool(node.attributes.get("count_include_pad", 0)))
    return measure.scaled(lambda c, a: c * _summed(view, a), share, x, math.prod(view.kernel))


def _counts(view: Window, sizes: Sequence[int], padding: bool) -> np.ndarray:
    """How many taps of the window count at each place."""
    ones = np.zeros((1, 1, *view.padded_sizes(sizes)))
    if padding:
        ones[(..., *(slice(0, n + b + e) for n, b, e in zip(sizes, view.begins, view.ends, strict=True)))] = 1.0
    else:
        ones = view.padded(np.ones((1, 1, *sizes)))
    return np.maximum(sum((ones[(..., *slices)] for _, slices in view.taps()), start=np.zeros(())), 1.0)


def _summed(view: Window, x: np.ndarray) -> np.ndarray:
    padded = view.padded(x)
    return sum((padded[(..., *slices)] for _, slices in view.taps()), start=np.zeros(()))


@affine("GlobalAveragePool")
def global_average_pool(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """The mean of each channel."""
    x = varying(node, operands)
    axes, count = tuple(range(2, x.array.ndim)), math.prod(x.array.shape[2:])
    if not count:
        raise Unknown(f"{node.label} averages nothing")
    return measure.scaled(lambda c, a: c * a.sum(axis=axes, keepdims=True), np.array(1.0 / count), x, count)
