"""Ops that move numbers: shapes, parts, borders, copies."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import torch
import torch.nn.functional

from unbend.network.graph import Node
from unbend.network.to_torch import writes
from unbend.network.to_torch.lengths import Number, size_of
from unbend.network.to_torch.windows import padded
from unbend.network.to_torch.writer import Writer


def _given(writer: Writer, node: Node, position: int, attribute: str = "") -> list[Number] | None:
    """Whole numbers that are an input in newer opsets and an attribute in older ones."""
    stated = node.attribute(attribute) if attribute else None
    return list(stated) if stated is not None else writer.numbers(node, position)


@writes("Reshape")
def reshape(writer: Writer, node: Node) -> Any:
    """x in another shape; 0 takes an axis over, unless the node says that it is none."""
    shape = writer.numbers(node, 1) or []
    if not node.attribute("allowzero", 0):
        shape = [
            size_of(writer, node.inputs[0], i) if isinstance(size, int) and size == 0 else size
            for i, size in enumerate(shape)
        ]
    free = [i for i, size in enumerate(shape) if isinstance(size, torch.fx.Node)]
    if len(free) == 1 and all(isinstance(size, torch.fx.Node) or size > 0 for size in shape):
        shape[free[0]] = -1
    return writer.call(torch.reshape, writer.value(node.inputs[0]), tuple(shape))


@writes("Flatten")
def flatten(writer: Writer, node: Node) -> Any:
    """x as a matrix: the axes before one, and those from it on."""
    x, rank = writer.value(node.inputs[0]), len(writer.axes(node.inputs[0]))
    axis = node.attribute("axis", 1)
    axis = axis + rank if axis < 0 else axis
    if axis == 1:
        return writer.layer(node, torch.nn.Flatten())
    if axis in (0, rank):
        return writer.call(torch.reshape, x, (1, -1) if axis == 0 else (-1, 1))
    return writer.call(torch.flatten, writer.call(torch.flatten, x, axis), 0, axis - 1)


@writes("Squeeze")
def squeeze(writer: Writer, node: Node) -> Any:
    """x without axes of length one."""
    axes = _given(writer, node, 1, "axes")
    return writer.call(torch.squeeze, writer.value(node.inputs[0]), *([] if axes is None else [tuple(axes)]))


@writes("Unsqueeze")
def unsqueeze(writer: Writer, node: Node) -> Any:
    """x with axes of length one; they count in the shape that comes out."""
    value, axes = writer.value(node.inputs[0]), _given(writer, node, 1, "axes") or []
    rank = len(writer.axes(node.inputs[0])) + len(axes)
    for axis in sorted(int(axis) % rank for axis in axes if isinstance(axis, int)):
        value = writer.call(torch.unsqueeze, value, axis)
    return value


@writes("Transpose")
def transpose(writer: Writer, node: Node) -> Any:
    """x with its axes in another order."""
    order = node.attribute("perm") or range(len(writer.axes(node.inputs[0])))[::-1]
    return writer.call(torch.permute, writer.value(node.inputs[0]), tuple(order))


@writes("Concat")
def concat(writer: Writer, node: Node) -> Any:
    """Values one behind the other."""
    return writer.call(torch.cat, [writer.value(name) for name in node.inputs], node.attribute("axis"))


@writes("Split")
def split(writer: Writer, node: Node) -> Any:
    """Parts along an axis: of given lengths, or equal but for the last."""
    axis, parts = node.attribute("axis", 0), len(node.outputs)
    sizes = _given(writer, node, 1, "split")
    if sizes is None:
        whole = writer.axes(node.inputs[0])[axis]
        sizes = None if whole is None else [-(-whole // parts)] * (whole // -(-whole // parts))
        if sizes is not None and whole is not None and sum(sizes) < whole:
            sizes.append(whole - sum(sizes))
    if sizes is None or len(sizes) != parts:
        raise writer.refusal(node, "splits an axis of a free length")
    whole = writer.call(torch.split, writer.value(node.inputs[0]), sizes, axis)
    return [writer.call(operator.getitem, whole, i) for i in range(parts)]


@writes("Slice")
def cut(writer: Writer, node: Node) -> Any:
    """A part of a value along axes; backwards through its mirror image."""
    starts, ends, axes = (_given(writer, node, i, name) for i, name in enumerate(("starts", "ends", "axes"), 1))
    steps = writer.numbers(node, 4)
    assert starts is not None
    assert ends is not None
    value, rank = writer.value(node.inputs[0]), len(writer.axes(node.inputs[0]))
    where: list[Any] = [slice(None)] * rank
    for axis, start, end, step in zip(axes or range(rank), starts, ends, steps or [1] * rank, strict=False):
        if not isinstance(axis, int) or not isinstance(step, int):
            raise writer.refusal(node, "computes its steps")
        if step < 0:
            if not isinstance(start, int) or not isinstance(end, int):
                raise writer.refusal(node, "goes backwards between computed places")
            value, start, end = writer.call(torch.flip, value, (axis % rank,)), -1 - start, -1 - end
        where[axis % rank] = _part(start, end, abs(step))
    while where and where[-1] == slice(None):
        where.pop()
    return writer.call(operator.getitem, value, tuple(where)) if where else value


def _part(start: Number, end: Number, step: int) -> slice:
    """A slice as one would write it."""
    far = isinstance(end, int) and end >= np.iinfo(np.int32).max
    return slice(
        None if isinstance(start, int) and start == 0 else start, None if far else end, step if step > 1 else None
    )


@writes("Expand")
def expand(writer: Writer, node: Node) -> Any:
    """x spread along axes of length one, to the larger of each two lengths."""
    value, own, to = writer.value(node.inputs[0]), writer.axes(node.inputs[0]), writer.numbers(node, 1) or []
    to = [*([1] * (len(own) - len(to))), *to]
    target = [*to[: len(to) - len(own)], *map(_spread, own, to[len(to) - len(own) :])]
    if None not in target:
        return writer.method("expand", value, tuple(target))
    spread = writer.call(torch.broadcast_tensors, value, writer.method("new_empty", value, tuple(to)))
    return writer.call(operator.getitem, spread, 0)


def _spread(own: int | None, to: Number) -> Number | None:
    """The length that `expand` takes for an axis, -1 for its own; None where it is not known which is larger."""
    if (isinstance(to, int) and to == 1) or (own is not None and own > 1):
        return -1
    return to if own == 1 or isinstance(to, int) else None


@writes("Tile")
def tile(writer: Writer, node: Node) -> Any:
    """Copies of x along each axis."""
    return writer.call(torch.tile, writer.value(node.inputs[0]), tuple(writer.numbers(node, 1) or ()))


MODES = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}


@writes("Pad")
def pad(writer: Writer, node: Node) -> Any:
    """x with a border, of a number or of numbers of its own."""
    x, rank = node.inputs[0], len(writer.axes(node.inputs[0]))
    widths, axes = _given(writer, node, 1, "pads") or [], writer.numbers(node, 3)
    pairs: list[tuple[Number, Number]] = [(0, 0)] * rank
    half = len(widths) // 2
    for axis, first, last in zip(axes or range(rank), widths[:half], widths[half:], strict=True):
        pairs[int(axis)] = first, last  # type: ignore[arg-type]
    mode, fill = node.attribute("mode", "constant"), writer.constant(node, 2)
    if mode == "constant":
        number = node.attribute("value", 0.0) if fill is None else fill.reshape(()).item()
        return padded(writer, writer.value(x), pairs, number)
    first = min(next((axis for axis, pair in enumerate(pairs) if pair != (0, 0)), 2), 2)  # torch pads the last axes
    if not 1 <= first < rank <= first + 3 or any(isinstance(one, int) and one < 0 for pair in pairs for one in pair):
        raise writer.refusal(node, "repeats numbers along the first axis, or cuts off")
    flat = [side for pair in reversed(pairs[first:]) for side in pair]
    return writer.call(torch.nn.functional.pad, writer.value(x), flat, mode=MODES[mode])


@writes("GatherElements")
def gather_elements(writer: Writer, node: Node) -> Any:
    """y_ij = x at the place that an index of the same place names, along an axis."""
    places = writer.constants.get(node.inputs[1])
    if places is not None and places.min(initial=0) < 0:
        raise writer.refusal(node, "counts places from the end")
    value, index = map(writer.value, node.inputs)
    return writer.call(torch.gather, value, node.attribute("axis", 0), index)


@writes("DepthToSpace")
def depth_to_space(writer: Writer, node: Node) -> Any:
    """Channels as places of an image."""
    block = node.attribute("blocksize")
    if node.attribute("mode", "DCR") == "CRD":
        return writer.layer(node, torch.nn.PixelShuffle(block))
    value = writer.call(torch.unflatten, writer.value(node.inputs[0]), 1, (block * block, -1))
    value = writer.call(torch.flatten, writer.call(torch.transpose, value, 1, 2), 1, 2)
    return writer.call(torch.nn.functional.pixel_shuffle, value, block)


@writes("SpaceToDepth")
def space_to_depth(writer: Writer, node: Node) -> Any:
    """Places of an image as channels."""
    block = node.attribute("blocksize")
    value = writer.layer(node, torch.nn.PixelUnshuffle(block))
    value = writer.call(torch.unflatten, value, 1, (-1, block * block))
    return writer.call(torch.flatten, writer.call(torch.transpose, value, 1, 2), 1, 2)


@writes("Trilu")
def triangle(writer: Writer, node: Node) -> Any:
    """The part above a diagonal, or below it."""
    start = writer.constant(node, 1)
    function = torch.triu if node.attribute("upper", 1) else torch.tril
    return writer.call(function, writer.value(node.inputs[0]), 0 if start is None else int(start.reshape(())))


@writes("ConstantOfShape")
def full(writer: Writer, node: Node) -> Any:
    """One number everywhere."""
    number = node.attribute("value", np.zeros(1, np.float32)).reshape(())
    shape = tuple(writer.numbers(node, 0) or ())
    return writer.call(torch.full, shape, number.item(), dtype=writer.dtype(number.dtype), device=writer.device)


@writes("Range")
def numbers_between(writer: Writer, node: Node) -> Any:
    """Whole numbers from one to before another."""
    start, end, step = ((writer.numbers(node, i) or [0])[0] for i in range(3))
    return writer.call(torch.arange, start, end, step, device=writer.device)
