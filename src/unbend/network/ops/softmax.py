"""Softmax and its logarithm."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax as log_softmax_of
from scipy.special import softmax as softmax_of

from unbend.affine import Diagonal, Identity, LinearMap, Selection, add, compose, total
from unbend.network.graph import Node
from unbend.network.local import Local, Operand
from unbend.network.ops import op

ALONG_ONE = 13
"""From this opset on a softmax is along one axis; before, it was over all axes from that one on."""


def _axes(node: Node, x: Operand) -> tuple[int, ...]:
    rank = len(x.shape)
    if node.version >= ALONG_ONE:
        return (node.attribute("axis", -1) % rank,)
    return tuple(range(node.attribute("axis", 1) % rank, rank))


def _behind_rows(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(axis + 1 for axis in axes)


def _repeated_sum(x: Operand, axes: tuple[int, ...]) -> LinearMap:
    """x ↦ Σ x along the axes, repeated along them."""
    sums = total(x.shape, axes)
    return compose(Selection.broadcast(sums.out_shape, x.shape), sums)


@op("Softmax", reach="point")
def softmax(node: Node, x: Operand) -> Local:
    """y = exp x / Σ exp x, dy = y ∘ (dx - Σ y ∘ dx).

    Checked against: onnx.reference and onnxruntime, opsets 7 and 13.
    """
    axes = _axes(node, x)
    y = softmax_of(x.rows, axis=_behind_rows(axes))

    def tangent() -> LinearMap:
        share = Diagonal(y, x.shape)
        mean = compose(_repeated_sum(x, axes), share)
        return add(share, compose(Diagonal(-y, x.shape), mean))

    return Local.bend(y, {0: tangent})


@op("LogSoftmax", reach="point")
def log_softmax(node: Node, x: Operand) -> Local:
    """y = x - log Σ exp x, dy = dx - Σ exp y ∘ dx.

    Checked against: onnx.reference and onnxruntime, opsets 7 and 13.
    """
    axes = _axes(node, x)
    y = log_softmax_of(x.rows, axis=_behind_rows(axes))

    def tangent() -> LinearMap:
        mean = compose(_repeated_sum(x, axes), Diagonal(np.exp(y), x.shape))
        return add(Identity(x.shape), compose(Diagonal.of(-1.0, x.shape), mean))

    return Local.bend(y, {0: tangent})
