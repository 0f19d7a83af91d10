"""Ops that only move numbers. One function for all: run the op on 1, 2, 3, … and read where each number went.

The op is run by ONNX's reference evaluator, once on the numbers and once on zeros. Where the two differ stands an
input's number; where they agree the op has filled in a constant of its own, which becomes the offset.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

import numpy as np

from unbend.affine import Diagonal, LinearMap, Selection, Shape, compose
from unbend.network.graph import Node
from unbend.network.local import Local, Operand, Unsupported, aligned, broadcast_map, target_of
from unbend.network.ops import constant_of, needed, only, only_first, op, real
from unbend.network.reference import run_node

Parts = dict[int, Callable[[], LinearMap]]


def _carried(node: Node) -> Collection[int]:
    """Positions of the inputs whose numbers the op moves; the others say where to."""
    if node.op_type == "Concat":
        return range(len(node.inputs))
    return {"Where": {1, 2}}.get(node.op_type, {0, 2} if node.op_type.startswith("Scatter") else {0})


def _no_reduction(node: Node, variable: Collection[int]) -> bool:
    return node.attribute("reduction", "none") == "none" and 1 not in variable


def _constant_indices(node: Node, variable: Collection[int]) -> bool:
    return 1 not in variable


@op("Reshape", reach="point", affine_when=only_first)
@op("Flatten", "Transpose", "Split", "Concat", "DepthToSpace", "SpaceToDepth", reach="everywhere")
@op("Squeeze", "Unsqueeze", "Slice", "Expand", "Tile", "Trilu", reach="point", affine_when=only_first)
@op("GatherND", "GatherElements", "Compress", "CenterCropPad", reach="point", affine_when=only_first)
@op("ScatterND", "ScatterElements", "Scatter", reach="point", affine_when=_no_reduction)
def move(node: Node, *operands: Operand | None) -> tuple[Local, ...]:
    """y_j = x_i(j), or a constant.

    Checked against: onnx.reference and onnxruntime, opsets 13 to 21.
    """
    if node.attribute("reduction", "none") != "none":
        raise Unsupported(f"{node.op_type} with reduction {node.attribute('reduction')} does more than move numbers")
    starts = _starts(operands)
    if not set(starts) <= set(_carried(node)):
        raise Unsupported("which numbers it moves depends on the input")
    moved, filled = _run(node, operands, starts), _run(node, operands, None)
    return tuple(_read(operands, starts, numbers, fill) for numbers, fill in zip(moved, filled, strict=True))


@op("Pad", reach="point", affine_when=only_first)
def pad(
    node: Node, x: Operand, pads: Operand | None = None, fill: Operand | None = None, axes: Operand | None = None
) -> Local:
    """y = x with a border: a constant, or elements of x itself. A negative pad cuts off.

    Before opset 11 the widths and the constant are attributes.

    Checked against: onnx.reference and onnxruntime, opsets 7 and 21.
    """
    widths = np.zeros((2, len(x.shape)), dtype=np.int64)
    chosen = constant_of(axes, "the list of axes of a Pad")
    given = np.asarray(node.attribute("pads")) if pads is None else needed(pads, "the widths of a Pad")
    widths[:, slice(None) if chosen is None else chosen] = given.reshape(2, -1)
    cut = tuple(slice(max(0, -a), size - max(0, -b)) for size, a, b in zip(x.shape, *widths.tolist(), strict=True))
    index = np.arange(math.prod(x.shape)).reshape(x.shape)[cut]
    border, mode = np.maximum(widths, 0).T, node.attribute("mode", "constant")
    if mode != "constant":
        return Local.affine({0: Selection(np.pad(index, border, mode=mode), x.shape)})
    index = np.pad(index, border, constant_values=-1)
    value = real(node, "value", 0.0) if fill is None else needed(fill, "the value of a Pad").reshape(())
    return Local.affine({0: Selection(index, x.shape)}, np.where(index < 0, value, 0.0))


def _starts(operands: tuple[Operand | None, ...]) -> dict[int, int]:
    """The first number of each variable input: they count on from one to the next, from 1."""
    starts, start = {}, 1
    for position, operand in enumerate(operands):
        if operand is not None and operand.variable:
            starts[position] = start
            start += int(np.prod(operand.shape))
    return starts


def _run(node: Node, operands: tuple[Operand | None, ...], starts: dict[int, int] | None) -> list[np.ndarray]:
    """The op's outputs with its variable inputs numbered, or all zero where `starts` is None."""
    inputs = [_numbered(operand, position, starts) for position, operand in enumerate(operands)]
    outputs = run_node(node.source, inputs) if node.source is not None else None
    if outputs is None:
        raise Unsupported(f"ONNX's reference evaluator cannot run {node.op_type} of opset {node.version}")
    return [np.asarray(output) for output in outputs]


