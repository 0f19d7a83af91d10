"""Series–parallel reduction of a stretch: from a graph of single maps to few edges, each a chain of steps.

Every value of the stretch is a vertex: Σ edge(source) + offset. Three exact moves are made until none helps:
series (a value read once, made by one edge, disappears into a longer chain), parallel (two edges between the same
values become one map if their sum has a form and is no dearer), and push (a value read several times is given up where
carrying its map into each reader costs less). What is left is written by its cheapest factoring.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

import ml_dtypes
import numpy as np

from unbend.affine import Affine, Diagonal, Identity, Selection, Shape, shrink
from unbend.collapse.find.alike import alike, at
from unbend.collapse.find.stretches import Stretch, inverse
from unbend.collapse.reduce.factor import cheapest, product
from unbend.collapse.reduce.order import arranged, at_back, at_front
from unbend.collapse.reduce.passing import mixes
from unbend.collapse.reduce.steps import Price, Step, pieces, total
from unbend.collapse.reduce.target import Target, settled, writable
from unbend.network import Network, Node
from unbend.network.graph import is_float
from unbend.network.local import Local


@dataclass(frozen=True, eq=False)
class Edge:
    """A chain of steps from one value to another."""

    source: str
    target: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, eq=False)
class EndScale:
    """A scale of each element of `value` that an edge begins with, or ends with (`after`)."""

    value: str
    scale: np.ndarray
    after: bool


def end_scales(edge: Edge, target: Target) -> list[EndScale]:
    """The scales that the edge can begin and end with, and without which it would have fewer nodes."""
    found = []
    front, back = at_front(edge.steps), at_back(edge.steps)
    if front is not None and _is_shorter(front[1:], edge, target):
        found.append(EndScale(edge.source, _scale_of(front[0]), after=False))
    if back is not None and _is_shorter(back[:-1], edge, target):
        found.append(EndScale(edge.target, _scale_of(back[-1]), after=True))
    return found


def _is_shorter(rest: tuple[Step, ...], edge: Edge, target: Target) -> bool:
    return total(cheapest(rest, target)).nodes < total(edge.steps).nodes


def _scale_of(step: Step) -> np.ndarray:
    assert isinstance(step.affine.linear, Diagonal)
    return step.affine.linear.scale[0]


@dataclass
class Reduction:
    """The graph of a stretch while it is reduced.

    `fixed` are values that must keep their place (they are read outside, or by a `closed` node); `closed` are nodes
    that stay as they are; `target` says what is written for. A `public` value keeps its name too, so that what only
    hands another value on to it is a node.
    """

    edges: list[Edge]
    offsets: dict[str, np.ndarray]
    shapes: dict[str, Shape]
    fixed: set[str]
    target: Target
    closed: set[Node] = field(default_factory=set)
    public: frozenset[str] = frozenset()
    rules: list[str] = field(default_factory=list)
    prices: dict[Edge, Price] = field(default_factory=dict)
    refused: set[tuple[Edge, ...]] = field(default_factory=set)
    known: tuple[dict[str, list[Edge]], dict[str, list[Edge]]] | None = None

    def into(self, value: str) -> list[Edge]:
        """The edges that make a value."""
        return self._ends[0].get(value, [])

    def out(self, value: str) -> list[Edge]:
        """The edges that read a value."""
        return self._ends[1].get(value, [])

    @property
    def _ends(self) -> tuple[dict[str, list[Edge]], dict[str, list[Edge]]]:
        """The edges by the value that they make, and by the value that they read; made anew when edges change."""
        if self.known is None:
            into: dict[str, list[Edge]] = {}
            out: dict[str, list[Edge]] = {}
            for edge in self.edges:
                into.setdefault(edge.target, []).append(edge)
                out.setdefault(edge.source, []).append(edge)
            self.known = into, out
        return self.known

    def put(self, edges: list[Edge]) -> None:
        """Let these be the edges."""
        self.edges, self.known = edges, None

    def swap(self, old: Sequence[Edge], new: Sequence[Edge]) -> None:
        """Replace edges by others, where the first of them stood."""
        gone = set(old)
        at = next(i for i, edge in enumerate(self.edges) if edge in gone)
        kept = [edge for edge in self.edges[at:] if edge not in gone]
        self.put([*self.edges[:at], *new, *kept])

    def forget(self) -> None:
        """Give up the edges and what was found of them on the way."""
        self.put([])
        self.prices.clear()
        self.refused.clear()

    def best(self, edge: Edge) -> Price:
        """The price of an edge's cheapest factoring."""
        if edge not in self.prices:
            found = total(cheapest(edge.steps, self.target))
            named = edge.target in self.public and not found.nodes
            self.prices[edge] = replace(found, nodes=1) if named else found
        return self.prices[edge]

    @property
    def price(self) -> Price:
        """The price of all edges as they stand."""
        return sum((total(edge.steps) for edge in self.edges), Price(0, 0, len(self.edges)))

    @property
    def inner(self) -> list[str]:
        """Values that may disappear."""
        return [value for value in dict.fromkeys(edge.target for edge in self.edges) if value not in self.fixed]


