"""Sums, differences, scales."""

from __future__ import annotations

from collections.abc import Sequence

import ml_dtypes
import numpy as np

from unbend.verify.measures import Measure, Operand, Tensor
from unbend.verify.ops import Unknown, Unread, affine, constant, needed, real, varying
from unbend.verify.reading import Node

TRAINING_MODE = 14
"""From this opset on an attribute says that a BatchNormalization is training; before, that it has more outputs."""


def _sum(operands: Sequence[Operand | None], signs: Sequence[float], measure: Measure) -> Tensor:
    """Σ sign · operand."""
    terms, shift = [], None
    for operand, sign in zip(operands, signs, strict=True):
        if isinstance(operand, Tensor):
            terms.append(operand if sign == 1.0 else measure.multiplied(np.array(sign), operand))
        elif operand is not None:
            shift = sign * real(operand) if shift is None else shift + sign * real(operand)
    total = measure.added(terms) if len(terms) > 1 else terms[0]
    return total if shift is None else measure.shifted(total, np.asarray(shift))


@affine("Add", "Sum")
def add(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """Y = Σ x_i."""
    return _sum(operands, [1.0] * len(operands), measure)


@affine("Sub")
def sub(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """Y = a - b."""
    return _sum(operands, [1.0, -1.0], measure)


@affine("Mean")
def mean(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """Y = Σ x_i / n."""
    return measure.multiplied(np.array(1.0 / len(operands)), _sum(operands, [1.0] * len(operands), measure))


@affine("Neg")
def neg(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """Y = -x."""
    return measure.multiplied(np.array(-1.0), varying(node, operands))


@affine("Mul")
def mul(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """Y = c x."""
    position = 0 if isinstance(operands[0], Tensor) else 1
    return measure.multiplied(needed(node, operands, 1 - position), varying(node, operands, position))


@affine("Div")
def div(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """Y = x / c."""
    return measure.multiplied(1.0 / needed(node, operands, 1), varying(node, operands))


@affine("BatchNormalization")
def batch_normalization(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """Y = γ (x - μ) / √(σ² + ε) + β for each channel."""
    if node.attributes.get("training_mode", 0) or (node.version < TRAINING_MODE and any(node.outputs[1:])):
        raise Unknown(f"{node.label} is in training mode")
    if not node.attributes.get("spatial", 1):
        raise Unread(f"{node.label} has statistics for each place of a channel")
    x = varying(node, operands)
    channels = (-1, *(1,) * (x.array.ndim - 2))
    gamma, beta, mean, variance = (needed(node, operands, i).reshape(channels) for i in range(1, 5))
    scale = gamma / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
    centred = measure.shifted(x, -mean)
    return measure.shifted(measure.multiplied(scale, centred), beta)


@affine("Identity", "Cast", "CastLike", "Dropout")
def identity(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """Y = x; a Cast rounds, which is execution and not the function."""
    if node.op_type == "Dropout" and len(operands) > 2 and bool(np.any(needed(node, operands, 2))):
        ratio = constant(node, operands, 1)
        if ratio is None or np.any(ratio != 0):
            raise Unknown(f"{node.label} is in training mode")
    return varying(node, operands)


@affine("LeakyRelu", "PRelu")
def straight(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """Y = x, where the slope is 1."""
    slope = needed(node, operands, 1) if node.op_type == "PRelu" else node.attributes.get("alpha", 0.01)
    if np.any(slope != 1.0):
        raise Unknown(f"{node.label} is a bend")
    return varying(node, operands)


@affine("Clip")
def clip(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """Y = x, where no finite number is beyond a limit that is given; before opset 11 limits are attributes."""
    for i, sign, name in ((1, -1.0, "min"), (2, 1.0, "max")):
        limit = operands[i] if i < len(operands) else None
        if name in node.attributes:
            limit = np.array(node.attributes[name], dtype=np.float32)
        if isinstance(limit, Tensor):
            raise Unknown(f"{node.label} is a bend")
        if limit is not None and np.any(sign * limit < ml_dtypes.finfo(limit.dtype).max):
            raise Unknown(f"{node.label} is a bend")
    return varying(node, operands)


@affine("Where")
def where(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """Y = m a + (1 - m) b, for a constant mask m."""
    mask = needed(node, operands, 0).astype(bool)
    terms, held = [], np.zeros(())
    for operand, share in zip(operands[1:], (mask, ~mask), strict=True):
        if isinstance(operand, Tensor):
            terms.append(measure.multiplied(share.astype(np.float64), operand))
        elif operand is not None:
            held = held + np.where(share, real(operand), 0.0)
    total = measure.added(terms) if len(terms) > 1 else terms[0]
    return measure.shifted(total, held) if np.any(held) else total


@affine("Scaler", domain="ai.onnx.ml")
def scaler(node: Node, operands: Sequence[Operand | None], measure: Measure) -> Tensor:
    """Y = (x - offset) · scale."""
    shifted = measure.shifted(varying(node, operands), -np.asarray(node.attributes["offset"], dtype=np.float64))
    return measure.multiplied(np.asarray(node.attributes["scale"], dtype=np.float64), shifted)
