"""Softmax and its logarithm."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax as log_softmax_of
from scipy.special import softmax as softmax_of

from unbend.affine import Diagonal, Identity, LinearMap, Selection, add, compose, total
from unbend.network.graph import Node
from unbend.network.local import Local, Operand
from unbend.network.ops import op


def _axis(node: Node, x: Operand) -> int:
    return node.attribute("axis", -1) % len(x.shape)


def _repeated_sum(x: Operand, axis: int) -> LinearMap:
    """x ↦ Σ x along the axis, repeated along it."""
    sums = total(x.shape, (axis,))
    return compose(Selection.broadcast(sums.out_shape, x.shape), sums)


@op("Softmax", reach="point")
def softmax(node: Node, x: Operand) -> Local:
    """y = exp x / Σ exp x, dy = y ∘ (dx - Σ y ∘ dx).

    Checked against: onnx.reference and onnxruntime, opset 13.
    """
    axis = _axis(node, x)
    y = softmax_of(x.rows, axis=axis + 1)

    def tangent() -> LinearMap:
        share = Diagonal(y, x.shape)
        mean = compose(_repeated_sum(x, axis), share)
        return add(share, compose(Diagonal(-y, x.shape), mean))

    return Local.bend(y, {0: tangent})


@op("LogSoftmax", reach="point")
def log_softmax(node: Node, x: Operand) -> Local:
    """y = x - log Σ exp x, dy = dx - Σ exp y ∘ dx.

    Checked against: onnx.reference and onnxruntime, opset 13.
    """
    axis = _axis(node, x)
    y = log_softmax_of(x.rows, axis=axis + 1)

    def tangent() -> LinearMap:
        mean = compose(_repeated_sum(x, axis), Diagonal(np.exp(y), x.shape))
        return add(Identity(x.shape), compose(Diagonal.of(-1.0, x.shape), mean))

    return Local.bend(y, {0: tangent})
