"""Reductions along axes: sums and means, which are affine, and others at the point."""

from __future__ import annotations

import math

from unbend.affine import LinearMap, Shape, compose, total
from unbend.network.graph import Node
from unbend.network.local import Local, Operand
from unbend.network.ops import constant_of, only_first, op
from unbend.network.ops.matrix import reshaped


def reduced_axes(node: Node, x: Operand, axes: Operand | None) -> tuple[tuple[int, ...], Shape]:
    """The axes that the node reduces, in order, and the shape of its output.

    They are an attribute or an input, depending on the opset; none means all, or nothing if the node says so.
    """
    given = constant_of(axes, "the list of axes")
    listed = given.reshape(-1).tolist() if given is not None else node.attribute("axes") or ()
    rank = len(x.shape)
    if listed:
        over = tuple(sorted(int(axis) % rank for axis in listed))
    else:
        over = () if node.attribute("noop_with_empty_axes", 0) else tuple(range(rank))
    if node.attribute("keepdims", 1):
        return over, tuple(1 if axis in over else size for axis, size in enumerate(x.shape))
    return over, tuple(size for axis, size in enumerate(x.shape) if axis not in over)


def _sums(x: Operand, over: tuple[int, ...], target: Shape, weight: float = 1.0) -> LinearMap:
    """weight Σ over the axes, as a tensor of shape `target`."""
    sums = total(x.shape, over, weight)
    return compose(reshaped(sums.out_shape, target), sums)


@op("ReduceSum", reach="point", affine_when=only_first)
def reduce_sum(node: Node, x: Operand, axes: Operand | None = None) -> Local:
    """y = Σ x.

    Checked against: onnx.reference and onnxruntime, opset 13.
    """
    over, target = reduced_axes(node, x, axes)
    return Local.affine({0: _sums(x, over, target)})


@op("ReduceMean", reach="point", affine_when=only_first)
def reduce_mean(node: Node, x: Operand, axes: Operand | None = None) -> Local:
    """y = Σ x / n.

    Checked against: onnx.reference and onnxruntime, opsets 13 and 18.
    """
    over, target = reduced_axes(node, x, axes)
    return Local.affine({0: _sums(x, over, target, 1.0 / math.prod(x.shape[axis] for axis in over))})
