"""Ops that move numbers, sum them, or interpolate between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from unbend.verify.measures import Measure, Operand, Tensor
from unbend.verify.ops import Unread, affine, constant, needed, real, varying
from unbend.verify.reading import Node
from unbend.verify.reference import evaluator

WITH_PLACES = 11
"""From this opset on a Resize says how it counts places; before, it was an Upsample that may shrink."""


def _whole(array: np.ndarray | None) -> list[int]:
    return [] if array is None else [int(one) for one in np.atleast_1d(array)]


@affine("Reshape")
def reshape(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """0 keeps an axis, -1 is what is left."""
    x, target = varying(node, operands), _whole(needed(node, operands, 1))
    if not node.attributes.get("allowzero", 0):
        target = [x.array.shape[i] if size == 0 else size for i, size in enumerate(target)]
    return measure.moved(lambda a: a.reshape(target), x)


@affine("Flatten")
def flatten(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """A matrix, cut at an axis."""
    x = varying(node, operands)
    axis = node.attributes.get("axis", 1) % (x.array.ndim + 1)
    rows = int(np.prod(x.array.shape[:axis]))
    return measure.moved(lambda a: a.reshape(rows, -1), x)


@affine("Transpose")
def transpose(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """The axes in another order."""
    return measure.moved(lambda a: np.transpose(a, node.attributes.get("perm")), varying(node, operands))


def _listed(node: Node, operands: Sequence[Operand | None], name: str, position: int = 1) -> list[int]:
    """Whole numbers that are an attribute or an input, depending on the opset."""
    given = node.attributes.get(name)
    return [int(one) for one in given] if given is not None else _whole(constant(node, operands, position))


@affine("Squeeze")
def squeeze(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """Without axes of length 1."""
    axes = _listed(node, operands, "axes")
    return measure.moved(lambda a: np.squeeze(a, tuple(axes) or None), varying(node, operands))


@affine("Unsqueeze")
def unsqueeze(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """With more axes of length 1."""
    axes = _listed(node, operands, "axes")
    return measure.moved(lambda a: np.expand_dims(a, tuple(axes)), varying(node, operands))


@affine("Slice")
def slices(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """A part, from start to end by steps along some axes."""
    x = varying(node, operands)
    names = ("starts", "ends", "axes", "steps")
    starts, ends, axes, steps = (_listed(node, operands, name, i) for i, name in enumerate(names, 1))
    axes, steps = axes or list(range(len(starts))), steps or [1] * len(starts)
    cut = [slice(None)] * x.array.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        cut[axis] = _slice(start, end, step, x.array.shape[axis])
    return measure.moved(lambda a: a[tuple(cut)], x)


def _slice(start: int, end: int, step: int, size: int) -> slice:
    """ONNX's slice as Python's: a negative number counts from the end, once."""
    low, high = (0, size) if step > 0 else (-1, size - 1)
    start, end = (one + size if one < 0 else one for one in (start, end))
    start, end = min(max(start, 0), high), min(max(end, low), size)
    return slice(start, None if end < 0 else end, step)


@affine("Gather")
def gather(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """Entries along an axis, by their numbers."""
    index = needed(node, operands, 1).astype(np.int64)
    axis, unique = node.attributes.get("axis", 0), len(np.unique(index)) == index.size
    return measure.moved(lambda a: np.take(a, index, axis=axis), varying(node, operands), once=unique)


@affine("Split")
def split(node: Node, operands: Sequence[Operand | None], measure: Measure) -> list[Tensor]:
    """Parts along an axis."""
    x, axis = varying(node, operands), node.attributes.get("axis", 0)
    lengths, count = _listed(node, operands, "split"), len(node.outputs)
    if not lengths:
        step = -(-x.array.shape[axis] // count)
        lengths = [min(step, x.array.shape[axis] - i * step) for i in range(count)]
    ends = np.cumsum(lengths)[:-1]
    return [measure.moved(lambda a, i=i: np.split(a, ends, axis=axis)[i], x) for i in range(count)]


@affine("Concat")
def concat(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """Values one behind the other; a constant among them is an offset."""
    parts = [one if isinstance(one, Tensor) else measure.still(real(np.asarray(one))) for one in operands]
    joined = np.concatenate([one.array for one in parts], axis=node.attributes["axis"])
    terms, products = (max(getattr(one, key) for one in parts) for key in ("terms", "products"))
    return Tensor(joined, terms, products, work=sum(one.work for one in parts))


@affine("Expand")
def expand(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """Broadcast to a shape."""
    x, target = varying(node, operands), _whole(needed(node, operands, 1))
    shape = np.broadcast_shapes(x.array.shape, tuple(target))
    once = int(np.prod(shape)) == x.array.size
    return measure.moved(lambda a: np.broadcast_to(a, shape), x, once=once)


@affine("Tile")
def tile(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """Copies along the axes."""
    counts = _whole(needed(node, operands, 1))
    return measure.moved(lambda a: np.tile(a, counts), varying(node, operands), once=set(counts) == {1})


@affine("Pad")
def pad(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """Zeros, a constant, or the image's own numbers around it; a negative width cuts off."""
    x, widths = varying(node, operands), _listed(node, operands, "pads")
    fill, mode = constant(node, operands, 2), node.attributes.get("mode", "constant")
    fill = node.attributes.get("value") if fill is None else fill
    axes = [axis % x.array.ndim for axis in _whole(constant(node, operands, 3))] or list(range(x.array.ndim))
    before, after = [0] * x.array.ndim, [0] * x.array.ndim
    for i, axis in enumerate(axes):
        before[axis], after[axis] = widths[i], widths[i + len(axes)]
    pairs = [(max(b, 0), max(a, 0)) for b, a in zip(before, after, strict=True)]
    cut = tuple(slice(max(-b, 0), n - max(-a, 0)) for n, b, a in zip(x.array.shape, before, after, strict=True))
    moved = measure.moved(lambda a: np.pad(a[cut], pairs, mode), x, once=mode == "constant")
    if mode != "constant" or fill is None or not np.any(fill):
        return moved
    return measure.shifted(moved, np.pad(np.zeros(x.array[cut].shape), pairs, constant_values=float(fill)))


