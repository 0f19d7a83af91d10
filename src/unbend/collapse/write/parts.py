"""The connected parts of a stretch: no value passes between two of them, so each is reduced and tried by itself.

A stretch as it is found is one part. Stretches that values between them join, held in other units, have as many as
were joined, and a part whose ends stay in their units stays as it was reduced before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from unbend.affine import Selection
from unbend.collapse.find.stretches import Groups, Stretch
from unbend.collapse.reduce.reduce import Edge, EndScale, Reduction, end_scales, reduced
from unbend.collapse.reduce.steps import Price
from unbend.collapse.reduce.target import Target
from unbend.collapse.write.spelling import shortened, spelled
from unbend.collapse.write.trial import tried
from unbend.network import Network, Node
from unbend.network.local import Local


@dataclass(frozen=True, eq=False)
class Part:
    """A connected part of a stretch in its reduced form: its edges, as they are written once it was `tried`."""

    stretch: Stretch
    graph: Reduction
    edges: list[Edge]
    scales: tuple[EndScale, ...]
    tried: bool = False

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that made it."""
        return tuple(rule for edge in self.edges for step in edge.steps for rule in step.rules)

    def fits(self, stretch: Stretch) -> bool:
        """Whether this is what reducing `stretch` would give; a part that gave up its edges is nothing."""
        one = self.stretch
        grows = one.growth == stretch.growth or (stretch.growth and not self.graph.target.tempting)
        same = self.edges and one.nodes == stretch.nodes and one.shared == stretch.shared and grows
        return bool(same) and one.inward == stretch.inward and one.outward == stretch.outward


def parts_of(
    network: Network,
    stretch: Stretch,
    untouched: Collection[Node],
    known: Sequence[Part],
    price: Callable[[Part], Price],
) -> list[Part]:
    """The parts of the stretch, reduced, those in `known` that fit as they are; nodes in `untouched` stay.

    A Concat or Split is taken apart only where that is cheaper: it is one node, and its branches are several.

    Raises
    ------
    Pinned
        One cannot be held in the units that its ends should have.
    """
    return [
        next((part for part in known if part.fits(one)), None) or _cheapest(network, one, untouched, price)
        for one in connected(stretch)
    ]


def _cheapest(network: Network, stretch: Stretch, untouched: Collection[Node], price: Callable[[Part], Price]) -> Part:
    """The part with its joins and splits as they are, or taken apart where that saves multiplications or nodes.

    It must be no dearer by any count; a few biases less are not worth it.
    """
    apart = _reduced(network, stretch, untouched)
    pairs = zip(stretch.nodes, stretch.locals, strict=True)
    joins = {node for node, outputs in pairs if _only_moves(outputs)}
    if not joins:
        return apart
    whole = _reduced(network, stretch, {*untouched, *joins})
    new, old = price(apart), price(whole)
    saves = new.macs < old.macs or new.nodes < old.nodes
    return apart if saves and new.no_dearer(old) else whole


def _only_moves(outputs: Sequence[Local]) -> bool:
    """Whether a node puts several tensors into one, or one into several."""
    maps = [linear for one in outputs for linear in one.maps.values()]
    return len(maps) > 1 and all(isinstance(linear, Selection) for linear in maps)


def _reduced(network: Network, stretch: Stretch, untouched: Collection[Node]) -> Part:
    graph = reduced(network, stretch, untouched)
    order = {name: i for i, name in enumerate(name for node in stretch.nodes for name in node.outputs)}
    edges = sorted(graph.edges, key=lambda edge: order[edge.target])
    scales = tuple(end for edge in edges for end in end_scales(edge, graph.target))
    graph.forget()
    return Part(stretch, graph, spelled(edges, graph.target), scales)


def confirmed(network: Network, part: Part) -> Part | str:
    """The part with its edges as they are written, if it was found to be the same; else what says that it is not.

    The part as it was gives up its edges, so that no more numbers are held than those that will be written.
    """
    if part.tried:
        return part
    rules, edges = {*part.rules, *part.graph.rules}, shortened(part.edges)
    part.edges.clear()
    done, reason = tried(network, part.stretch, part.graph, edges, rules)
    return reason or replace(part, edges=done, tried=True)


def connected(stretch: Stretch) -> Iterator[Stretch]:
    """The connected parts of a stretch."""
    if not stretch.pieces:
        yield stretch
        return
    groups, made = Groups(), {name: node for node in stretch.nodes for name in node.outputs}
    for node, outputs in zip(stretch.nodes, stretch.locals, strict=True):
        groups.find(node)
        for position in {position for one in outputs for position in one.maps}:
            if (producer := made.get(node.inputs[position])) is not None:
                groups.join(node, producer)
    pairs: dict[Node, list[int]] = {}
    for i, node in enumerate(stretch.nodes):
        pairs.setdefault(groups.find(node), []).append(i)
    for members in pairs.values():
        yield _of_nodes(stretch, members)


def _of_nodes(stretch: Stretch, members: Sequence[int]) -> Stretch:
    nodes = tuple(stretch.nodes[i] for i in members)
    read = {name for node in nodes for name in node.inputs}
    made = {name for node in nodes for name in node.outputs}
    return replace(
        stretch,
        nodes=nodes,
        locals=tuple(stretch.locals[i] for i in members),
        sources=tuple(dict.fromkeys(name for name in stretch.sources if name in read)),
        outputs=tuple(name for name in stretch.outputs if name in made),
        inward={name: turn for name, turn in stretch.inward.items() if name in read},
        outward={name: turn for name, turn in stretch.outward.items() if name in made},
        pieces=(),
        shared=stretch.shared & read,
        given=tuple(name for name in stretch.given if name in read),
    )


def together(parts: Sequence[Part]) -> Reduction:
    """What is left of the reductions of some parts, but for their edges, as one."""
    first = parts[0].graph.target
    target = Target(first.batched, max(part.graph.target.unit for part in parts), first.growth, first.free)
    for part in parts:
        target.tempting.extend(part.graph.target.tempting)
        target.dearer.extend(part.graph.target.dearer)
    whole = Reduction([], {}, {}, set(), target)
    for part in parts:
        whole.offsets |= part.graph.offsets
        whole.closed |= part.graph.closed
        whole.rules += part.graph.rules
    return whole
