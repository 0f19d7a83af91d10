"""The largest or smallest of some numbers: affine while the same one stays the largest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from unbend.affine import Diagonal, LinearMap, Selection, Shape, Sum, compose
from unbend.affine.maps import BLOCK
from unbend.network.graph import Node
from unbend.network.local import Local, Operand, aligned, broadcast_map, target_of
from unbend.network.ops import op
from unbend.network.ops.reduction import reduced_axes


@dataclass(frozen=True, eq=False)
class Pick:
    """The largest element of each window, the first of several that are equal.

    `x` is (rows, channels, size); `windows` (places, taps) says which elements of a channel each place looks at, −1 for
    none.
    """

    x: np.ndarray
    windows: np.ndarray

    @cached_property
    def taps(self) -> np.ndarray:
        """(rows, channels, places): which tap of its window is the largest."""
        return self._largest[0]

    @cached_property
    def value(self) -> np.ndarray:
        """(rows, channels, places): the largest elements."""
        return self._largest[1]

    @cached_property
    def _largest(self) -> tuple[np.ndarray, np.ndarray]:
        rows, channels, size = self.x.shape
        flat = np.concatenate([self.x.reshape(-1, size), np.full((rows * channels, 1), -np.inf)], axis=1)
        taps = np.empty((len(flat), len(self.windows)), dtype=np.int64)
        value = np.empty(taps.shape)
        step = max(1, BLOCK // max(1, self.windows.size))
        for start in range(0, len(flat), step):
            seen = flat[start : start + step, self.windows]
            taps[start : start + step] = best = seen.argmax(axis=-1)
            value[start : start + step] = np.take_along_axis(seen, best[..., None], axis=-1)[..., 0]
        shape = (rows, channels, len(self.windows))
        return taps.reshape(shape), value.reshape(shape)

    @cached_property
    def positions(self) -> np.ndarray:
        """(rows, channels, places): where the largest elements stand in a row."""
        picked = self.windows[np.arange(len(self.windows)), self.taps]
        return np.arange(self.x.shape[1])[:, None] * self.x.shape[2] + picked

    def between(self, source: Shape, target: Shape) -> LinearMap:
        """The map from a tensor of `source` to one of `target` that takes the largest elements.

        For one row a selection; for several, where each row takes others, a sum over the taps.
        """
        if len(self.x) == 1:
            return Selection(self.positions[0].reshape(target), source)
        channels = np.arange(self.x.shape[1])[:, None] * self.x.shape[2]
        terms = []
        for tap in range(self.windows.shape[1]):
            index = np.where(self.windows[:, tap] >= 0, channels + self.windows[:, tap], -1)
            mask = (self.taps == tap).reshape(-1, *target).astype(np.float64)
            terms.append(compose(Diagonal(mask, target), Selection(index.reshape(target), source)))
        return Sum(tuple(terms))


@op("ReduceMax", "ReduceMin", reach="region")
def reduce_extremum(node: Node, x: Operand, axes: Operand | None = None) -> Local:
    """y = the largest (smallest) element along some axes; the first of several that are equal.

    Checked against: onnx.reference and onnxruntime, opset 18.
    """
    over, target = reduced_axes(node, x, axes)
    kept = tuple(axis for axis in range(len(x.shape)) if axis not in over)
    last = Selection.transposed(x.shape, (*kept, *over))
    sign = 1.0 if node.op_type == "ReduceMax" else -1.0
    size = math.prod(x.shape[axis] for axis in over)
    pick = Pick(sign * last.apply(x.rows).reshape(len(x.rows), -1, size), np.arange(size)[None])
    return Local.bend(
        sign * pick.value.reshape(-1, *target), {0: lambda: compose(pick.between(last.out_shape, target), last)}
    )


@op("ArgMax", "ArgMin", reach="region")
def arg_extremum(node: Node, x: Operand) -> Local:
    """y = where along an axis the largest (smallest) element is: constant until another one is.

    Checked against: onnx.reference and onnxruntime, opset 13.
    """
    axis = node.attribute("axis", 0) % len(x.shape) + 1
    rows = x.rows if node.op_type == "ArgMax" else -x.rows
    if node.attribute("select_last_index", 0):
        found = rows.shape[axis] - 1 - np.flip(rows, axis=axis).argmax(axis=axis)
    else:
        found = rows.argmax(axis=axis)
    if node.attribute("keepdims", 1):
        found = np.expand_dims(found, axis)
    return Local.steps(np.asarray(found, dtype=np.float64), {0: x.shape})


@op("Max", "Min", reach="region")
def extremum(node: Node, *operands: Operand) -> Local:
    """y = the largest (smallest) of some tensors, element by element; the first of several that are equal.

    An element is active where the first variable tensor is the one that passes.

    Checked against: onnx.reference and onnxruntime, opset 13.
    """
    target = target_of(*operands)
    sign = 1.0 if node.op_type == "Max" else -1.0
    rows = max(len(operand.rows) for operand in operands)
    each = np.stack([np.broadcast_to(aligned(operand, target), (rows, *target)) for operand in operands])
    first = (sign * each).argmax(axis=0)
    variable = [position for position, operand in enumerate(operands) if operand.variable]

    def part(position: int) -> LinearMap:
        passes = Diagonal.of((first == position).astype(np.float64), target)
        return compose(passes, broadcast_map(operands[position].shape, target))

    value = np.take_along_axis(each, first[None], axis=0)[0]
    parts = {position: lambda position=position: part(position) for position in variable}
    return Local.bend(value, parts, active=lambda: first == variable[0])
