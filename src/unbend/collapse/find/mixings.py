"""Products of two varying values, seen as maps of one of them while the other is given: attention's P V.

(P V) W = P (V W)        for every P: what acts on each row alone changes places with what mixes rows
P (V + 1 c) = P V + 1 c  where rows of P add up to 1, as those of a softmax do
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from unbend.affine import Convolution, Dense, Diagonal, Identity, LinearMap, Mixing, Selection
from unbend.affine.channels import for_channels
from unbend.affine.left import is_turn
from unbend.collapse.find.stretches import Stretch
from unbend.network import Network, Node
from unbend.network.evaluate import structure
from unbend.network.graph import is_float
from unbend.network.local import Local


@dataclass(frozen=True, eq=False)
class Product:
    """A MatMul of two varying values: the position of the one that it is a map of, and the names around it."""

    node: Node
    position: int

    @property
    def value(self) -> str:
        """The value that it is a map of."""
        return self.node.inputs[self.position]

    @property
    def given(self) -> str:
        """The other one."""
        return self.node.inputs[1 - self.position]

    @property
    def output(self) -> str:
        """What it makes."""
        return self.node.outputs[0]


def products(network: Network) -> Iterator[Product]:
    """The products between values that nobody else reads."""
    for node in network.bends:
        if node.op_type == "MatMul" and node.domain in ("", "ai.onnx") and network.has_shapes(node):
            both = (Product(node, position) for position in (1, 0))
            yield from (one for one in both if _is_between(network, one))


def _is_between(network: Network, one: Product) -> bool:
    """Whether only the product reads its value, which it does not repeat, and all is of one float type."""
    names = (*one.node.inputs, one.output)
    types = {network.dtype(name) for name in names}
    if one.value == one.given or len(types) > 1 or not is_float(types.pop()):
        return False
    value, given, made = (network.shapes[name] for name in (one.value, one.given, one.output))
    whole = len(value) >= 2 and len(given) >= 2 and value[:-2] == made[:-2]
    hidden = {one.value, one.output}.isdisjoint({port.name for port in network.outputs} | network.captured)
    return whole and hidden and network.readers.get(one.value) == (one.node,)


def local_of(network: Network, one: Product) -> Local:
    """The product as a map of its value: random numbers stand in for what is given, means where it makes means."""
    shape, last = network.shapes[one.value], one.position == 0
    rng = np.random.default_rng(0)
    given = rng.standard_normal(network.shapes[one.given]) / np.sqrt(shape[-1 if last else -2])
    if means := adds_up(network, one.given, -2 if last else -1):
        given = as_means(given, -2 if last else -1)
    weights = given.reshape((1,) * (len(shape) - given.ndim) + given.shape)
    return Local.affine({one.position: Mixing(weights, shape, last, means)})


def multiplications(network: Network, one: Product) -> int:
    """How many multiplications the product takes for a row."""
    return local_of(network, one).maps[one.position].cost.macs


def local_in(network: Network, node: Node, known: tuple[Local, ...]) -> tuple[Local, ...]:
    """The maps of a node of a stretch in a network at other lengths, where they are `known` at some."""
    position, linear = next(iter(known[0].maps.items()), (0, None))
    if isinstance(linear, Mixing):
        return (local_of(network, Product(node, position)),)
    return structure(network, node)


def as_means(given: np.ndarray, axis: int) -> np.ndarray:
    """Positive numbers that add up to 1 along an axis, of any others."""
    size = np.abs(given.astype(np.float64)) + np.finfo(np.float32).tiny
    return size / size.sum(axis=axis, keepdims=True)


def as_given(stretch: Stretch, rows: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Rows of values, those that the stretch takes means with as such."""
    found = dict(rows)
    for node, outputs in zip(stretch.nodes, stretch.locals, strict=True):
        for position, linear in outputs[0].maps.items():
            if isinstance(linear, Mixing) and linear.means and (name := node.inputs[1 - position]) in found:
                found[name] = as_means(found[name], -2 if linear.last else -1).astype(found[name].dtype)
    return found


def adds_up(network: Network, name: str, axis: int) -> bool:
    """Whether the value is a softmax along an axis (counted from the end), maybe with its axes exchanged after it."""
    node, rank = network.producers.get(name), len(network.shapes.get(name, ()))
    if node is None or node.domain not in ("", "ai.onnx") or not rank:
        return False
    if node.op_type == "Softmax":
        stated = node.attribute("axis", -1 if node.version >= 13 else 1)
        return (stated - rank if stated >= 0 else stated) == axis and (node.version >= 13 or axis == -1)
    if node.op_type == "Transpose":
        order = node.attribute("perm") or tuple(range(rank))[::-1]
        return adds_up(network, node.inputs[0], order[axis] - rank)
    return False


def in_reach(network: Network, stretch: Stretch, one: Product, *, behind: bool) -> bool:
    """Whether a product with a matrix can come next to this one in the stretch, behind it or before it."""
    locals_ = dict(zip(stretch.nodes, stretch.locals, strict=True))
    value, channels = (one.output if behind else one.value), one.position == 0
    while True:
        around = network.readers.get(value, ()) if behind else (network.producers.get(value),)
        node = around[0] if len(around) == 1 else None
        if node is None or node not in locals_ or len(node.outputs) != 1 or len(locals_[node][0].maps) != 1:
            return False
        position, linear = next(iter(locals_[node][0].maps.items()), (0, None))
        if isinstance(linear, Convolution if channels else Dense):
            return True
        if linear is not None and len(linear.in_shape) == 3 and is_turn(linear):
            channels = not channels
        elif not (isinstance(linear, (Identity, Diagonal)) or is_apart(linear, channels)):
            return False
        value = node.outputs[0] if behind else node.inputs[position]


def is_apart(linear: LinearMap | None, channels: bool) -> bool:
    """Whether the map only moves rows (the last axis) as a whole, or with `channels` does the same to each channel."""
    if not isinstance(linear, Selection):
        return False
    return for_channels(linear, 1) is not None if channels else linear.rows is not None
