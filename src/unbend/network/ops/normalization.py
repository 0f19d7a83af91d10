"""Normalisations: by stored statistics, which is affine, and by the tensor's own, which is not."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from unbend.affine import Diagonal, Identity, LinearMap, Selection, Shape, add, along, compose, total
from unbend.network.graph import Node
from unbend.network.local import Local, Operand, Unsupported
from unbend.network.ops import needed, op, real
from unbend.network.ops.matrix import reshaped

TRAINING_MODE = 14
"""From this opset on an attribute says that a BatchNormalization is training; before, that it has more outputs."""


def _stored_statistics(node: Node, variable: Collection[int]) -> bool:
    return set(variable) <= {0} and not _trains(node) and bool(node.attribute("spatial", 1))


def _trains(node: Node) -> bool:
    return bool(node.attribute("training_mode", 0)) or (node.version < TRAINING_MODE and any(node.outputs[1:]))


@op("BatchNormalization", reach="point", affine_when=_stored_statistics)
def batch_normalization(node: Node, x: Operand, *statistics: Operand) -> Local:
    """y = γ (x - μ) / √(σ² + ε) + β for each channel, with stored μ and σ².

    Checked against: onnx.reference and onnxruntime, opsets 7, 9 and 15.
    """
    if _trains(node):
        raise Unsupported("BatchNormalization is in training mode, so its output depends on the other rows")
    if not node.attribute("spatial", 1):
        raise Unsupported("BatchNormalization has statistics for each place of a channel (spatial=0)")
    per_channel = (-1, *(1,) * (len(x.shape) - 2))
    gamma, beta, mean, variance = (
        needed(one, "a statistic of BatchNormalization").reshape(per_channel) for one in statistics
    )
    scale = gamma / np.sqrt(variance + real(node, "epsilon", 1e-5))
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
def layer_normalization(
    node: Node, x: Operand, scale: Operand, shift: Operand | None = None
) -> tuple[Local, Local, Local]:
    """y = γ (x - μ) / √(σ² + ε) + β, with μ and σ² over the axes from `axis` on; μ; p = 1 / √(σ² + ε).

    dμ = mean dx, dp = -p² mean(x̂ ∘ dx).

    Checked against: onnx.reference and onnxruntime, opset 17.
    """
    own = Standardised(x.rows, _last_axes(node, x), real(node, "epsilon", 1e-5))
    beta = 0.0 if shift is None else needed(shift, "the shift of LayerNormalization")
    mean = total(x.shape, own.axes, 1.0 / math.prod(x.shape[axis] for axis in own.axes))

    def precision() -> LinearMap:
        return compose(Diagonal(-(own.precision**2), mean.out_shape), compose(mean, Diagonal(own.value, x.shape)))

    return (
        _scaled(own, needed(scale, "the scale of LayerNormalization"), beta),
        Local.bend(own.mean, {0: lambda: mean}),
        Local.bend(own.precision, {0: precision}),
    )


@op("RMSNormalization", reach="point")
def rms_normalization(node: Node, x: Operand, scale: Operand) -> Local:
    """y = γ x / √(mean x² + ε), over the axes from `axis` on.

    Checked against: onnx.reference, opset 23.
    """
    own = Standardised(x.rows, _last_axes(node, x), real(node, "epsilon", 1e-5), centred=False)
    return _scaled(own, needed(scale, "the scale of RMSNormalization"), 0.0)


@op("InstanceNormalization", reach="point")
def instance_normalization(node: Node, x: Operand, scale: Operand, shift: Operand) -> Local:
    """y = γ (x - μ) / √(σ² + ε) + β, with μ and σ² of each channel of the image itself.

    Checked against: onnx.reference and onnxruntime, opset 6.
    """
    per_channel = (-1, *(1,) * (len(x.shape) - 2))
    own = Standardised(x.rows, tuple(range(2, len(x.shape))), real(node, "epsilon", 1e-5))
    gamma, beta = (needed(one, "a parameter of InstanceNormalization").reshape(per_channel) for one in (scale, shift))
    return _scaled(own, gamma, beta)


@op("GroupNormalization", reach="point")
def group_normalization(node: Node, x: Operand, scale: Operand, shift: Operand) -> Local:
    """y = γ (x - μ) / √(σ² + ε) + β, with μ and σ² of each group of channels.

    Before opset 21 γ and β are given for each group, from then on for each channel.

    Checked against: onnx.reference, opsets 18 and 21.
    """
    batch, channels, *image = x.shape
    groups = node.attribute("num_groups")
    parted = (batch, groups, channels // groups, *image)
    own = Standardised(x.rows.reshape(-1, *parted), tuple(range(2, len(parted))), real(node, "epsilon", 1e-5))
    per_group = (groups, -1, *(1,) * len(image))
    gamma, beta = (needed(one, "a parameter of GroupNormalization").reshape(per_group) for one in (scale, shift))
    inner = _scaled(own, gamma, beta)
    assert inner.value is not None

    def tangent() -> LinearMap:
        return compose(reshaped(parted, x.shape), compose(inner.maps[0], reshaped(x.shape, parted)))

    return Local.bend(inner.value.reshape(-1, *x.shape), {0: tangent})


@op("LpNormalization", reach="point")
def lp_normalization(node: Node, x: Operand) -> Local:
    """y = x / n, n = √Σ x² or Σ |x| along an axis; dy = (dx - y Σ n' ∘ dx) / n with n' = y or the sign of x.

    Checked against: onnx.reference and onnxruntime, opset 1.
    """
    axis, rows = node.attribute("axis", -1) % len(x.shape), x.rows
    euclidean = node.attribute("p", 2) == 2
    norm = np.linalg.norm(rows, ord=2 if euclidean else 1, axis=axis + 1, keepdims=True)
    y = rows / norm

    def tangent() -> LinearMap:
        sums = total(x.shape, (axis,))
        change = compose(sums, Diagonal(y if euclidean else np.sign(rows), x.shape))
        spread = compose(Selection.broadcast(sums.out_shape, x.shape), change)
        kept = add(Identity(x.shape), compose(Diagonal(-y, x.shape), spread))
        return compose(Diagonal(1.0 / norm, x.shape), kept)

    return Local.bend(y, {0: tangent})


@op("LRN", reach="point")
def local_response_normalization(node: Node, x: Operand) -> Local:
    """y = x d^-β, d = k + α/n Σ x² over n neighbouring channels; dy = d^-β dx - 2 α β / n y / d ∘ Σ x ∘ dx.

    Checked against: onnx.reference and onnxruntime, opset 13.
    """
    size, rows = node.attribute("size"), x.rows
    alpha, beta, start = real(node, "alpha", 1e-4), real(node, "beta", 0.75), real(node, "bias", 1.0)
    channels = np.arange(x.shape[1])
    distance = channels - channels[:, None]
    window = along(((distance >= -((size - 1) // 2)) & (distance <= size // 2)).astype(np.float64), x.shape, 1)
    d = start + alpha / size * window.apply(rows**2)
    y = rows * d**-beta

    def tangent() -> LinearMap:
        around = compose(window, Diagonal(rows, x.shape))
        return add(Diagonal(d**-beta, x.shape), compose(Diagonal(-2 * alpha * beta / size * y / d, x.shape), around))

    return Local.bend(y, {0: tangent})
