"""Put reduced stretches into the graph: what is cheaper is written, what is not stays as it was, and says why."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common

from unbend.affine import Affine, Identity
from unbend.affine.border import is_only_ones
from unbend.collapse.find.stretches import Stretch
from unbend.collapse.reduce.reduce import Edge, EndScale, Pinned, Reduction
from unbend.collapse.reduce.steps import Price, total, written
from unbend.collapse.reduce.target import Target
from unbend.collapse.write.parts import Part, confirmed, parts_of, together
from unbend.collapse.write.saving import COLLAPSED
from unbend.collapse.write.spelling import shortened
from unbend.collapse.write.write import Writer, stored
from unbend.network import Network, Node
from unbend.network.external import load_external


@dataclass(frozen=True, eq=False)
class Plan:
    """What is to become of one stretch: its reduced form, what both cost, and why it is kept if it is.

    The edges are what is written: each new step is a node with the numbers that are stored of it, rounded to its type;
    `offsets`, rounded too, are added where several edges meet. The bound of a stretch is computed of these numbers.
    `scales` are left at the ends of its edges; `pieces` tell the same of each of the stretches that it joins.
    A `tempting` one left out a form that saves much and stores more numbers, a `numerous` one any that only for its
    numbers was refused. `left` are the nodes that its form has of the file's own, `parts` its connected ones.
    """

    stretch: Stretch
    edges: tuple[Edge, ...]
    offsets: Mapping[str, np.ndarray]
    before: Price
    after: Price
    rules: tuple[str, ...]
    kept: str = ""
    scales: tuple[EndScale, ...] = ()
    pieces: tuple[Plan, ...] = ()
    tempting: bool = False
    left: frozenset[Node] = frozenset()
    numerous: bool = False
    parts: Sequence[Part] = ()

    @property
    def collapses(self) -> bool:
        """Whether the stretch is rewritten."""
        return not self.kept


def plan(network: Network, stretch: Stretch, untouched: Collection[Node] = ()) -> Plan:
    """Reduce the stretch and decide whether its new form is worth writing; those in `untouched` stay as they are."""
    return settled(network, drafted(network, stretch, untouched))


def drafted(network: Network, stretch: Stretch, untouched: Collection[Node] = (), known: Sequence[Part] = ()) -> Plan:
    """The plan by its price alone: nobody has tried yet whether its form computes the same; see `settled`.

    Parts of the stretch that are `known` are not reduced again.
    """
    before = _price_before(network, stretch)
    try:
        parts = parts_of(
            network, stretch, untouched, known, lambda one: _price_after(network, one.stretch, one.graph, one.edges)
        )
    except Pinned as reason:
        return Plan(stretch, (), {}, before, before, (), str(reason))
    graph, edges = together(parts), [edge for part in parts for edge in part.edges]
    scales = tuple(end for part in parts for end in part.scales)
    after = _price_after(network, stretch, graph, edges)
    rules = tuple(rule for part in parts for rule in part.rules) + tuple(graph.rules)
    kept = _reason(stretch, before, after, rules if edges else (), graph.target)
    tempting = bool(graph.target.tempting)
    if kept:
        numerous = tempting or any(_is_numerous(new, old) for new, old in graph.target.dearer)
        return Plan(stretch, (), {}, before, after, rules, kept, scales, (), tempting, frozenset(), numerous, parts)
    after = _price_after(network, stretch, graph, shortened(edges))
    return Plan(stretch, (), {}, before, after, rules, "", scales, (), tempting, parts=parts)


def settled(network: Network, draft: Plan) -> Plan:
    """The plan with what is written, if that was found to compute the same; else it is kept, and says so."""
    if not draft.collapses:
        return draft
    found = [confirmed(network, part) for part in draft.parts]
    kept = next((one for one in found if isinstance(one, str)), "")
    parts = [one for one in found if isinstance(one, Part)] if not kept else list(draft.parts)
    graph, edges = together(parts), () if kept else tuple(edge for part in parts for edge in part.edges)
    return replace(
        draft,
        edges=edges,
        offsets=_offsets(network, graph, edges),
        kept=kept,
        pieces=tuple(_piece(network, one, graph, edges, kept) for one in draft.stretch.pieces),
        left=_left(graph, edges),
        parts=() if kept else tuple(parts),
    )


def _offsets(network: Network, graph: Reduction, edges: Sequence[Edge]) -> dict[str, np.ndarray]:
    """What is added where several of the edges meet, as it is stored."""
    types = {edge.target: network.dtype(edge.target) for edge in edges}
    return {name: stored(graph.offsets[name], dtype) for name, dtype in types.items()}


def _piece(network: Network, stretch: Stretch, graph: Reduction, edges: Sequence[Edge], kept: str) -> Plan:
    """What becomes of one of the stretches that a plan joins."""
    made = {name for node in stretch.nodes for name in node.outputs}
    own = tuple(edge for edge in edges if edge.target in made)
    graph = replace(graph, closed=graph.closed & set(stretch.nodes))
    after = _price_after(network, stretch, graph, own)
    rules = tuple(rule for edge in own for step in edge.steps for rule in step.rules)
    return Plan(
        stretch,
        own,
        _offsets(network, graph, own),
        _price_before(network, stretch),
        after,
        rules,
        kept,
        left=_left(graph, edges) & frozenset(stretch.nodes),
    )


def _left(graph: Reduction, edges: Sequence[Edge]) -> frozenset[Node]:
    """The nodes that stay as they are."""
    return frozenset(step.node for edge in edges for step in edge.steps if step.node is not None) | graph.closed


def _reason(stretch: Stretch, before: Price, after: Price, rules: tuple[str, ...], target: Target) -> str:
    """Why a stretch stays as it is; empty if it does not."""
    if rules and after < before and target.accepts(after, before):
        return ""
    if len(stretch.nodes) == 1:
        return f"it is one {stretch.nodes[0].op_type} already"
    if target.tempting:
        least = min(target.tempting)
        form = f"a form of {least.macs} multiplications stores {least.parameters} numbers"
        return f"{form}, more than it may without --allow-growth"
    if rules and not after.no_dearer(before):
        return f"its collapsed form would {_more(after, before)}"
    if target.dearer:
        return f"what composes in it would {_more(*min(target.dearer))}"
    if rules:
        return "it is in its cheapest form already"
    return "no two of its maps have a product or a sum of a simpler form"


def _is_numerous(new: Price, old: Price) -> bool:
    return new.macs <= old.macs and new.nodes <= old.nodes


def _more(new: Price, old: Price) -> str:
    """What one price has more of than another."""
    if new.macs > old.macs:
        return f"take {new.macs} multiplications instead of {old.macs}"
    if new.parameters > old.parameters:
        return f"store {new.parameters} numbers instead of {old.parameters}"
    return f"be {new.nodes} nodes instead of {old.nodes}"


def _price_before(network: Network, stretch: Stretch) -> Price:
    """The stretch's own price; a constant that stays whatever becomes of it counts nothing."""
    stored = network.stored(*stretch.nodes, without=stretch.shared)
    return Price(_macs(stretch, stretch.nodes), stored, len(stretch.nodes))


