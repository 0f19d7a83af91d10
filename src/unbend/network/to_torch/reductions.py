"""Reductions along axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.linalg

from unbend.network.graph import Node
from unbend.network.to_torch import writes
from unbend.network.to_torch.writer import Writer

DIRECT = {"ReduceSum": torch.sum, "ReduceMean": torch.mean, "ReduceMax": torch.amax, "ReduceMin": torch.amin}
DIRECT |= {"ReduceLogSumExp": torch.logsumexp}


def _axes(writer: Writer, node: Node) -> tuple[int, ...]:
    """The axes that the node reduces: none means all, or nothing if the node says so."""
    stated = writer.constant(node, 1)
    listed = node.attribute("axes", ()) if stated is None else stated.reshape(-1).tolist()
    rank = len(writer.axes(node.inputs[0]))
    nothing = not len(listed) and node.attribute("noop_with_empty_axes", 0)
    return () if nothing else tuple(int(axis) for axis in listed) or tuple(range(rank))


@writes(*DIRECT)
def reduced(writer: Writer, node: Node) -> Any:
    """Σ, the mean, the largest, the smallest, log Σ eˣ."""
    value, over = writer.value(node.inputs[0]), _axes(writer, node)
    if not over:
        return value
    return writer.call(DIRECT[node.op_type], value, over, keepdim=bool(node.attribute("keepdims", 1)))


@writes("ReduceSumSquare", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceProd")
def reduced_of(writer: Writer, node: Node) -> Any:
    """Σ x², Σ |x|, √Σ x², log Σ x, Π x."""
    value, over = writer.value(node.inputs[0]), _axes(writer, node)
    keep = bool(node.attribute("keepdims", 1))
    if not over:
        raise writer.refusal(node, "reduces no axis")
    if node.op_type == "ReduceProd":
        rank = len(writer.axes(node.inputs[0]))
        for axis in sorted((axis % rank for axis in over), reverse=True):
            value = writer.call(torch.prod, value, axis, keepdim=keep)
        return value
    before = {"ReduceSumSquare": torch.square, "ReduceL1": torch.abs, "ReduceL2": torch.square}.get(node.op_type)
    total = writer.call(torch.sum, writer.call(before, value) if before else value, over, keepdim=keep)
    behind = {"ReduceL2": torch.sqrt, "ReduceLogSum": torch.log}.get(node.op_type)
    return writer.call(behind, total) if behind else total


@writes("ArgMax", "ArgMin")
def place(writer: Writer, node: Node) -> Any:
    """Where the largest or the smallest element stands along an axis."""
    if node.attribute("select_last_index", 0):
        raise writer.refusal(node, "takes the last of equal elements")
    function = torch.argmax if node.op_type == "ArgMax" else torch.argmin
    keep = bool(node.attribute("keepdims", 1))
    return writer.call(function, writer.value(node.inputs[0]), node.attribute("axis", 0), keepdim=keep)


@writes("CumSum")
def cumulative_sum(writer: Writer, node: Node) -> Any:
    """y_i = Σ x_j over j ≤ i along an axis, or from the other end."""
    axis = writer.constant(node, 1)
    assert axis is not None
    along = int(np.reshape(axis, ()))
    if node.attribute("exclusive", 0):
        raise writer.refusal(node, "leaves the element itself out")
    value, reverse = writer.value(node.inputs[0]), node.attribute("reverse", 0)
    value = writer.call(torch.flip, value, (along,)) if reverse else value
    made = writer.call(torch.cumsum, value, along)
    return writer.call(torch.flip, made, (along,)) if reverse else made