def reduced(network: Network, stretch: Stretch, kept: Collection[Node] = ()) -> Reduction:
    """The stretch, reduced; the nodes in `kept` stay as they are.

    A node with several inputs or outputs (Concat, Split) is taken apart into its branches. Where a branch is left that
    cannot be written alone, the node stays as it is, and the reduction is made again with the values around it fixed.
    """
    closed = set(kept)
    while True:
        graph = reduce(reduction(network, stretch, closed))
        steps = (step for edge in graph.edges for step in edge.steps if step.node is None)
        left = {node for step in steps if not _is_written(step, graph.target) for node in step.part_of}
        if not left:
            return graph
        closed |= left


def _is_written(step: Step, target: Target) -> bool:
    """Whether the step can be, or each node that it is written as."""
    return writable(step.affine, target) or all(writable(piece.affine, target) for piece in pieces(step))


def reduction(network: Network, stretch: Stretch, closed: Collection[Node] = ()) -> Reduction:
    """The stretch's own graph, one edge for each variable input of each node; `closed` nodes stay as they are."""
    target = Target(network.batch is None, _unit(network, stretch), stretch.growth, bool(network.elsewhere))
    public = network.captured.union(port.name for port in network.outputs).intersection(stretch.outputs)
    shapes = {name: network.shapes[name] for name in stretch.sources}
    graph = Reduction([], {}, shapes, set(stretch.outputs), target, public=public)
    for node, outputs in zip(stretch.nodes, stretch.locals, strict=True):
        for name, one in zip(node.outputs, outputs, strict=False):
            graph.shapes[name] = next(iter(one.maps.values())).out_shape
        read = [name for name in node.outputs if name in network.readers or name in stretch.outputs]
        if node in closed or not _one_type(network, node, read):
            graph.closed.add(node)
            graph.fixed |= {*node.inputs, *node.outputs}
        else:
            for name, one in zip(node.outputs, outputs, strict=False):
                if name in read:
                    _open(graph, network, node, name, one, stretch.shared)
    _turn(graph, stretch)
    return graph


class Pinned(Exception):
    """A node that stays as it is makes or reads a value that is to be held in other units."""


def _turn(graph: Reduction, stretch: Stretch) -> None:
    """Let the edges start from the units that sources are held in, and end in those of the outputs.

    Raises
    ------
    Pinned
        They cannot.
    """
    needed = {name for node in graph.closed for name in (*node.inputs, *node.outputs)}
    if bound := needed.intersection([*stretch.inward, *stretch.outward]):
        raise Pinned(f"a node that stays as it is needs {min(bound)} as it was")
    back = {**stretch.inward, **{name: inverse(turn) for name, turn in stretch.outward.items()}}
    edges = []
    for edge in graph.edges:
        before = [Step(back[edge.source])] if edge.source in back else []
        after = _ending(graph, stretch, edge.target)
        edges.append(replace(edge, steps=(*before, *edge.steps, *after)) if before or after else edge)
    for name, turn in stretch.outward.items():
        graph.offsets[name] = turn.linear.image(graph.offsets[name]) + turn.offset
    graph.put(edges)
    for name in stretch.outward:
        _absorb_offset(graph, name)


def _ending(graph: Reduction, stretch: Stretch, target: str) -> list[Step]:
    """The scale that ends each of the edges into `target`."""
    turn = stretch.outward.get(target)
    if turn is None or isinstance(turn.linear, Identity):
        return []
    return [Step(Affine(turn.linear, _zero(graph.shapes[target])))]


def _unit(network: Network, stretch: Stretch) -> float:
    """The unit in the last place of the stretch's numbers, the coarsest of its outputs'."""
    types = {network.dtype(name) for name in stretch.outputs}
    return max((float(ml_dtypes.finfo(dtype).eps) for dtype in types if is_float(dtype)), default=0.0)


