"""Sums, differences and products, element by element, with ONNX's broadcasting."""

from __future__ import annotations

import numpy as np

from unbend.affine import Diagonal, LinearMap, Shape, compose
from unbend.network.graph import Node
from unbend.network.local import Local, Operand, aligned, broadcast_map, target_of
from unbend.network.ops import only_first, only_one, op


def _scaled(operand: Operand, target: Shape, scale: np.ndarray | float) -> LinearMap:
    """The operand broadcast to `target`, times `scale`, which broadcasts to (rows, *target)."""
    return compose(Diagonal.of(scale, target), broadcast_map(operand.shape, target))


def _weighted_sum(operands: tuple[Operand, ...], weights: tuple[float, ...]) -> Local:
    """Σ weight_i operand_i."""
    target = target_of(*operands)
    constants = (
        weight * np.asarray(operand.constant, dtype=np.float64)
        for operand, weight in zip(operands, weights, strict=True)
        if operand.constant is not None
    )
    maps = {
        position: _scaled(operand, target, weight) if weight != 1 else broadcast_map(operand.shape, target)
        for position, (operand, weight) in enumerate(zip(operands, weights, strict=True))
        if operand.variable
    }
    return Local.affine(maps, sum(constants, start=np.zeros(())))


@op("Add", reach="everywhere")
def add(node: Node, a: Operand, b: Operand) -> Local:
    """y = a + b.

    Checked against: onnx.reference, opset 14.
    """
    return _weighted_sum((a, b), (1.0, 1.0))


@op("Sub", reach="everywhere")
def sub(node: Node, a: Operand, b: Operand) -> Local:
    """y = a - b.

    Checked against: onnx.reference, opset 14.
    """
    return _weighted_sum((a, b), (1.0, -1.0))


@op("Sum", reach="everywhere")
def sum_(node: Node, *terms: Operand) -> Local:
    """y = Σ x_i.

    Checked against: onnx.reference, opset 13.
    """
    return _weighted_sum(terms, (1.0,) * len(terms))


@op("Mean", reach="everywhere")
def mean(node: Node, *terms: Operand) -> Local:
    """y = Σ x_i / n.

    Checked against: onnx.reference, opset 13.
    """
    return _weighted_sum(terms, (1.0 / len(terms),) * len(terms))


@op("Neg", reach="everywhere")
def neg(node: Node, x: Operand) -> Local:
    """y = -x.

    Checked against: onnx.reference, opset 13.
    """
    return _weighted_sum((x,), (-1.0,))


@op("Mul", reach="point", affine_when=only_one)
def mul(node: Node, a: Operand, b: Operand) -> Local:
    """y = a b: affine while one factor is constant, else da b + a db.

    Checked against: onnx.reference, opset 14.
    """
    target = target_of(a, b)
    if a.variable and b.variable:
        left, right = aligned(a, target), aligned(b, target)
        parts = {0: lambda: _scaled(a, target, right), 1: lambda: _scaled(b, target, left)}
        return Local.bend(left * right, parts)
    factor, variable = (a, b) if b.variable else (b, a)
    return Local.affine({1 if b.variable else 0: _scaled(variable, target, factor.rows)})


@op("Div", reach="point", affine_when=only_first)
def div(node: Node, a: Operand, b: Operand) -> Local:
    """y = a / b: affine in a; near b it is a / b - (a / b²) db.

    Checked against: onnx.reference, opset 14.
    """
    target = target_of(a, b)
    if not b.variable:
        return Local.affine({0: _scaled(a, target, 1.0 / b.rows)})
    top, bottom = aligned(a, target), aligned(b, target)
    parts = {1: lambda: _scaled(b, target, -top / bottom**2)}
    if a.variable:
        parts[0] = lambda: _scaled(a, target, 1.0 / bottom)
    return Local.bend(top / bottom, parts)
