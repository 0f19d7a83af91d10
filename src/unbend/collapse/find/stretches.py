"""Stretches: the maximal connected pieces of a network with no bend in them.

Inside a stretch each value is Σ map(value) + offset over the values it is made from; the values that come in from
outside are the stretch's sources, those that are read outside are its outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import numpy as np

from unbend.affine import Affine, Convolution, Diagonal, Identity, LinearMap, Mixing
from unbend.network import Network, Node
from unbend.network.evaluate import structure
from unbend.network.graph import is_float
from unbend.network.local import Local, Unsupported
from unbend.network.rows import Rows, as_alone, rows_of

ROUNDING = frozenset({"Div", "Mean", "ReduceMean", "AveragePool", "GlobalAveragePool", "BatchNormalization"})
"""Ops whose result is rounded where their tensors hold whole numbers."""


MIXES = "it moves the rows of a batch, or takes them together"
"""Why a node is kept that is affine for one row only."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """A stretch: its nodes in order with their maps, the values it starts from, and the values read outside it.

    Values at its ends may be held in other units than the file's, s ∘ v + t: `inward` turns such sources back into
    the file's units, `outward` turns such outputs into the new ones. Several stretches that values held so join are one
    `Stretch`; `pieces` are those that it was made of, as they were. With `growth` it may store more
    numbers than it did. The constants in `shared` stay whatever becomes of it, since other nodes read them too.
    Products of two varying values may stand inside it: those that they read from outside are `given`, as if they were
    constants, and the stretch is affine in its sources whatever they are.
    """

    nodes: tuple[Node, ...]
    locals: tuple[tuple[Local, ...], ...]
    sources: tuple[str, ...]
    outputs: tuple[str, ...]
    inward: Mapping[str, Affine] = field(default_factory=dict)
    outward: Mapping[str, Affine] = field(default_factory=dict)
    pieces: tuple[Stretch, ...] = ()
    growth: bool = False
    shared: frozenset[str] = frozenset()
    given: tuple[str, ...] = ()

    @property
    def read(self) -> tuple[str, ...]:
        """All values that it reads from outside."""
        return tuple(dict.fromkeys((*self.sources, *self.given)))

    @property
    def label(self) -> str:
        """How reports name it: from its first node to its last."""
        first, last = self.nodes[0].label, self.nodes[-1].label
        return first if len(self.nodes) == 1 else f"{first} … {last}"


@dataclass(frozen=True)
class Kept:
    """A node that is affine and yet no part of a stretch, with the reason."""

    label: str
    op_type: str
    reason: str


@dataclass(frozen=True, eq=False)
class Stretches:
    """All stretches of a network in order, and the affine nodes that had to stay out of them."""

    stretches: tuple[Stretch, ...]
    kept: tuple[Kept, ...] = ()

    def of(self, node: Node) -> int | None:
        """The number of the stretch that the node belongs to."""
        return next((i for i, stretch in enumerate(self.stretches) if node in stretch.nodes), None)

    @property
    def maps(self) -> dict[Node, tuple[Local, ...]]:
        """The maps of all nodes in stretches."""
        pairs = (zip(one.nodes, one.locals, strict=True) for one in self.stretches)
        return {node: maps for each in pairs for node, maps in each}


def values_of(stretch: Stretch, sources: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every value of the stretch for values of its sources (rows, *shape), in float64, by its nodes' own maps.

    Sources and outputs are in the units that the stretch holds them in, the values between in those of the file.
    """
    values = in_own_units(stretch, sources)
    for node, outputs in zip(stretch.nodes, stretch.locals, strict=True):
        for name, one in zip(node.outputs, outputs, strict=False):
            values[name] = through(node, one, values)
    return values | {name: in_new_units(stretch, name, values) for name in stretch.outward}


