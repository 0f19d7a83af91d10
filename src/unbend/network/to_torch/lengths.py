"""Whole numbers that count: shapes, and what is computed from them, as plain numbers in the graph and not as tensors.

They are arrays of Python's numbers, and of torch.fx nodes where a length is free, so that a Reshape reads
`torch.reshape(x, (x.size(0), 5, 8))`. What an exporter computed from lengths that are known is a constant.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.fx

from unbend.network.graph import Node
from unbend.network.reference import run_node

if TYPE_CHECKING:
    from unbend.network.to_torch.writer import Writer

Number = int | torch.fx.Node

MOVES = {"Concat": None, "Where": (1, 2)}
MOVES |= dict.fromkeys(("Gather", "Slice", "Squeeze", "Unsqueeze", "Reshape", "Identity", "Cast", "Expand"), (0,))
"""Ops that only move numbers, and the inputs that they move (None: all); the others say where to."""

ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mul": operator.mul,
    "Div": operator.floordiv,
    "Equal": operator.eq,
}
COUNTS = {"Shape", "Size", *MOVES, *ARITHMETIC}


def counted(writer: Writer, node: Node) -> bool:
    """Write a node that gives lengths, if it is one; whether it was."""
    made = _made(writer, node) if node.op_type in COUNTS else None
    if made is None:
        return False
    if all(not isinstance(one, torch.fx.Node) for one in made.ravel()):
        dtype = bool if node.op_type == "Equal" else np.int64
        writer.constants[node.outputs[0]] = np.array(made.tolist(), dtype=dtype)
    else:
        writer.lengths[node.outputs[0]] = made
    return True


def _made(writer: Writer, node: Node) -> np.ndarray | None:
    """An array of numbers and torch.fx nodes; None where the node does not give lengths."""
    if node.op_type == "Shape":
        start, end = node.attribute("start", 0), node.attribute("end", None)
        return _objects(_sizes(writer, node.inputs[0])[start:end])
    if node.op_type == "Size":
        total: Any = 1
        for size in _sizes(writer, node.inputs[0]):
            total = _calculated(writer, "Mul", total, size)
        return _objects(total)
    if not any(name in writer.lengths for name in node.inputs):
        return None
    return _moved(writer, node) if node.op_type in MOVES else _arithmetic(writer, node)


def _sizes(writer: Writer, name: str) -> list[Number]:
    return [size_of(writer, name, i) for i in range(len(writer.axes(name)))]


def size_of(writer: Writer, name: str, axis: int) -> Number:
    """The length of an axis of a value."""
    known = writer.axes(name)[axis]
    return _length(writer, writer.value(name), axis % len(writer.axes(name))) if known is None else known


def _length(writer: Writer, value: torch.fx.Node, axis: int) -> Number:
    """The same of a tensor: that of what it was turned or reshaped from, where it can be told without the tensor."""
    if value.target is torch.permute:
        source, order = value.args
        return _length(writer, source, order[axis])  # type: ignore[arg-type, index]
    if value.target is torch.reshape and value.args[1][axis] != -1:  # type: ignore[index]
        return value.args[1][axis]  # type: ignore[index, return-value]
    for node in value.users:
        if node.op == "call_method" and node.target == "size" and node.args[1] == axis:
            return node
    return writer.method("size", value, axis)


def _objects(numbers: Any) -> np.ndarray:
    """An array of numbers and nodes, which NumPy does not look into."""
    if not isinstance(numbers, list):
        found = np.empty((), dtype=object)
        found[()] = numbers
        return found
    found = np.empty(len(numbers), dtype=object)
    found[:] = numbers
    return found


def _moved(writer: Writer, node: Node) -> np.ndarray | None:
    """What an op that moves numbers makes of lengths: it is run on their places, and read by them."""
    moves = MOVES[node.op_type]
    pool: list[Any] = []
    given: list[np.ndarray | None] = []
    for i, name in enumerate(node.inputs):
        carried = moves is None or i in moves
        array = writer.lengths.get(name, writer.constants.get(name)) if carried else writer.constants.get(name)
        if name and array is None:
            return None
        if carried and array is not None:
            given.append(np.arange(len(pool), len(pool) + array.size).reshape(array.shape))
            pool += array.ravel().tolist()
        else:
            given.append(array)
    made = run_node(node.source, given) if node.source is not None else None
    if made is None or made[0].dtype.kind != "i":  # a Cast to real numbers
        return None
    found = np.empty(made[0].shape, dtype=object)
    for place, one in np.ndenumerate(made[0]):
        found[place] = pool[int(one)]
    return found


def _arithmetic(writer: Writer, node: Node) -> np.ndarray | None:
    given = [writer.lengths.get(name, writer.constants.get(name)) for name in node.inputs]
    if any(array is None for array in given):
        return None
    left, right = np.broadcast_arrays(*(np.asarray(array, dtype=object) for array in given))
    found = np.empty(left.shape, dtype=object)
    for place in np.ndindex(left.shape):
        one = _calculated(writer, node.op_type, left[place], right[place])
        if one is None:
            return None
        found[place] = one
    return found


def _calculated(writer: Writer, op: str, left: Any, right: Any) -> Any:
    """One number of two; None where that is no length."""
    symbolic = [one for one in (left, right) if isinstance(one, torch.fx.Node)]
    if op == "Equal" and symbolic:
        below = any(not isinstance(one, torch.fx.Node) and one < 0 for one in (left, right))
        return False if below and not any(map(_may_be_negative, symbolic)) else None
    if op == "Div" and (right == 0 or any(map(_may_be_negative, (left, right)))):
        return None  # ONNX rounds towards zero, Python down
    if not symbolic:
        return ARITHMETIC[op](left, right)
    if op == "Mul" and 1 in (left, right):
        return symbolic[0]
    return writer.call(ARITHMETIC[op], left, right)


def _may_be_negative(number: Any) -> bool:
    if not isinstance(number, torch.fx.Node):
        return number < 0
    return (
        number.target is operator.sub or any(map(_may_be_negative, number.args))
        if number.op != "call_method"
        else False
    )
