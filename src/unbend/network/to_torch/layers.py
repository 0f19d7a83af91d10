"""Products, convolutions and tables that are looked up: layers of torch.nn where their weights are constant."""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional

from unbend.affine import Pads
from unbend.network.graph import Node
from unbend.network.ops import real
from unbend.network.ops.convolution import Windows, transposed_pads
from unbend.network.to_torch import writes
from unbend.network.to_torch.windows import before, even, padded, windows
from unbend.network.to_torch.writer import Writer, floating


@writes("Gemm")
def gemm(writer: Writer, node: Node) -> Any:
    """y = α A B + β C: a Linear where B is constant and C is a number for each column."""
    weight, bias = (writer.constants.get(writer.input(node, i)) for i in (1, 2))
    if weight is None or not floating(weight) or node.attribute("transA", 0):
        return _plus(writer, node, _product(writer, node))
    weight = _scaled(weight if node.attribute("transB", 0) else weight.T, real(node, "alpha", 1.0))
    if bias is None or bias.size != int(np.prod(bias.shape[-1:])):  # none, computed, or another one for each row
        return _plus(writer, node, _linear(writer, node, weight, None))
    each = np.broadcast_to(_scaled(bias, real(node, "beta", 1.0)).reshape(-1), len(weight))
    return _linear(writer, node, weight, each)


def _linear(writer: Writer, node: Node, weight: np.ndarray, bias: np.ndarray | None) -> torch.fx.Node:
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    return writer.layer(node, layer, weight=weight, bias=bias)


def _scaled(array: np.ndarray, factor: float) -> np.ndarray:
    """The array itself, or times a number, rounded once."""
    return array if factor == 1.0 else (array.astype(np.float64) * factor).astype(array.dtype)


def _product(writer: Writer, node: Node) -> torch.fx.Node:
    """α A B of two values."""
    turned = (
        writer.call(torch.t, writer.value(name)) if node.attribute(which, 0) else writer.value(name)
        for name, which in zip(node.inputs, ("transA", "transB"), strict=False)
    )
    return _times(writer, writer.call(torch.matmul, *turned), real(node, "alpha", 1.0))


def _plus(writer: Writer, node: Node, product: torch.fx.Node) -> torch.fx.Node:
    """… + β C, of whatever shape."""
    if not writer.input(node, 2):
        return product
    added = _times(writer, writer.value(node.inputs[2]), real(node, "beta", 1.0))
    return writer.call(torch.add, product, added)


def _times(writer: Writer, value: torch.fx.Node, factor: float) -> torch.fx.Node:
    return value if factor == 1.0 else writer.call(torch.mul, value, factor)


@writes("MatMul")
def matmul(writer: Writer, node: Node) -> Any:
    """y = A B: a Linear where B is a constant matrix, with the bias that an Add behind it brings."""
    weight = writer.constants.get(node.inputs[1])
    if weight is None or weight.ndim != 2 or not floating(weight):
        return writer.call(torch.matmul, *(writer.value(name) for name in node.inputs))
    add, bias = _bias_behind(writer, node.outputs[0], weight.shape[1])
    if add is None:
        return _linear(writer, node, weight.T, None)
    made = _linear(writer, replace(node, inputs=(*node.inputs, bias)), weight.T, writer.constants[bias].reshape(-1))
    writer.values[add.outputs[0]] = made
    return made


def _bias_behind(writer: Writer, name: str, width: int) -> tuple[Node | None, str]:
    """The Add of a number for each column that alone reads a value, and the name of its numbers."""
    readers = writer.readers(name)
    if len(readers) != 1 or readers[0].op_type != "Add" or writer.is_output(name):
        return None, ""
    bias = next((one for one in readers[0].inputs if one != name), "")
    constant, axes = writer.constants.get(bias), writer.known(name)
    if constant is None or constant.shape[-1:] != (width,) or constant.size != width:
        return None, ""
    return (readers[0], bias) if constant.ndim <= len(axes or (1,)) else (None, "")


