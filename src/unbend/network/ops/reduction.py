"""Reductions along axes: sums and means, which are affine, and others at the point."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import logsumexp

from unbend.affine import Diagonal, LinearMap, Shape, along, compose, total
from unbend.network.graph import Node
from unbend.network.local import Local, Operand
from unbend.network.ops import constant_of, needed, only_first, op
from unbend.network.ops.matrix import reshaped

Function = Callable[[np.ndarray, tuple[int, ...]], np.ndarray]
Slope = Callable[[np.ndarray, np.ndarray], np.ndarray]


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


@op("CumSum", reach="point", affine_when=only_first)
def cumulative_sum(node: Node, x: Operand, axis: Operand) -> Local:
    """y_i = Σ x_j over j ≤ i along an axis; without i itself, or from the other end, as the node says.

    Checked against: onnx.reference and onnxruntime, opset 14.
    """
    along_axis = int(needed(axis, "the axis of CumSum").reshape(())) % len(x.shape)
    size = x.shape[along_axis]
    triangle = np.tri(size, k=-1 if node.attribute("exclusive", 0) else 0)
    matrix = triangle.T if node.attribute("reverse", 0) else triangle
    return Local.affine({0: along(matrix, x.shape, along_axis)})


def _bent(node: Node, x: Operand, axes: Operand | None, function: Function, slope: Slope) -> Local:
    """y = function over the axes; `slope(x, y)` is ∂y/∂x for each element, with y spread along the axes."""
    over, target = reduced_axes(node, x, axes)
    rows = x.rows
    y = function(rows, tuple(axis + 1 for axis in over))
    return Local.bend(
        y.reshape(-1, *target), {0: lambda: compose(_sums(x, over, target), Diagonal(slope(rows, y), x.shape))}
    )


@op("ReduceL1", reach="region")
def reduce_l1(node: Node, x: Operand, axes: Operand | None = None) -> Local:
    """y = Σ |x|.

    Checked against: onnx.reference and onnxruntime, opset 18.
    """
    return _bent(node, x, axes, lambda x, over: np.abs(x).sum(axis=over, keepdims=True), lambda x, y: np.sign(x))


@op("ReduceL2", reach="point")
def reduce_l2(node: Node, x: Operand, axes: Operand | None = None) -> Local:
    """y = √Σ x², ∂y/∂x = x / y.

    Checked against: onnx.reference and onnxruntime, opset 18.
    """
    return _bent(node, x, axes, lambda x, over: np.sqrt((x**2).sum(axis=over, keepdims=True)), lambda x, y: x / y)


@op("ReduceSumSquare", reach="point")
def reduce_sum_square(node: Node, x: Operand, axes: Operand | None = None) -> Local:
    """y = Σ x², ∂y/∂x = 2 x.

    Checked against: onnx.reference and onnxruntime, opset 18.
    """
    return _bent(node, x, axes, lambda x, over: (x**2).sum(axis=over, keepdims=True), lambda x, y: 2 * x)


@op("ReduceLogSum", reach="point")
def reduce_log_sum(node: Node, x: Operand, axes: Operand | None = None) -> Local:
    """y = log Σ x, ∂y/∂x = exp(-y).

    Checked against: onnx.reference and onnxruntime, opset 18.
    """
    return _bent(
        node,
        x,
        axes,
        lambda x, over: np.log(x.sum(axis=over, keepdims=True)),
        lambda x, y: np.broadcast_to(np.exp(-y), x.shape),
    )


@op("ReduceLogSumExp", reach="point")
def reduce_log_sum_exp(node: Node, x: Operand, axes: Operand | None = None) -> Local:
    """y = log Σ exp x, ∂y/∂x = exp(x - y).

    Checked against: onnx.reference and onnxruntime, opset 18.
    """
    return _bent(
        node, x, axes, lambda x, over: np.asarray(logsumexp(x, axis=over, keepdims=True)), lambda x, y: np.exp(x - y)
    )


@op("ReduceProd", reach="point")
def reduce_prod(node: Node, x: Operand, axes: Operand | None = None) -> Local:
    """y = Π x, ∂y/∂x_i = the product of the others.

    Checked against: onnx.reference and onnxruntime, opset 18.
    """
    over, target = reduced_axes(node, x, axes)
    rows, along_axes = x.rows, tuple(axis + 1 for axis in over)
    zero = rows == 0
    zeros = zero.sum(axis=along_axes, keepdims=True)
    others = np.where(zero, 1.0, rows).prod(axis=along_axes, keepdims=True) / np.where(zero, 1.0, rows)
    slope = np.where(zeros == zero, others, 0.0)
    value = rows.prod(axis=along_axes).reshape(-1, *target)
    return Local.bend(value, {0: lambda: compose(_sums(x, over, target), Diagonal(slope, x.shape))})
