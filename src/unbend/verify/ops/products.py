"""Products with a matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unbend.verify.measures import Measure, Operand, Tensor
from unbend.verify.ops import Unknown, affine, needed, varying
from unbend.verify.reading import Node


def _matmul(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    if isinstance(operands[0], Tensor):
        right = needed(node, operands, 1)
        x = varying(node, operands, 0)
        return measure.scaled(lambda w, a: np.matmul(a, w), right, x, x.array.shape[-1], once=right.ndim <= 2)
    left = needed(node, operands, 0)
    return measure.scaled(np.matmul, left, varying(node, operands, 1), left.shape[-1], once=left.ndim <= 2)


@affine("MatMul")
def matmul(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """Y = A B, one of them constant."""
    return _matmul(node, operands, measure)


def _turned(operand: Operand | None, turn: int, measure: Measure) -> Operand | None:
    if not turn or operand is None:
        return operand
    return measure.moved(np.transpose, operand) if isinstance(operand, Tensor) else operand.T


@affine("Gemm")
def gemm(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """Y = α A B + β C."""
    factors = [_turned(operands[i], node.attributes.get(key, 0), measure) for i, key in ((0, "transA"), (1, "transB"))]
    alpha, beta = (float(node.attributes.get(key, 1.0)) for key in ("alpha", "beta"))
    third = operands[2] if len(operands) > 2 else None
    if not any(isinstance(factor, Tensor) for factor in factors):
        moving = measure.multiplied(np.array(beta), varying(node, operands, 2))
        return measure.shifted(moving, alpha * np.matmul(needed(node, factors, 0), needed(node, factors, 1)))
    product = _matmul(node, factors, measure)
    product = product if alpha == 1.0 else measure.multiplied(np.array(alpha), product)
    if third is None:
        return product
    if isinstance(third, Tensor):
        return measure.added([product, measure.multiplied(np.array(beta), third)])
    return measure.shifted(product, beta * needed(node, operands, 2))


@affine("Einsum")
def einsum(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """Y = Σ of products of one value that varies with constants."""
    where = [i for i, operand in enumerate(operands) if isinstance(operand, Tensor)]
    if len(where) != 1:
        raise Unknown(f"{node.label} is not affine: {len(where)} of its inputs vary")
    equation, (at,) = node.attributes["equation"], where
    constants = [needed(node, operands, i) for i in range(len(operands)) if i != at]
    ends = np.cumsum([one.size for one in constants])
    x = varying(node, operands, at)
    if not constants:
        return measure.scaled(lambda one, a: one * np.einsum(equation, a), np.array(1.0), x, x.array.size, once=False)

    def apply(weights: np.ndarray, array: np.ndarray) -> np.ndarray:
        parts = zip(np.split(weights, ends[:-1]), constants, strict=True)
        factors = [part.reshape(one.shape) for part, one in parts]
        return np.einsum(equation, *factors[:at], array, *factors[at:], optimize=True)

    weights = np.concatenate([one.ravel() for one in constants])
    return measure.scaled(apply, weights, x, x.array.size * len(constants), once=False)


@affine("LinearRegressor", domain="ai.onnx.ml")
def linear_regressor(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """Y = x Wᵀ + b."""
    if node.attributes.get("post_transform", "NONE") != "NONE":
        raise Unknown(f"{node.label} bends its output")
    x, targets = varying(node, operands), node.attributes.get("targets", 1)
    weight = np.asarray(node.attributes["coefficients"], dtype=np.float64).reshape(targets, -1).T
    product = measure.scaled(lambda w, a: np.matmul(a, w), weight, x, len(weight))
    offset = node.attributes.get("intercepts")
    return product if offset is None else measure.shifted(product, np.asarray(offset, dtype=np.float64))
