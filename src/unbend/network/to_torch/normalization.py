"""Normalisations: by stored statistics, and by the tensor's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional

from unbend.network.graph import Node
from unbend.network.ops import real
from unbend.network.to_torch import writes
from unbend.network.to_torch.writer import Writer, floating


def _epsilon(node: Node) -> float:
    return real(node, "epsilon", 1e-5)


@writes("BatchNormalization")
def batch_normalization(writer: Writer, node: Node) -> Any:
    """y = γ (x - μ) / √(σ² + ε) + β for each channel, with stored μ and σ²."""
    if node.attribute("training_mode", 0):
        raise writer.refusal(node, "is in training mode")
    scale, shift, mean, variance = (writer.constant(node, i) for i in range(1, 5))
    assert scale is not None
    assert shift is not None
    assert mean is not None
    assert variance is not None
    common = np.result_type(scale, shift, mean, variance) if scale.dtype != mean.dtype else scale.dtype
    rank = len(writer.axes(node.inputs[0]))
    if not 2 <= rank <= 5:
        raise writer.refusal(node, f"normalises a tensor of {rank} axes")
    layer = getattr(torch.nn, f"BatchNorm{max(rank - 2, 1)}d")(len(scale), eps=_epsilon(node), device="meta")
    for name, array in (("running_mean", mean), ("running_var", variance)):
        layer.register_buffer(name, writer.tensor(array.astype(common, copy=False)))
    layer.num_batches_tracked = torch.tensor(0)
    return writer.layer(node, layer, weight=scale.astype(common, copy=False), bias=shift.astype(common, copy=False))


@writes("LayerNormalization")
def layer_normalization(writer: Writer, node: Node) -> Any:
    """y = γ (x - μ) / √(σ² + ε) + β over the axes from `axis` on; μ; 1 / √(σ² + ε)."""
    scale, shift = (writer.constants.get(writer.input(node, i)) for i in (1, 2))
    shape, has_shift = _normalised(writer, node, scale), bool(writer.input(node, 2))
    if shape is not None and scale is not None and floating(scale) and (shift is not None or not has_shift):
        layer = torch.nn.LayerNorm(list(shape), eps=_epsilon(node), bias=has_shift, device="meta")
        spread = None if shift is None else np.broadcast_to(shift, shape)
        made = writer.layer(node, layer, weight=np.broadcast_to(scale, shape), bias=spread)
    else:
        mean, precision = _statistics(writer, node)
        made = writer.call(torch.mul, writer.call(torch.sub, writer.value(node.inputs[0]), mean), precision)
        made = writer.call(torch.mul, made, writer.value(node.inputs[1]))
        made = writer.call(torch.add, made, writer.value(node.inputs[2])) if has_shift else made
    more = [name for name in node.outputs[1:] if name]
    return [made, *_statistics(writer, node)] if more else made


def _normalised(writer: Writer, node: Node, scale: np.ndarray | None) -> tuple[int, ...] | None:
    """The lengths of the axes that are normalised; None where one of them is free."""
    axes = writer.axes(node.inputs[0])
    over = axes[node.attribute("axis", -1) % len(axes) :]
    if scale is not None and scale.ndim == len(over):  # γ has an axis of its own, or one that it is spread along
        over = tuple(own if known is None and own != 1 else known for own, known in zip(scale.shape, over, strict=True))
    return None if None in over else tuple(size for size in over if size is not None)


def _statistics(writer: Writer, node: Node) -> tuple[torch.fx.Node, torch.fx.Node]:
    """μ and 1 / √(σ² + ε)."""
    x, rank = writer.value(node.inputs[0]), len(writer.axes(node.inputs[0]))
    over = tuple(range(node.attribute("axis", -1) % rank, rank))
    variance = writer.call(torch.var, x, over, correction=0, keepdim=True)
    precision = writer.call(torch.rsqrt, writer.call(torch.add, variance, _epsilon(node)))
    return writer.call(torch.mean, x, over, keepdim=True), precision


@writes("RMSNormalization")
def rms_normalization(writer: Writer, node: Node) -> Any:
    """y = γ x / √(mean x² + ε), over the axes from `axis` on."""
    scale = writer.constant(node, 1)
    assert scale is not None
    shape = _normalised(writer, node, scale)
    if shape is None:
        raise writer.refusal(node, "normalises an axis of a free length")
    layer = torch.nn.RMSNorm(list(shape), eps=_epsilon(node), device="meta")
    return writer.layer(node, layer, weight=np.broadcast_to(scale, shape))


@writes("GroupNormalization")
def group_normalization(writer: Writer, node: Node) -> Any:
    """y = γ (x - μ) / √(σ² + ε) + β, with μ and σ² of each group; γ and β are of groups before opset 21."""
    groups, channels = node.attribute("num_groups"), writer.axes(node.inputs[0])[1]
    scale, shift = writer.constant(node, 1), writer.constant(node, 2)
    assert scale is not None
    assert shift is not None
    if node.version < 21:
        if channels is None:
            raise writer.refusal(node, "has a free number of channels")
        scale, shift = (np.repeat(one, channels // groups) for one in (scale, shift))
    layer = torch.nn.GroupNorm(groups, len(scale), eps=_epsilon(node), device="meta")
    return writer.layer(node, layer, weight=scale, bias=shift)


@writes("InstanceNormalization")
def instance_normalization(writer: Writer, node: Node) -> Any:
    """y = γ (x - μ) / √(σ² + ε) + β, with μ and σ² of each channel of the image itself."""
    scale, shift = writer.constant(node, 1), writer.constant(node, 2)
    assert scale is not None
    axes = len(writer.axes(node.inputs[0])) - 2
    if axes not in (1, 2, 3):
        raise writer.refusal(node, f"normalises along {axes} axes")
    layer = getattr(torch.nn, f"InstanceNorm{axes}d")(len(scale), eps=_epsilon(node), affine=True, device="meta")
    return writer.layer(node, layer, weight=scale, bias=shift)


@writes("LRN")
def local_response_normalization(writer: Writer, node: Node) -> Any:
    """y = x d^-β, d = k + α/n Σ x² over n neighbouring channels."""
    if node.attribute("size") % 2 == 0:
        raise writer.refusal(node, "takes more channels from one side than from the other")
    alpha, beta, start = real(node, "alpha", 1e-4), real(node, "beta", 0.75), real(node, "bias", 1.0)
    return writer.layer(node, torch.nn.LocalResponseNorm(node.attribute("size"), alpha, beta, start))


@writes("LpNormalization")
def lp_normalization(writer: Writer, node: Node) -> Any:
    """y = x / n, n = √Σ x² or Σ |x| along an axis."""
    x, how = writer.value(node.inputs[0]), {"p": float(node.attribute("p", 2)), "dim": node.attribute("axis", -1)}
    return writer.call(torch.nn.functional.normalize, x, **how)