def _one_type(network: Network, node: Node, made: Sequence[str]) -> bool:
    """Whether all that varies around the node is of one float type; a Cast stays where it is."""
    names = (*made, *(name for name in node.inputs if network.variable(name)))
    types = {network.dtype(name) for name in names if name}
    return len(types) == 1 and is_float(types.pop())


def _open(graph: Reduction, network: Network, node: Node, name: str, one: Local, shared: frozenset[str]) -> None:
    """Put the edges that make one output of the node into the graph.

    A node with a single variable input and a single output is a step by itself, with its offset; the mask of a Dropout
    that nobody reads is none. The numbers of `shared` constants are stored anyway.
    """
    offset = _zero(graph.shapes[name]) if one.offset is None else one.offset
    if len(one.maps) == 1 and (len(node.outputs) == 1 or node.op_type == "Dropout"):
        ((position, linear),) = one.maps.items()
        axes = frozenset() if offset.any() else alike(network, node, linear)
        step = Step(Affine(linear, offset), node, (), network.stored(node, without=shared), position)
        step = replace(step, alike=axes, at=at(network, node, position)) if axes else step
        graph.edges.append(Edge(node.inputs[position], name, (step,)))
        graph.offsets[name] = _zero(graph.shapes[name])
        return
    for position, linear in one.maps.items():
        branch = Step(Affine(linear, _zero(linear.out_shape)), part_of=frozenset({node}))
        graph.edges.append(Edge(node.inputs[position], name, (branch,)))
    graph.offsets[name] = offset


def _zero(shape: Shape) -> np.ndarray:
    return np.zeros((1,) * len(shape))


def reduce(graph: Reduction) -> Reduction:
    """Make moves, and write each edge in its cheapest factoring, until neither helps."""
    before = None
    while before is None or graph.price < before:
        before = graph.price
        while (
            _any_value(graph, _series, _flatten_sum)
            or _parallels(graph)
            or _through_copies(graph)
            or _any_value(graph, _push, _pull)
        ):
            pass
        graph.put([_factored(graph, edge) for edge in graph.edges])
    return graph


def _factored(graph: Reduction, edge: Edge) -> Edge:
    """The edge in its cheapest order and factoring; the edge itself where that is how it stands."""
    steps = arranged(edge.steps, graph.target)
    return edge if steps == edge.steps else replace(edge, steps=steps)


def _any_value(graph: Reduction, *moves: Callable[[Reduction, str], bool]) -> bool:
    """Try some moves at every value; whether one was made. Moves that are cheap to try come before others."""
    moved = [move(graph, value) for value in graph.inner for move in moves]
    return any(moved)


def _absorb_offset(graph: Reduction, value: str) -> None:
    """Give a value's offset to its edge, now that it has only one."""
    edges, offset = graph.into(value), graph.offsets[value]
    if len(edges) == 1 and offset.any():
        shift = Step(Affine(Identity(graph.shapes[value]), offset))
        graph.swap(edges, [replace(edges[0], steps=(*edges[0].steps, shift))])
        graph.offsets[value] = offset * 0


def _join(first: Edge, second: Edge) -> Edge:
    return Edge(first.source, second.target, (*first.steps, *second.steps))


def _series(graph: Reduction, value: str) -> bool:
    made, read = graph.into(value), graph.out(value)
    if len(made) != 1 or len(read) != 1:
        return False
    graph.swap([made[0], read[0]], [_join(made[0], read[0])])
    return True


def _flatten_sum(graph: Reduction, value: str) -> bool:
    """(a + b) + c = a + b + c: a sum that is only read by another sum, as it is, is part of it."""
    made, read = graph.into(value), graph.out(value)
    if len(made) < 2 or len(read) != 1 or not _is_shift(read[0]):
        return False
    target = read[0].target
    graph.swap([*made, read[0]], [replace(edge, target=target) for edge in made])
    shift = sum((step.affine.offset for step in read[0].steps), start=np.zeros(()))
    graph.offsets[target] = graph.offsets[target] + graph.offsets[value] + shift
    return True


def _is_shift(edge: Edge) -> bool:
    return all(isinstance(step.affine.linear, Identity) for step in edge.steps)


def _through_copies(graph: Reduction) -> bool:
    """Let what reads a copy of a value read the value itself, where the copy has to stay; whether anything did."""
    moved = False
    for value in sorted(graph.fixed):
        made, read = graph.into(value), graph.out(value)
        if len(made) == 1 and read and not graph.best(made[0]).nodes:
            graph.swap(read, [_join(made[0], edge) for edge in read])
            moved = True
    return moved


