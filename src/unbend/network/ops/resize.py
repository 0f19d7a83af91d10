"""Resize: each axis is stretched by itself, and each place along it is a weighted mean of the pixels around."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from unbend.affine import Identity, LinearMap, Selection, along, compose
from unbend.network.graph import Node
from unbend.network.local import Local, Operand, Unsupported
from unbend.network.ops import constant_of, needed, only_first, op, real

WITH_PLACES = 11
"""From this opset on a Resize says how places are counted; before, it was an Upsample that may shrink."""


@op("Resize", reach="point", affine_when=only_first)
def resize(
    node: Node, x: Operand, roi: Operand | None = None, scales: Operand | None = None, sizes: Operand | None = None
) -> Local:
    """y_i = Σ w_ij x_j along each axis, with the weights of the nearest pixel, of a line or of a cubic.

    Checked against: onnx.reference and onnxruntime, opsets 10 and 19.
    """
    if node.version < WITH_PLACES:
        return upsample(node, x, roi)
    if node.attribute("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise Unsupported(f"Resize that keeps the aspect ratio ({node.attribute('keep_aspect_ratio_policy')})")
    axes = [axis % len(x.shape) for axis in node.attribute("axes", range(len(x.shape)))]
    linear: LinearMap = Identity(x.shape)
    for axis, (size, scale) in zip(axes, _targets(x, axes, scales, sizes), strict=True):
        if size != x.shape[axis] or scale != 1.0:
            linear = compose(_stretch(node, linear.out_shape, axis, size, scale), linear)
    return Local.affine({0: linear})


@op("Upsample", reach="point", affine_when=only_first)
def upsample(node: Node, x: Operand, scales: Operand | None = None) -> Local:
    """y_i = Σ w_ij x_j along each axis, with the weights of the pixel before (behind, where it shrinks) or of a line.

    The new pixel i lies at i / scale. Before opset 9 the scales are an attribute.

    Checked against: onnxruntime, opsets 7, 9 and 10.
    """
    factors = node.attribute("scales", ()) if scales is None else needed(scales, "the scale of Upsample").tolist()
    linear: LinearMap = Identity(x.shape)
    for axis, factor in enumerate(factors):
        mode = "linear" if node.attribute("mode", "nearest") in ("linear", "bilinear") else "nearest"
        how = {"mode": mode, "nearest_mode": "ceil" if factor < 1 else "floor"}
        along_axis = replace(node, attributes={**how, "coordinate_transformation_mode": "asymmetric"})
        size = math.floor(x.shape[axis] * factor)
        linear = compose(_stretch(along_axis, linear.out_shape, axis, size, factor), linear)
    return Local.affine({0: linear})


def _targets(x: Operand, axes: list[int], scales: Operand | None, sizes: Operand | None) -> list[tuple[int, float]]:
    """The new length of each axis, and the factor by which it is stretched."""
    lengths = constant_of(sizes, "the sizes of Resize")
    if lengths is not None and lengths.size:
        return [(int(size), int(size) / x.shape[axis]) for axis, size in zip(axes, lengths.tolist(), strict=True)]
    factors = needed(scales, "the scale of Resize").tolist()
    return [(math.floor(x.shape[axis] * factor), factor) for axis, factor in zip(axes, factors, strict=True)]


def _stretch(node: Node, shape: tuple[int, ...], axis: int, size: int, scale: float) -> LinearMap:
    """One axis of a tensor brought to a new length."""
    length = shape[axis]
    mode = node.attribute("mode", "nearest")
    # The nearest pixel can hang on the last bit; runtimes compute the place in single precision.
    places = _places(node, length, size, scale, np.float32 if mode == "nearest" else np.float64)
    if mode == "nearest":
        pixels = np.clip(_nearest(node, places), 0, length - 1).astype(np.int64)
        return Selection(np.arange(math.prod(shape)).reshape(shape).take(pixels, axis=axis), shape)
    if node.attribute("antialias", 0) and scale < 1:
        raise Unsupported("Resize with antialiasing")
    first = np.floor(places)
    weights = _line(places - first) if mode == "linear" else _cubic(places - first, real(node, "cubic_coeff_a", -0.75))
    pixels = first[:, None].astype(np.int64) + np.arange(weights.shape[1]) - (weights.shape[1] // 2 - 1)
    if node.attribute("exclude_outside", 0):
        weights = np.where((pixels >= 0) & (pixels < length), weights, 0.0)
        weights = weights / weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((size, length))
    np.add.at(matrix, (np.arange(size)[:, None], np.clip(pixels, 0, length - 1)), weights)
    return along(matrix, shape, axis)


def _places(node: Node, length: int, size: int, scale: float, precision: type[np.floating]) -> np.ndarray:
    """Where each new pixel lies among the old ones."""
    mode = node.attribute("coordinate_transformation_mode", "half_pixel")
    new, factor = np.arange(size, dtype=precision), precision(scale)
    centred = (new + 0.5) / factor - 0.5
    if mode == "half_pixel":
        return centred
    if mode == "pytorch_half_pixel":
        return centred if size > 1 else np.zeros(size)
    if mode == "half_pixel_symmetric":
        return centred + length / 2 * (1 - size / (factor * length))
    if mode == "align_corners":
        return new * (length - 1) / (size - 1) if size > 1 else np.zeros(size)
    if mode == "asymmetric":
        return new / factor
    raise Unsupported(f"Resize with coordinates by {mode}")


def _nearest(node: Node, places: np.ndarray) -> np.ndarray:
    mode = node.attribute("nearest_mode", "round_prefer_floor")
    if mode == "round_prefer_floor":
        return np.ceil(places - 0.5)
    if mode == "round_prefer_ceil":
        return np.floor(places + 0.5)
    return np.floor(places) if mode == "floor" else np.ceil(places)


def _line(part: np.ndarray) -> np.ndarray:
    """Weights of the two pixels around."""
    return np.stack([1 - part, part], axis=1)


def _cubic(part: np.ndarray, a: float) -> np.ndarray:
    """Weights of the four pixels around, by the cubic convolution of Keys (1981)."""

    def near(d: np.ndarray) -> np.ndarray:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: np.ndarray) -> np.ndarray:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return np.stack([far(part + 1), near(part), near(1 - part), far(2 - part)], axis=1)