def _macs(stretch: Stretch, nodes: Collection[Node]) -> int:
    """The multiplications of some of the stretch's nodes."""
    pairs = zip(stretch.nodes, stretch.locals, strict=True)
    found = (one for node, outputs in pairs if node in nodes for one in outputs)
    return sum(linear.cost.macs for one in found for linear in one.maps.values())


def _price_after(network: Network, stretch: Stretch, graph: Reduction, edges: Sequence[Edge]) -> Price:
    price = sum((_price(edge) for edge in edges), Price())
    targets = {edge.target for edge in edges}
    sums = len(edges) - len(targets)
    shifts = [written(Affine(Identity(()), graph.offsets[one])) for one in targets if graph.offsets[one].any()]
    stored = network.stored(*_left(graph, edges), without=stretch.shared)
    closed = Price(_macs(stretch, graph.closed), stored, len(graph.closed))
    renamed = len([value for value in targets & public_names(network) if not _is_new(graph, edges, value)])
    return sum(shifts, price + closed + Price(0, 0, sums + renamed))


def _price(edge: Edge) -> Price:
    """The price of an edge, but for the numbers of the file's own nodes.

    What does not depend on its source is done once for all rows, and is no node of a row.
    """
    stored = sum(step.stored for step in edge.steps if step.node is not None)
    price = total(edge.steps)
    price = replace(price, parameters=price.parameters - stored)
    return replace(price, nodes=0) if is_only_ones(edge.steps[0].affine) else price


def public_names(network: Network) -> set[str]:
    """Values whose names must stay: the network's outputs, and what subgraphs read."""
    return {port.name for port in network.outputs} | network.captured


def _is_new(graph: Reduction, edges: Sequence[Edge], value: str) -> bool:
    """Whether a node of the reduced graph makes the value; otherwise it is another value, passed on."""
    made = [edge for edge in edges if edge.target == value]
    return len(made) > 1 or bool(graph.offsets[value].any()) or total(made[0].steps).nodes > 0


def rewrite(network: Network, plans: Sequence[Plan], piece: ir.Model | None = None) -> ir.Model:
    """A copy of the network's graph with the stretches of `plans` written anew; or of a piece of it that holds them.

    Raises
    ------
    Overflow
        A merged number does not fit into its type.
    """
    model = (network.model if piece is None else piece).clone()
    model.metadata_props[COLLAPSED] = "true"
    writer = Writer(network, model, network.batch is None)
    public = public_names(network).union(value.name or "" for value in model.graph.outputs)
    public |= {name for one in plans for name in one.stretch.given}
    for one in plans:
        _write(writer, one, public)
    model.graph.extend(writer.nodes)
    for each in (common.TopologicalSortPass(), common.RemoveUnusedNodesPass()):
        each(model)
    return model


def untouched(given: Callable[[], ir.Model], name: str, path: str | None) -> ir.Model:
    """The model that was given, with all its numbers in memory, and the mark of one that unbend looked at."""
    model = given()
    load_external(model, name, path)
    model.metadata_props[COLLAPSED] = "true"
    return model


def _write(writer: Writer, one: Plan, public: Collection[str]) -> None:
    for target in dict.fromkeys(edge.target for edge in one.edges):
        dtype = writer.network.dtype(target)
        parts = [_edge(writer, edge, target, dtype) for edge in one.edges if edge.target == target]
        value = parts[0]
        for part in parts[1:]:
            value = writer.node("Add", [value, part], target, dtype)
        value = writer.affine(Affine(Identity(()), one.offsets[target]), value, target, dtype)
        writer.finish(target, value, target in public)


def _edge(writer: Writer, edge: Edge, stem: str, dtype: np.dtype) -> ir.Value:
    value = writer.values[edge.source]
    for step in edge.steps:
        value = writer.step(step, value, stem, dtype)
    return value