@affine("ReduceSum", "ReduceMean")
def reduce(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """Σ or the mean over some axes, by default all."""
    x, axes = varying(node, operands), _listed(node, operands, "axes")
    if not axes and node.attributes.get("noop_with_empty_axes", 0):
        return x
    over = tuple(axis % x.array.ndim for axis in axes) or tuple(range(x.array.ndim))
    keep, count = bool(node.attributes.get("keepdims", 1)), int(np.prod([x.array.shape[axis] for axis in over]))
    share = np.array(1.0 / count if node.op_type == "ReduceMean" else 1.0)
    return measure.scaled(lambda c, a: c * a.sum(axis=over, keepdims=keep), share, x, count)


@affine("DepthToSpace", "SpaceToDepth", "Trilu", "GatherND", "GatherElements", "Compress", "CenterCropPad")
@affine("ScatterND", "ScatterElements", "Scatter", "Resize", "CumSum")
def by_reference(node: Node, operands: Sequence[Operand | None], measure: Measure) -> list[Tensor]:
    """What ONNX's reference evaluator makes of it: no number gets a coefficient below zero."""
    if node.op_type == "Resize" and node.version < WITH_PLACES:
        return [upsample(node, operands, measure)]
    if node.attributes.get("reduction", "none") != "none":
        raise Unread(f"{node.label} is not computed by the checker with a reduction")
    if node.attributes.get("mode") == "cubic":
        return [_cubic(node, operands, measure)]
    run = evaluator(node)

    def move(array: np.ndarray | None, x: Tensor | None) -> np.ndarray:
        return run([array if x is not None and one is x else _still(one) for one in operands])[0]

    zero, parts = move(None, None), []
    for x in (one for one in operands if isinstance(one, Tensor)):
        moved = measure.moved(lambda a, x=x: move(a, x) - zero, x, once=False)
        longest = measure.added([moved, moved]).terms + x.array.shape[-1]
        parts.append(Tensor(moved.array, longest, moved.products))
    total = measure.added(parts) if len(parts) > 1 else parts[0]
    return [measure.shifted(total, zero) if np.any(zero) else total]


@affine("Upsample")
def upsample(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """A Resize that counts places from the corner, and takes the pixel behind where it shrinks, else that before."""
    given = node.attributes.get("scales")
    scales = np.asarray(needed(node, operands, 1) if given is None else given, dtype=np.float32)
    mode, x = node.attributes.get("mode", "nearest").replace("bilinear", "linear"), varying(node, operands)
    for factors, nearest in ((np.minimum(scales, 1), "ceil"), (np.maximum(scales, 1), "floor")):
        how = {"mode": mode, "coordinate_transformation_mode": "asymmetric", "nearest_mode": nearest}
        one = Node("Resize", "", WITH_PLACES, node.name, ("x", "", "scales"), node.outputs, how)
        if (factors != 1).any():
            (x,) = by_reference(one, [x, None, factors], measure)
    return x


def _still(operand: Operand | None) -> np.ndarray | None:
    """A constant input as it is, and what varies at the origin."""
    if isinstance(operand, Tensor):
        return np.zeros_like(operand.array)
    return None if operand is None else real(operand)


def _cubic(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """A Resize by cubics, axis by axis: the weights along each are what becomes of the unit vectors along it."""
    x = varying(node, operands)
    axes = [axis % x.array.ndim for axis in node.attributes.get("axes", range(x.array.ndim))]
    given = [constant(node, operands, i) for i in (2, 3)]
    at = next((i for i, one in enumerate(given) if one is not None and one.size), None)
    if at is None or node.attributes.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise Unread(f"{node.label} is not computed by the checker with these sizes")
    for axis, target in zip(axes, np.asarray(given[at]).tolist(), strict=True):
        length = x.array.shape[axis]
        if target == (length if at else 1.0):
            continue
        wanted = np.array([length, target]) if at else np.array([1.0, target], dtype=np.float32)
        weights = _along(node, length, [None, wanted] if at else [wanted, None])
        x = measure.scaled(_product_along(axis), weights, x, length)
    return x


def _along(node: Node, length: int, target: list[np.ndarray | None]) -> np.ndarray:
    """The weights of a Resize along one axis: (old, new)."""
    attributes = {key: value for key, value in node.attributes.items() if key != "axes"}
    inputs = ("x", "", *(name if one is not None else "" for name, one in zip("ab", target, strict=True)))
    alone = Node("Resize", "", node.version, node.name, inputs, ("y",), attributes)
    return evaluator(alone)([np.eye(length), None, *target])[0]


def _product_along(axis: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    return lambda weights, array: np.moveaxis(np.tensordot(array, weights, (axis, 0)), -1, axis)
