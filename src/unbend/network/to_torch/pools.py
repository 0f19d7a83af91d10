"""Pools: means and largest values of windows, and of whole channels."""

from __future__ import annotations

import math
import operator
from typing import Any

import torch
import torch.nn.functional

from unbend.network.graph import Node
from unbend.network.ops.convolution import Windows
from unbend.network.to_torch import writes
from unbend.network.to_torch.windows import before, even, padded, windows
from unbend.network.to_torch.writer import Writer


def _fits(where: Windows) -> bool:
    """Whether torch pads so: as much on both sides, and half a window at most."""
    return even(where.pads) and all(2 * a <= k for a, k in zip(before(where.pads), where.kernel, strict=True))


def _pool(writer: Writer, node: Node, kind: str, **how: Any) -> tuple[torch.nn.Module, Windows, bool]:
    """The layer, the node's windows, and whether the layer pads by itself; else the padding is written before it."""
    where, up = windows(writer, node, node.attribute("kernel_shape")), bool(node.attribute("ceil_mode", 0))
    fits = _fits(where)
    if up and not fits and None in writer.axes(node.inputs[0])[2:]:
        raise writer.refusal(node, "is padded unevenly, rounds its size up and takes images of a free size")
    how |= {"stride": tuple(where.strides), "padding": before(where.pads) if fits else 0, "ceil_mode": up and fits}
    return getattr(torch.nn, f"{kind}{len(where.kernel)}d")(tuple(where.kernel), **how), where, fits


@writes("MaxPool")
def max_pool(writer: Writer, node: Node) -> Any:
    """y = the largest element of each window."""
    layer, where, fits = _pool(writer, node, "MaxPool", dilation=tuple(_dilations(node)))
    source = None if fits else padded(writer, writer.value(node.inputs[0]), where.reached, -math.inf)
    return writer.layer(node, layer, source)


def _dilations(node: Node) -> tuple[int, ...]:
    return node.attribute("dilations") or (1,) * len(node.attribute("kernel_shape"))


@writes("AveragePool")
def average_pool(writer: Writer, node: Node) -> Any:
    """y = Σ over the window / how many elements the window has there."""
    if max(_dilations(node)) > 1:
        raise writer.refusal(node, "is dilated")
    counted = bool(node.attribute("count_include_pad", 0))
    layer, where, fits = _pool(writer, node, "AvgPool", count_include_pad=counted)
    if fits:
        return writer.layer(node, layer)
    x = writer.value(node.inputs[0])
    mean = writer.layer(node, layer, padded(writer, x, where.reached))
    if counted and not any(where.extra):
        return mean
    ones = padded(writer, writer.call(torch.ones_like, x), where.pads, float(counted))
    ones = padded(writer, ones, [(0, more) for more in where.extra]) if any(where.extra) else ones
    share, _, _ = _pool(writer, node, "AvgPool")
    return writer.call(operator.truediv, mean, writer.layer(node, share, ones))


@writes("GlobalAveragePool")
def global_average_pool(writer: Writer, node: Node) -> Any:
    """y = the mean of each channel."""
    axes = len(writer.axes(node.inputs[0])) - 2
    if axes in (1, 2, 3):
        return writer.layer(node, getattr(torch.nn, f"AdaptiveAvgPool{axes}d")(1))
    return writer.call(torch.mean, writer.value(node.inputs[0]), tuple(range(2, axes + 2)), keepdim=True)


@writes("GlobalMaxPool")
def global_max_pool(writer: Writer, node: Node) -> Any:
    """y = the largest element of each channel."""
    axes = len(writer.axes(node.inputs[0])) - 2
    if axes in (1, 2, 3):
        return writer.layer(node, getattr(torch.nn, f"AdaptiveMaxPool{axes}d")(1))
    return writer.call(torch.amax, writer.value(node.inputs[0]), tuple(range(2, axes + 2)), keepdim=True)
