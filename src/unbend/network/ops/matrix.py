"""Products of matrices."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from unbend.affine import Blocks, Dense, Diagonal, Identity, LinearMap, Selection, Shape, compose
from unbend.network.graph import Node
from unbend.network.local import Local, Operand, aligned, broadcast_map
from unbend.network.ops import only_one, op, real


def times_right(shape: Shape, b: np.ndarray) -> LinearMap:
    """x ↦ x b over the last two axes; x is of `shape` (…, m, k), b is (rows, …, k, n)."""
    axes = max(len(shape), b.ndim - 1) - 2
    b = b.reshape(b.shape[0], *(1,) * (axes + 3 - b.ndim), *b.shape[1:])
    leading = np.broadcast_shapes((1,) * axes, shape[:-2], b.shape[1:-2])
    source = broadcast_map(shape, (*leading, *shape[-2:]))
    positions = (*leading, shape[-2])
    if np.prod(b.shape[:-2]) == 1:
        return compose(Dense(b.reshape(b.shape[-2:]).T, positions), source)
    stacked = np.swapaxes(np.asarray(b, dtype=np.float64), -1, -2)
    return compose(Blocks(stacked[..., None, :, :], positions), source)


def times_left(a: np.ndarray, shape: Shape) -> LinearMap:
    """x ↦ a x over the last two axes: (xᵀ aᵀ)ᵀ; a is (rows, …, m, k), x is of `shape` (…, k, n)."""
    turned = _turned(shape)
    product = times_right(turned.out_shape, np.swapaxes(a, -1, -2))
    return compose(_turned(product.out_shape), compose(product, turned))


def _turned(shape: Shape) -> Selection:
    """The last two axes exchanged."""
    return Selection.transposed(shape, (*range(len(shape) - 2), len(shape) - 1, len(shape) - 2))


def reshaped(source: Shape, target: Shape) -> LinearMap:
    """The map that changes only the shape."""
    return Identity(source) if source == target else Selection.reshape(source, target)


@op("MatMul", reach="point", affine_when=only_one)
def matmul(node: Node, a: Operand, b: Operand) -> Local:
    """y = a b over the last two axes: affine while one factor is constant, else da b + a db.

    Checked against: onnx.reference and onnxruntime, opset 13.
    """
    a_shape = a.shape if len(a.shape) > 1 else (1, *a.shape)
    b_shape = b.shape if len(b.shape) > 1 else (*b.shape, 1)
    target = _matmul_shape(a.shape, b.shape)

    def shaped(product: LinearMap, source: Shape) -> LinearMap:
        inner = compose(product, reshaped(source, product.in_shape))
        return compose(reshaped(product.out_shape, target), inner)

    def rows(operand: Operand, shape: Shape) -> np.ndarray:
        return operand.rows.reshape(-1, *shape)

    def factor(operand: Operand, shape: Shape) -> np.ndarray:
        return operand.stored.reshape(-1, *shape)

    parts = {}
    if a.variable:
        parts[0] = lambda: shaped(times_right(a_shape, factor(b, b_shape)), a.shape)
    if b.variable:
        parts[1] = lambda: shaped(times_left(factor(a, a_shape), b_shape), b.shape)
    if len(parts) == 1:
        return Local.affine({position: make() for position, make in parts.items()})
    return Local.bend(_rows_product(rows(a, a_shape), rows(b, b_shape)).reshape(-1, *target), parts)


def _matmul_shape(a: Shape, b: Shape) -> Shape:
    """Shape of a b: a vector on the left is a row, on the right a column, and leaves no axis."""
    leading = np.broadcast_shapes(a[:-2], b[:-2])
    return (*leading, *(a[-2:-1] if len(a) > 1 else ()), *(b[-1:] if len(b) > 1 else ()))


def _rows_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a b for each row, with the axes between the rows and the matrices aligned at the right."""
    axes = max(a.ndim, b.ndim)
    a = a.reshape(a.shape[0], *(1,) * (axes - a.ndim), *a.shape[1:])
    b = b.reshape(b.shape[0], *(1,) * (axes - b.ndim), *b.shape[1:])
    return np.matmul(a, b)


def _one_factor(node: Node, variable: Collection[int]) -> bool:
    return not {0, 1} <= set(variable)


@op("Gemm", reach="point", affine_when=_one_factor)
def gemm(node: Node, a: Operand, b: Operand, c: Operand | None = None) -> Local:
    """y = α A' B' + β C, where A' is A or its transpose, and B' likewise.

    Checked against: onnx.reference and onnxruntime, opset 13.
    """
    alpha, beta = real(node, "alpha", 1.0), real(node, "beta", 1.0)
    turned = bool(node.attribute("transA", 0)), bool(node.attribute("transB", 0))
    left, right = (x.shape[::-1] if flag else x.shape for x, flag in zip((a, b), turned, strict=True))
    target = (left[0], right[1])

    def product() -> np.ndarray:
        return alpha * _turned_if(a.rows, turned[0]) @ _turned_if(b.rows, turned[1])

    parts = {}
    if a.variable:
        parts[0] = lambda: _scaled(
            alpha, compose(times_right(left, _turned_if(b.stored, turned[1])), _turn(a, turned[0]))
        )
    if b.variable:
        parts[1] = lambda: _scaled(
            alpha, compose(times_left(_turned_if(a.stored, turned[0]), right), _turn(b, turned[1]))
        )
    if c is not None and c.variable:
        parts[2] = lambda: _scaled(beta, broadcast_map(c.shape, target))
    if a.variable and b.variable:
        return Local.bend(product() + (0.0 if c is None else beta * aligned(c, target)), parts)
    offset = np.zeros((1, 1)) if c is None or c.variable else beta * aligned(c, target)[0]
    if not (a.variable or b.variable):
        offset = offset + product()[0]
    return Local.affine({position: make() for position, make in parts.items()}, offset)


def _turned_if(rows: np.ndarray, turned: bool) -> np.ndarray:
    return np.swapaxes(rows, -1, -2) if turned else rows


def _turn(operand: Operand, turned: bool) -> LinearMap:
    return _turned(operand.shape) if turned else Identity(operand.shape)


def _scaled(factor: float, linear: LinearMap) -> LinearMap:
    return linear if factor == 1 else compose(Diagonal.of(factor, linear.out_shape), linear)