def _numbered(operand: Operand | None, position: int, starts: dict[int, int] | None) -> np.ndarray | None:
    if operand is None:
        return None
    if operand.constant is not None:
        constant = np.asarray(operand.constant)
        return constant if constant.dtype.kind in "biu" else constant.astype(np.float64)
    if starts is None:
        return np.zeros(operand.shape)
    size = int(np.prod(operand.shape))
    return np.arange(starts[position], starts[position] + size, dtype=np.float64).reshape(operand.shape)


def _read(operands: tuple[Operand | None, ...], starts: dict[int, int], numbers: np.ndarray, fill: np.ndarray) -> Local:
    """The selections and the offset that two runs show."""
    own = (numbers == fill) | ((numbers != numbers) & (fill != fill))
    index = np.where(own, 0, numbers)
    if not np.array_equal(index, np.round(index)) or (fill[~own] != 0).any():
        raise Unsupported("it does more than move numbers")
    maps: dict[int, LinearMap] = {}
    for position, start in starts.items():
        shape = operands[position].shape  # type: ignore[union-attr]
        within = (index >= start) & (index < start + np.prod(shape))
        maps[position] = Selection(np.where(within, index - start, -1).astype(np.int64), shape)
    return Local.affine(maps, fill)


@op("Gather", reach="region", affine_when=_constant_indices)
def gather(node: Node, data: Operand, indices: Operand) -> Local | tuple[Local, ...]:
    """y = data[indices] along an axis; with variable indices into constant data, a table that is looked up.

    Checked against: onnx.reference and onnxruntime, opset 13.
    """
    if not indices.variable:
        return move(node, data, indices)
    table = needed(data, "the table of a Gather with variable indices")
    axis = node.attribute("axis", 0) % table.ndim
    value = np.moveaxis(np.take(table, indices.rows.astype(np.int64), axis=axis), axis, 0)
    return Local.steps(value, {1: indices.shape})


@op("Where", reach="region", affine_when=only(1, 2))
def where(node: Node, condition: Operand, yes: Operand, no: Operand) -> Local | tuple[Local, ...]:
    """y = yes where the condition holds, else no.

    Checked against: onnx.reference and onnxruntime, opset 16.
    """
    if not condition.variable:
        return move(node, condition, yes, no)
    return _chosen(condition, yes, no)


def _chosen(condition: Operand, yes: Operand, no: Operand) -> Local:
    """Where with a condition that depends on the input: the branches pass, each where it is taken."""
    target = target_of(condition, yes, no)
    holds = np.broadcast_to(aligned(condition, target) != 0, (len(condition.rows), *target))
    parts: Parts = {0: lambda: Selection.nothing(condition.shape, target)}
    if yes.variable:
        parts[1] = lambda: _masked(holds, yes, target)
    if no.variable:
        parts[2] = lambda: _masked(~holds, no, target)
    return Local.bend(np.where(holds, aligned(yes, target), aligned(no, target)), parts)


def _masked(mask: np.ndarray, operand: Operand, target: Shape) -> LinearMap:
    return compose(Diagonal.of(mask, target), broadcast_map(operand.shape, target))
