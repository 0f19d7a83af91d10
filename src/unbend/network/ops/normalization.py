"""Normalisations: by stored statistics, which is affine, and by the tensor's own, which is not."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from unbend.affine import Diagonal, Identity, LinearMap, Selection, Shape, add, compose, total
from unbend.network.graph import Node
from unbend.network.local import Local, Operand, Unsupported
from unbend.network.ops import needed, op


def _stored_statistics(node: Node, variable: Collection[int]) -> bool:
    return set(variable) <= {0} and not node.attribute("training_mode", 0)


@op("BatchNormalization", reach="point", affine_when=_stored_statistics)
def batch_normalization(node: Node, x: Operand, *statistics: Operand) -> Local:
    """y = γ (x - μ) / √(σ² + ε) + β for each channel, with stored μ and σ².

    Checked against: onnx.reference and onnxruntime, opset 15.
    """
    if node.attribute("training_mode", 0):
        raise Unsupported("BatchNormalization is in training mode, so its output depends on the other rows")
    per_channel = (-1, *(1,) * (len(x.shape) - 2))
    gamma, beta, mean, variance = (
        needed(one, "a statistic of BatchNormalization").reshape(per_channel) for one in statistics
    )
    scale = gamma / np.sqrt(variance + node.attribute("epsilon", 1e-5))
    return Local.affine({0: Diagonal.of(scale, x.shape)}, beta - scale * mean)


def _spread_mean(shape: Shape, axes: Collection[int]) -> LinearMap:
    """x ↦ its mean over some axes, repeated along them."""
    mean = total(shape, axes, 1.0 / math.prod(shape[axis] for axis in axes))
    return compose(Selection.broadcast(mean.out_shape, shape), mean)


@dataclass(frozen=True, eq=False)
class Standardised:
    """x̂ = (x - μ) / σ with x's own μ and σ over some axes; without `centred` μ is 0 and σ the root mean square.

    dx̂ = (dc - x̂ mean(x̂ ∘ dc)) / σ with dc = dx - mean(dx), or dx where it is not centred.
    """

    rows: np.ndarray
    axes: tuple[int, ...]
    epsilon: float
    centred: bool = True

    @cached_property
    def mean(self) -> np.ndarray:
        """μ, with axes of length 1."""
        return self._over(self.rows) if self.centred else np.zeros((1,) * self.rows.ndim)

    @cached_property
    def precision(self) -> np.ndarray:
        """1/σ, with axes of length 1."""
        return 1.0 / np.sqrt(self._over((self.rows - self.mean) ** 2) + self.epsilon)

    def _over(self, x: np.ndarray) -> np.ndarray:
        return x.mean(axis=tuple(axis + 1 for axis in self.axes), keepdims=True)

    @cached_property
    def value(self) -> np.ndarray:
        """x̂."""
        return (self.rows - self.mean) * self.precision

    def tangent(self) -> LinearMap:
        """dx ↦ dx̂."""
        shape = self.rows.shape[1:]
        spread, own = _spread_mean(shape, self.axes), Diagonal(self.value, shape)
        along_own = compose(Diagonal(-self.value, shape), compose(spread, own))
        kept = add(Identity(shape), along_own)
        if self.centred:
            kept = add(kept, compose(Diagonal.of(-1.0, shape), spread))
        return compose(Diagonal.of(self.precision, shape), kept)


def _scaled(x: Standardised, scale: np.ndarray, shift: np.ndarray | float) -> Local:
    """γ ∘ x̂ + β."""
    shape = x.rows.shape[1:]
    return Local.bend(x.value * scale + shift, {0: lambda: compose(Diagonal.of(scale, shape), x.tangent())})


def _last_axes(node: Node, x: Operand) -> tuple[int, ...]:
    rank = len(x.shape)
    return tuple(range(node.attribute("axis", -1) % rank, rank))


@op("LayerNormalization", reach="point")
def layer_normalization(node: Node, x: Operand, scale: Operand, shift: Operand | None = None) -> Local:
    """y = γ (x - μ) / √(σ² + ε) + β, with μ and σ² over the axes from `axis` on.

    Checked against: onnx.reference and onnxruntime, opset 17.
    """
    _only_first_output(node)
    own = Standardised(x.rows, _last_axes(node, x), node.attribute("epsilon", 1e-5))
    beta = 0.0 if shift is None else needed(shift, "the shift of LayerNormalization")
    return _scaled(own, needed(scale, "the scale of LayerNormalization"), beta)


@op("RMSNormalization", reach="point")
def rms_normalization(node: Node, x: Operand, scale: Operand) -> Local:
    """y = γ x / √(mean x² + ε), over the axes from `axis` on.

    Checked against: onnx.reference, opset 23.
    """
    own = Standardised(x.rows, _last_axes(node, x), node.attribute("epsilon", 1e-5), centred=False)
    return _scaled(own, needed(scale, "the scale of RMSNormalization"), 0.0)


@op("InstanceNormalization", reach="point")
def instance_normalization(node: Node, x: Operand, scale: Operand, shift: Operand) -> Local:
    """y = γ (x - μ) / √(σ² + ε) + β, with μ and σ² of each channel of the image itself.

    Checked against: onnx.reference and onnxruntime, opset 6.
    """
    per_channel = (-1, *(1,) * (len(x.shape) - 2))
    own = Standardised(x.rows, tuple(range(2, len(x.shape))), node.attribute("epsilon", 1e-5))
    gamma, beta = (needed(one, "a parameter of InstanceNormalization").reshape(per_channel) for one in (scale, shift))
    return _scaled(own, gamma, beta)


def _only_first_output(node: Node) -> None:
    if any(node.outputs[1:]):
        raise Unsupported(f"the further outputs of {node.op_type} have no affine map")