def in_own_units(stretch: Stretch, sources: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Values of the stretch's sources in the units of the file."""
    return {name: stretch.inward[name].apply(x) if name in stretch.inward else x for name, x in sources.items()}


def in_new_units(stretch: Stretch, output: str, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """An output of the stretch in the units that it is held in."""
    return stretch.outward[output].apply(values[output]) if output in stretch.outward else values[output]


def through(node: Node, one: Local, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """One output of a node for the values of its inputs."""
    terms = [seen(node, linear, values).apply(values[node.inputs[position]]) for position, linear in one.maps.items()]
    terms += [] if one.offset is None else [one.offset]
    return sum(terms[1:], start=terms[0]) if terms else np.zeros(())


def seen(node: Node, linear: LinearMap, values: Mapping[str, np.ndarray]) -> LinearMap:
    """The map of one input of the node; that of a product by a given value, if that is among `values`."""
    given = node.inputs[1 if isinstance(linear, Mixing) and linear.last else 0]
    return linear.by(values[given]) if isinstance(linear, Mixing) and given in values else linear


def inverse(turn: Affine) -> Affine:
    """The map that undoes a scale and a shift of each element: x = (y − t) / s."""
    if isinstance(turn.linear, Identity):
        return Affine(turn.linear, -turn.offset)
    assert isinstance(turn.linear, Diagonal)
    scale = 1.0 / turn.linear.scale
    return Affine(Diagonal(scale, turn.linear.shape), -turn.offset * scale[0])


@dataclass
class Groups:
    """Union–find over nodes."""

    parent: dict[Node, Node] = field(default_factory=dict)

    def find(self, node: Node) -> Node:
        """The node that stands for the group of this one."""
        while self.parent.setdefault(node, node) is not node:
            self.parent[node] = self.parent[self.parent[node]]
            node = self.parent[node]
        return node

    def join(self, one: Node, other: Node) -> None:
        """Let two nodes be of one group."""
        self.parent[self.find(one)] = self.find(other)


_FOUND: WeakKeyDictionary[Network, Stretches] = WeakKeyDictionary()
"""The stretches of each network that is still there."""


def stretches(network: Network) -> Stretches:
    """The stretches of `network`; they are looked for once."""
    if network not in _FOUND:
        _FOUND[network] = _stretches(network)
    return _FOUND[network]


def _stretches(network: Network) -> Stretches:
    maps: dict[Node, tuple[Local, ...]] = {}
    kept: list[Kept] = []
    rows = rows_of(network)
    for node in network.nodes:
        if network.reach(node) != "everywhere":
            continue
        try:
            maps[node] = _maps(network, node, rows)
        except Unsupported as reason:
            kept.append(Kept(node.label, node.op_type, str(reason)))
    return Stretches(tuple(_stretch(network, group, maps) for group in _connected(network, maps)), tuple(kept))


def _maps(network: Network, node: Node, rows: Rows) -> tuple[Local, ...]:
    if not rows.stay(node) or not as_alone(network, node):
        raise Unsupported(MIXES)
    if defaults := network.overridable.intersection(node.inputs):
        raise Unsupported(f"{min(defaults)} is an initializer that the caller may replace")
    if network.quantised.intersection((*node.inputs, *node.outputs)):
        raise Unsupported("quantised: left alone")
    if node.op_type in ROUNDING and not all(_is_real(network, name) for name in node.outputs):
        raise Unsupported("it computes in whole numbers and rounds")
    numbers = (network.constants[name] for name in node.inputs if name in network.constants)
    if node.op_type != "Clip" and not all(map(_is_finite, numbers)):
        raise Unsupported("it holds a number that is not finite")
    found = structure(network, node)
    if not all(_has_finite_maps(one) for one in found):
        raise Unsupported("it holds a number that is not finite")
    if any(_is_empty(linear) for one in found for linear in one.maps.values()):
        raise Unsupported("its image is smaller than its window")
    return found


def _is_empty(linear: LinearMap) -> bool:
    """Whether a convolution finds no place for its window, or no image."""
    return isinstance(linear, Convolution) and min(*linear.in_shape, *linear.out_shape) < 1


def _has_finite_maps(one: Local) -> bool:
    """Whether its map can be made of numbers: a variance and an ε of 0 make none."""
    scales = (linear.scale for linear in one.maps.values() if isinstance(linear, Diagonal))
    offset = () if one.offset is None else one.offset
    return bool(np.isfinite(offset).all()) and all(bool(np.isfinite(scale).all()) for scale in scales)


def _is_finite(array: np.ndarray) -> bool:
    return not is_float(array.dtype) or bool(np.isfinite(array).all())


def _is_real(network: Network, name: str) -> bool:
    dtype = network.types.get(name)
    return dtype is None or is_float(dtype)


def _connected(network: Network, maps: dict[Node, tuple[Local, ...]]) -> list[list[Node]]:
    groups = Groups()
    for node in maps:
        groups.find(node)
        for name in node.inputs:
            producer = network.producers.get(name)
            if producer in maps:
                groups.join(node, producer)
    members: dict[Node, list[Node]] = {}
    for node in maps:
        members.setdefault(groups.find(node), []).append(node)
    order = {node: i for i, node in enumerate(network.nodes)}
    return sorted(members.values(), key=lambda group: order[group[0]])


def _stretch(network: Network, nodes: list[Node], maps: dict[Node, tuple[Local, ...]]) -> Stretch:
    inside = set(nodes)
    made = {name for node in nodes for name in node.outputs if name}
    graph_outputs = {port.name for port in network.outputs}
    captured = network.captured
    sources = dict.fromkeys(
        name for node in nodes for name in node.inputs if network.variable(name) and name not in made
    )
    outputs = [
        name
        for name in made
        if name in graph_outputs
        or name in captured
        or any(reader not in inside for reader in network.readers.get(name, ()))
    ]
    order = {name: i for i, name in enumerate(n for node in nodes for n in node.outputs)}
    return Stretch(
        tuple(nodes),
        tuple(maps[node] for node in nodes),
        tuple(sources),
        tuple(sorted(outputs, key=order.__getitem__)),
        shared=shared_constants(network, nodes),
    )


def shared_constants(network: Network, nodes: Sequence[Node]) -> frozenset[str]:
    """The constants that some nodes read and others read too."""
    inside = set(nodes)
    names = {name for node in nodes for name in node.inputs if name in network.constants}
    return frozenset(name for name in names if not inside.issuperset(network.readers[name]))
