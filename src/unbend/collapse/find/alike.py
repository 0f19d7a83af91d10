"""Nodes that do the same to every entry along an axis, however many there are: pools, slices, means over other axes.

Such a node says nothing of the length of that axis, so that it can stand before a product with a matrix along it or
behind, where there are more entries or fewer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from unbend.affine import LinearMap, Shape
from unbend.network import Network, Node
from unbend.network.evaluate import operands_of
from unbend.network.local import Operand
from unbend.network.ops import local

At = Callable[[Shape], LinearMap]
"""A node's map of a tensor of another shape."""


def map_at(network: Network, node: Node, position: int, shape: Shape) -> LinearMap:
    """The map of one input of the node if that had another shape."""
    operands = operands_of(network, node)
    operands[position] = Operand(node.inputs[position], shape)
    return local(node, operands)[0].maps[position]


def at(network: Network, node: Node, position: int) -> At:
    """The same as a function of the shape."""
    return partial(map_at, network, node, position)


def alike(network: Network, node: Node, linear: LinearMap) -> frozenset[int]:
    """Which of the axes 1 (channels) and −1 (features) the node does not speak of."""
    source, target = linear.in_shape, linear.out_shape
    stated = _stated(network, node, len(source)) if node.domain in ("", "ai.onnx") and len(source) > 2 else None
    if stated is None:
        return frozenset()
    channels = 1 not in stated and len(target) > 1 and source[:2] == target[:2]
    features = len(source) - 1 not in stated and source[-1:] == target[-1:]
    return frozenset(({1} if channels else set()) | ({-1} if features else set()))


def _stated(network: Network, node: Node, rank: int) -> set[int] | None:
    """The axes that the node acts along; None if it is another op, or that is not said."""
    if node.op_type in ("AveragePool", "GlobalAveragePool") or _drops_places(network, node):
        return set(range(2, rank))
    if node.op_type == "Squeeze":
        return _axes(network, node, 1, rank)
    if node.op_type == "Gather":
        return {node.attribute("axis", 0) % rank}
    if node.op_type in ("ReduceMean", "ReduceSum"):
        return _axes(network, node, 1, rank)
    if node.op_type == "Slice":
        return _axes(network, node, 3, rank)
    if node.op_type in ("Resize", "Upsample"):
        scales = _scales(network, node)
        return None if scales is None or len(scales) != rank else set(np.flatnonzero(scales != 1).tolist())
    return None


def _drops_places(network: Network, node: Node) -> bool:
    """Whether the node makes (rows, channels) of images of one place, at any lengths, and does not say how many."""
    if node.op_type == "Flatten":
        says = node.attribute("axis", 1) != 1
    elif node.op_type == "Reshape":
        stated = network.constants.get(node.inputs[1])
        says = stated is None or stated.shape != (2,) or int(stated[1]) != -1
    else:
        return False
    source, target = network.shapes[node.inputs[0]], network.shapes[node.outputs[0]]
    return not says and target == source[:2] and network.lasts(node.inputs[0])


def _axes(network: Network, node: Node, position: int, rank: int) -> set[int] | None:
    """The axes that an attribute names, or a constant input."""
    found = node.attribute("axes")
    if found is None and len(node.inputs) > position:
        found = network.constants.get(node.inputs[position])
    return None if found is None else {int(axis) % rank for axis in np.ravel(found)}


def _scales(network: Network, node: Node) -> np.ndarray | None:
    """By how much each axis is stretched: an attribute, or the last input where that says no sizes."""
    *_, last = ("", *node.inputs)
    if "axes" in node.attributes or len(node.inputs) > 3:
        return None
    stated = node.attribute("scales")
    return network.constants.get(last) if stated is None else np.asarray(stated)
