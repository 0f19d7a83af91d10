"""Activations: layers of torch.nn without weights, and PReLU."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from unbend.network.graph import Node
from unbend.network.ops import real
from unbend.network.ops.softmax import ALONG_ONE
from unbend.network.to_torch import writes
from unbend.network.to_torch.lengths import size_of
from unbend.network.to_torch.writer import Writer, floating

PLAIN = {
    "Relu": torch.nn.ReLU,
    "Sigmoid": torch.nn.Sigmoid,
    "Tanh": torch.nn.Tanh,
    "Mish": torch.nn.Mish,
    "HardSwish": torch.nn.Hardswish,
    "Softsign": torch.nn.Softsign,
}

THRESHOLD = 40.0
"""From here on torch takes x for log(1 + eˣ): e⁻⁴⁰ is nothing beside it in float64. torch's own 20 is float32's."""

SELU = 1.67326319217681884765625, 1.05070102214813232421875
"""α and γ that the standard states; torch's own differ from the eighth digit on."""


@writes(*PLAIN)
def plain(writer: Writer, node: Node) -> Any:
    """An activation without a number."""
    return writer.layer(node, PLAIN[node.op_type]())


@writes("LeakyRelu")
def leaky_relu(writer: Writer, node: Node) -> Any:
    """y = x where x > 0, else α x."""
    return writer.layer(node, torch.nn.LeakyReLU(real(node, "alpha", 0.01)))


@writes("Elu")
def elu(writer: Writer, node: Node) -> Any:
    """y = x where x > 0, else α (eˣ - 1)."""
    return writer.layer(node, torch.nn.ELU(real(node, "alpha", 1.0)))


@writes("Celu")
def celu(writer: Writer, node: Node) -> Any:
    """y = max(0, x) + min(0, α (e^(x/α) - 1))."""
    return writer.layer(node, torch.nn.CELU(real(node, "alpha", 1.0)))


@writes("Selu")
def selu(writer: Writer, node: Node) -> Any:
    """y = γ x where x > 0, else γ α (eˣ - 1)."""
    alpha, gamma = (real(node, name, own) for name, own in zip(("alpha", "gamma"), SELU, strict=True))
    return writer.call(torch.mul, writer.layer(node, torch.nn.ELU(alpha)), gamma)


@writes("ThresholdedRelu")
def thresholded_relu(writer: Writer, node: Node) -> Any:
    """y = x where x > α, else 0."""
    return writer.layer(node, torch.nn.Threshold(real(node, "alpha", 1.0), 0.0))


@writes("HardSigmoid")
def hard_sigmoid(writer: Writer, node: Node) -> Any:
    """y = max(0, min(1, α x + β)): torch's own where α is a sixth and β a half."""
    alpha, beta = real(node, "alpha", 0.2), real(node, "beta", 0.5)
    if (alpha, beta) == (float(np.float32(1 / 6)), 0.5):
        return writer.layer(node, torch.nn.Hardsigmoid())
    line = writer.call(torch.add, writer.call(torch.mul, writer.value(node.inputs[0]), alpha), beta)
    return writer.call(torch.clamp, line, 0.0, 1.0)


@writes("Shrink")
def shrink(writer: Writer, node: Node) -> Any:
    """y = x - b where x > λ, x + b where x < -λ, else 0, for b = 0 or λ."""
    bias, edge = real(node, "bias", 0.0), real(node, "lambd", 0.5)
    if bias not in (0.0, edge):
        raise writer.refusal(node, f"shrinks by {bias} from {edge} on")
    return writer.layer(node, torch.nn.Hardshrink(edge) if bias == 0.0 else torch.nn.Softshrink(edge))


@writes("Softplus")
def softplus(writer: Writer, node: Node) -> Any:
    """y = log(1 + eˣ)."""
    return writer.layer(node, torch.nn.Softplus(threshold=THRESHOLD))


@writes("Gelu")
def gelu(writer: Writer, node: Node) -> Any:
    """y = x Φ(x), or its approximation by tanh."""
    return writer.layer(node, torch.nn.GELU(approximate=node.attribute("approximate", "none")))


@writes("Swish")
def swish(writer: Writer, node: Node) -> Any:
    """y = x σ(α x)."""
    alpha = real(node, "alpha", 1.0)
    if alpha == 1.0:
        return writer.layer(node, torch.nn.SiLU())
    x = writer.value(node.inputs[0])
    return writer.call(torch.mul, x, writer.call(torch.sigmoid, writer.call(torch.mul, x, alpha)))


@writes("PRelu")
def prelu(writer: Writer, node: Node) -> Any:
    """y = x where x > 0, else s x: a PReLU where s is one number, or one for each channel."""
    slope, x = writer.constants.get(node.inputs[1]), node.inputs[0]
    if slope is not None and floating(slope) and _is_per_channel(slope.shape, len(writer.axes(x))):
        return writer.layer(node, torch.nn.PReLU(slope.size, device="meta"), weight=slope.reshape(-1))
    value = writer.value(x)
    below = writer.call(torch.mul, value, writer.value(node.inputs[1]))
    return writer.call(torch.where, writer.call(torch.gt, value, 0), value, below)


def _is_per_channel(shape: tuple[int, ...], rank: int) -> bool:
    """Whether a shape spreads along all axes but perhaps the second."""
    whole = (1,) * (rank - len(shape)) + shape
    return math.prod(shape) == 1 or (rank >= 2 and math.prod(shape) == whole[1])


@writes("Softmax", "LogSoftmax")
def softmax(writer: Writer, node: Node) -> Any:
    """y = eˣ / Σ eˣ along an axis, or its logarithm; in old opsets along all axes from one on."""
    kind = torch.nn.LogSoftmax if node.op_type == "LogSoftmax" else torch.nn.Softmax
    if node.version >= ALONG_ONE:
        return writer.layer(node, kind(dim=node.attribute("axis", -1)))
    rank = len(writer.axes(node.inputs[0]))
    axis = node.attribute("axis", 1) % rank
    if axis == rank - 1:
        return writer.layer(node, kind(dim=-1))
    together = writer.call(torch.flatten, writer.value(node.inputs[0]), axis)
    shape = tuple(size_of(writer, node.inputs[0], i) for i in range(rank))
    return writer.call(torch.reshape, writer.layer(node, kind(dim=-1), together), shape)


@writes("Clip")
def clip(writer: Writer, node: Node) -> Any:
    """y = x between two bounds, of which both may be left out."""
    low, high = (
        writer.operand(node, i) if writer.input(node, i) else node.attribute(name)
        for i, name in enumerate(("min", "max"), 1)
    )
    x = writer.value(node.inputs[0])
    return x if low is None and high is None else writer.call(torch.clamp, x, low, high)
