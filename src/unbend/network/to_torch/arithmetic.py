"""Functions of each element, of two, and of as many as there are."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import onnx_ir as ir
import torch

from unbend.network.graph import Node, is_float
from unbend.network.to_torch import writes
from unbend.network.to_torch.writer import Writer

ONE: dict[str, Callable[..., Any]] = {
    "Neg": torch.neg,
    "Abs": torch.abs,
    "Reciprocal": torch.reciprocal,
    "Sqrt": torch.sqrt,
    "Exp": torch.exp,
    "Log": torch.log,
    "Erf": torch.erf,
    "Sign": torch.sign,
    "Floor": torch.floor,
    "Ceil": torch.ceil,
    "Round": torch.round,
    "Sin": torch.sin,
    "Cos": torch.cos,
    "Tan": torch.tan,
    "Asin": torch.asin,
    "Acos": torch.acos,
    "Atan": torch.atan,
    "Sinh": torch.sinh,
    "Cosh": torch.cosh,
    "Asinh": torch.asinh,
    "Acosh": torch.acosh,
    "Atanh": torch.atanh,
    "Not": torch.logical_not,
    "IsNaN": torch.isnan,
}
TWO: dict[str, Callable[..., Any]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mul": operator.mul,
    "Equal": operator.eq,
    "Less": operator.lt,
    "LessOrEqual": operator.le,
    "Greater": operator.gt,
    "GreaterOrEqual": operator.ge,
}
TRUTH: dict[str, Callable[..., Any]] = {"And": torch.logical_and, "Or": torch.logical_or, "Xor": torch.logical_xor}
MANY: dict[str, Callable[..., Any]] = {"Sum": operator.add, "Max": torch.maximum, "Min": torch.minimum}


@writes(*ONE)
def of_one(writer: Writer, node: Node) -> Any:
    """A function of each element."""
    return writer.call(ONE[node.op_type], writer.value(node.inputs[0]))


@writes(*TWO)
def of_two(writer: Writer, node: Node) -> Any:
    """A function of two elements, which are spread along each other's axes."""
    return writer.call(TWO[node.op_type], writer.operand(node, 0), writer.operand(node, 1))


@writes(*TRUTH)
def of_truth_values(writer: Writer, node: Node) -> Any:
    """A function of two truth values."""
    return writer.call(TRUTH[node.op_type], *map(writer.value, node.inputs))


@writes(*MANY)
def of_many(writer: Writer, node: Node) -> Any:
    """A sum, or the largest or smallest, of any number of values."""
    values = [writer.value(name) for name in node.inputs]
    return reduce(lambda left, right: writer.call(MANY[node.op_type], left, right), values)


@writes("Mean")
def mean(writer: Writer, node: Node) -> Any:
    """The mean of any number of values."""
    total = reduce(lambda left, right: writer.call(operator.add, left, right), map(writer.value, node.inputs))
    return writer.call(operator.truediv, total, len(node.inputs))


@writes("Div")
def division(writer: Writer, node: Node) -> Any:
    """y = a / b; of whole numbers rounded towards zero."""
    a, b = writer.operand(node, 0), writer.operand(node, 1)
    if not _whole(writer, node):
        return writer.call(operator.truediv, a, b)
    return writer.call(torch.div, *map(writer.value, node.inputs), rounding_mode="trunc")


def _whole(writer: Writer, node: Node) -> bool:
    """Whether the node computes with whole numbers."""
    dtype = writer.type_of(node.inputs[0]) or writer.type_of(node.inputs[1])
    return dtype is not None and dtype.kind in "iu"


@writes("Mod")
def remainder(writer: Writer, node: Node) -> Any:
    """y = a mod b, with the sign of b, or of a where the node says so."""
    function = torch.fmod if node.attribute("fmod", 0) else torch.remainder
    return writer.call(function, *map(writer.value, node.inputs))


@writes("Pow")
def power(writer: Writer, node: Node) -> Any:
    """y = aᵇ, of the type of a."""
    made = writer.call(operator.pow, writer.operand(node, 0), writer.operand(node, 1))
    base, exponent = (writer.type_of(name) for name in node.inputs)
    if base is None or exponent is None or base == exponent:
        return made
    if node.inputs[1] in writer.constants and is_float(base) and writer.constants[node.inputs[1]].size == 1:
        return made
    return writer.method("to", made, writer.dtype(base))


@writes("Where")
def where(writer: Writer, node: Node) -> Any:
    """y = a where the condition holds, else b."""
    condition = writer.value(node.inputs[0])
    return writer.call(torch.where, condition, writer.value(node.inputs[1]), writer.value(node.inputs[2]))


@writes("Cast")
def cast(writer: Writer, node: Node) -> Any:
    """x in another type."""
    return writer.method("to", writer.value(node.inputs[0]), writer.dtype(ir.DataType(node.attribute("to")).numpy()))


@writes("CastLike")
def cast_like(writer: Writer, node: Node) -> Any:
    """x in the type of another value."""
    return writer.method("type_as", writer.value(node.inputs[0]), writer.value(node.inputs[1]))


@writes("Identity")
def identity(writer: Writer, node: Node) -> Any:
    """x as it is."""
    return writer.value(node.inputs[0])


@writes("Dropout")
def dropout(writer: Writer, node: Node) -> Any:
    """x as it is; that all of it was kept."""
    mode, value = writer.constant(node, 2), writer.value(node.inputs[0])
    if mode is not None and np.any(mode):
        raise writer.refusal(node, "is in training mode")
    return [value, writer.call(torch.ones_like, value, dtype=torch.bool)] if any(node.outputs[1:]) else value


@writes("Einsum")
def einsum(writer: Writer, node: Node) -> Any:
    """Sums of products, by the letters of their axes."""
    return writer.call(torch.einsum, node.attribute("equation"), *map(writer.value, node.inputs))