@writes("Conv")
def convolution(writer: Writer, node: Node) -> Any:
    """y = b + w ⋆ x, of any padding."""
    weight, bias = writer.constant(node, 1), writer.constant(node, 2)
    assert weight is not None
    where = windows(writer, node, weight.shape[2:])
    groups = node.attribute("group", 1)
    own = before(where.pads) if even(where.pads) else 0
    layer = getattr(torch.nn, f"Conv{weight.ndim - 2}d")(
        weight.shape[1] * groups, len(weight), where.kernel, padding=own, bias=bias is not None, **_how(where, groups)
    )
    source = None if even(where.pads) else padded(writer, writer.value(node.inputs[0]), where.pads)
    return writer.layer(node, layer, source, weight=weight, bias=bias)


def _how(where: Windows, groups: int) -> dict[str, Any]:
    return {
        "stride": tuple(where.strides),
        "dilation": tuple(where.dilations),
        "groups": groups,
        "device": "meta",
    }


@writes("ConvTranspose")
def transposed_convolution(writer: Writer, node: Node) -> Any:
    """y = b + wᵀ x; what is cropped unevenly is cut off behind it."""
    weight, bias = writer.constant(node, 1), writer.constant(node, 2)
    assert weight is not None
    axes, groups = weight.ndim - 2, node.attribute("group", 1)
    where = windows(writer, replace(node, attributes=_without_padding(node)), weight.shape[2:])
    more = tuple(node.attribute("output_padding", (0,) * axes))
    cut = _cut(writer, node, where, more)
    own = before(cut) if even(cut) else 0
    if any(one >= max(sides) for one, *sides in zip(more, where.strides, where.dilations, strict=True)):
        raise writer.refusal(node, f"has an output_padding of {more}")
    ends = weight.shape[0], weight.shape[1] * groups
    layer = getattr(torch.nn, f"ConvTranspose{axes}d")(
        *ends, where.kernel, padding=own, output_padding=more, bias=bias is not None, **_how(where, groups)
    )
    made = writer.layer(node, layer, weight=weight, bias=bias)
    return made if even(cut) else padded(writer, made, [(-first, -last) for first, last in cut])


def _without_padding(node: Node) -> dict[str, Any]:
    return {key: value for key, value in node.attributes.items() if key not in ("auto_pad", "pads")}


def _cut(writer: Writer, node: Node, where: Windows, more: tuple[int, ...]) -> Pads:
    """What is cut off at each side of the full output."""
    image = writer.axes(node.inputs[0])[2:]
    if "output_shape" in node.attributes and None in image:
        raise writer.refusal(node, "has an output_shape and an image of a free size")
    sizes = tuple(size or 1 for size in image)
    full = [
        stride * (size - 1) + extra + span
        for size, stride, span, extra in zip(sizes, where.strides, where.spans, more, strict=True)
    ]
    cut = transposed_pads(node, full, sizes, where.strides)
    if any(min(sides) < 0 for sides in cut):
        raise writer.refusal(node, "gives more than its windows reach")
    return cut


@writes("Gather")
def gather(writer: Writer, node: Node) -> Any:
    """y = x[i] along an axis: an Embedding where rows of a constant table are looked up."""
    axis, table = node.attribute("axis", 0), writer.constants.get(node.inputs[0])
    places = writer.constants.get(node.inputs[1])
    if table is not None and table.ndim == 2 and axis in (0, -2) and floating(table):
        layer = torch.nn.Embedding(*table.shape, device="meta")
        return writer.layer(node, layer, writer.value(node.inputs[1]), weight=table)
    axis %= len(writer.axes(node.inputs[0]))
    if places is not None and places.ndim == 0:
        return writer.call(torch.select, writer.value(node.inputs[0]), axis, int(places))
    cut = (*(slice(None),) * axis, writer.value(node.inputs[1]))
    return writer.call(operator.getitem, writer.value(node.inputs[0]), cut)