def _push(graph: Reduction, value: str) -> bool:
    """Carry the map that makes `value` into each of its readers, if all of them together become cheaper."""
    made, read = graph.into(value), graph.out(value)
    if len(made) != 1 or len(read) < 2 or (*made, *read) in graph.refused:
        return False
    pushed = [_join(made[0], edge) for edge in read]
    before = sum((graph.best(edge) for edge in (*made, *read)), Price())
    after = sum((graph.best(edge) for edge in pushed), Price())
    is_copy = not total(made[0].steps).nodes and after == before
    if not (is_copy or (after < before and graph.target.accepts(after, before))):
        graph.refused.add((*made, *read))
        return False
    graph.swap([*made, *read], pushed)
    graph.rules.append(f"{value} is no longer kept for its {len(read)} readers")
    return True


def _pull(graph: Reduction, value: str) -> bool:
    """M (a + b) + t = M a + (M b + t): carry the map that reads a sum into each of its branches, if that is cheaper."""
    made, read = graph.into(value), graph.out(value)
    if len(made) < 2 or len(read) != 1 or (*made, *read) in graph.refused or any(map(mixes, read[0].steps)):
        return False
    linear = tuple(step if not step.affine.offset.any() else _without_offset(step) for step in read[0].steps)
    branches = [Edge(edge.source, read[0].target, (*edge.steps, *linear)) for edge in made]
    offset = graph.offsets[value]
    for step in read[0].steps:
        offset = step.affine.linear.image(offset) + step.affine.offset
    options = [_shifted(branches, at, offset) for at in range(len(branches) if offset.any() else 1)]
    prices = [sum((graph.best(edge) for edge in option), Price()) for option in options]
    after, before = min(prices), sum((graph.best(edge) for edge in (*made, *read)), Price())
    if not (after < before and graph.target.accepts(after, before)) and _one_source(made):
        merged = [_sum(graph, option) for option in options]
        prices = [price if one is None else one.price for one, price in zip(merged, prices, strict=True)]
        after = min(prices)
    if not (after < before and graph.target.accepts(after, before)):
        graph.refused.add((*made, *read))
        return False
    graph.swap([*made, *read], options[prices.index(after)])
    graph.rules.append(f"what reads the sum {value} is carried into its {len(made)} branches")
    return True


def _one_source(edges: Sequence[Edge]) -> bool:
    return len({edge.source for edge in edges}) == 1


def _without_offset(step: Step) -> Step:
    return Step(Affine(step.affine.linear, _zero(step.out_shape)), None, step.rules, part_of=step.part_of)


def _shifted(edges: list[Edge], at: int, offset: np.ndarray) -> list[Edge]:
    """The edges, one of them with a shift at its end."""
    shift = Step(Affine(Identity(edges[at].steps[-1].out_shape), shrink(offset)))
    return [replace(edge, steps=(*edge.steps, shift)) if i == at else edge for i, edge in enumerate(edges)]


def _parallels(graph: Reduction) -> bool:
    """Add up the edges between one pair of values, if their sum has a form and is no dearer; at every value."""
    merged = [_merge_into(graph, target) for target in dict.fromkeys(edge.target for edge in graph.edges)]
    return any(merged)


def _merge_into(graph: Reduction, target: str) -> bool:
    groups: dict[str, list[Edge]] = {}
    for edge in graph.into(target):
        groups.setdefault(edge.source, []).append(edge)
    for source, group in groups.items():
        if len(group) > 1 and (merged := _sum(graph, group)) is not None:
            graph.swap(group, [Edge(source, target, (merged,))])
            _absorb_offset(graph, target)
            return True
    return False


def _sum(graph: Reduction, group: list[Edge]) -> Step | None:
    """The branches as one step, if their sum has a form and is no dearer."""
    branches = [product(edge.steps, graph.target) for edge in group]
    added = branches[0].affine
    for other in branches[1:]:
        added = added.plus(other.affine)
    size = [np.abs(branch.affine.offset) for branch in branches]
    added, rules = settled(added, graph.target, lambda: sum(size[1:], start=size[0]))
    rules = (*(rule for branch in branches for rule in branch.rules), *rules, f"sum of {len(group)} branches")
    part_of = frozenset(node for branch in branches for node in branch.part_of)
    step = Step(added, None, rules, part_of=part_of)
    before = sum((graph.best(edge) for edge in group), Price(0, 0, len(group) - 1))
    useful = writable(added, graph.target) or (isinstance(added.linear, Selection) and part_of)
    return step if useful and graph.target.accepts(step.price, before) else None
