"""Numbers that several nodes read: they are gone only where none of them reads them any more.

A stretch alone cannot save what others share with it, so it counts such numbers for nothing. Here it is seen what all
stretches make of them together: those that were kept for their numbers are planned once more as if theirs were nobody
else's, and take that if the network then stores no more than before. Equal merged weights are stored once: two towers
of the same layers stay two of one layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from unbend.affine import Affine, Convolution, Dense, Diagonal, Transposed
from unbend.affine.numbers import numbers as made
from unbend.collapse.reduce.steps import Price, for_channels, parts
from unbend.collapse.write.rewrite import Plan, plan
from unbend.network import Network, Node

STAYS = "another stretch that shares its numbers stays as it is, so that they would be stored beside the merged ones"


def staying(network: Network, plans: Sequence[Plan]) -> set[Node]:
    """The nodes that stay as they are with these plans."""
    return set(network.nodes) - {node for one in plans for node in _gone(one)}


def _gone(one: Plan) -> set[Node]:
    """The nodes that the plan, or those of its pieces that collapse, writes anew."""
    if not one.collapses:
        return set()
    if one.pieces:
        return {node for piece in one.pieces for node in _gone(piece)}
    return set(one.stretch.nodes) - one.left


def numbers(network: Network, plans: Sequence[Plan]) -> int:
    """How many numbers the network stores with these plans, equal ones that are new counted twice."""
    new = sum(_new(network, one) for one in plans if one.collapses)
    return new + network.stored(*staying(network, plans))


def _new(network: Network, one: Plan) -> int:
    return one.after.parameters - network.stored(*one.left, without=one.stretch.shared)


def together(network: Network, plans: Sequence[Plan]) -> list[Plan]:
    """The plans, those among them that share numbers as they are cheapest together."""
    found = list(plans)
    for group in _groups(found):
        inside = {node for one in group for node in one.stretch.nodes}
        stay = frozenset(name for node in staying(network, found) - inside for name in node.inputs)
        if all(one.stretch.shared <= stay for one in group):
            continue
        tried = {one: plan(network, replace(one.stretch, shared=one.stretch.shared & stay)) for one in group}
        before, after = (_price(network, some, stay) for some in (group, list(tried.values())))
        if after < before and after.no_dearer(before):
            found = [tried.get(one, one) for one in found]
    return found


def _groups(plans: Sequence[Plan]) -> list[list[Plan]]:
    """Plans that were kept for the numbers of their new forms, together where they share constants."""
    groups: list[tuple[set[str], list[Plan]]] = []
    for one in plans:
        if one.collapses or not one.numerous or not one.stretch.shared:
            continue
        names, members = set(one.stretch.shared), [one]
        for group in [group for group in groups if not names.isdisjoint(group[0])]:
            groups.remove(group)
            names, members = names | group[0], [*group[1], *members]
        groups.append((names, members))
    return [members for _, members in groups]


def _price(network: Network, plans: Sequence[Plan], stay: frozenset[str]) -> Price:
    """What some stretches cost together, beside the constants that stay for others."""
    price = sum((one.after if one.collapses else one.before for one in plans), Price())
    left = {node for one in plans for node in one.stretch.nodes} - {node for one in plans for node in _gone(one)}
    new = sum(_new(network, one) for one in plans if one.collapses) - _twice(plans)
    return replace(price, parameters=new + network.stored(*left, without=stay))


def _twice(plans: Sequence[Plan]) -> int:
    """How many of the new numbers of some plans are the same as others, so that they are stored once."""
    seen: dict[tuple[int, ...], list[np.ndarray]] = {}
    count = 0
    for array in (array for one in plans if one.collapses for array in _arrays(one)):
        alike = seen.setdefault(array.shape, [])
        if any(np.array_equal(array, other) for other in alike):
            count += array.size
        else:
            alike.append(array)
    return count


def _arrays(one: Plan) -> Iterator[np.ndarray]:
    """The new numbers of a plan, array by array."""
    steps = (step for edge in one.edges for step in edge.steps if step.node is None)
    for part in (part for step in steps for part in parts(step.affine)):
        yield from _of_part(part)


def _of_part(part: Affine) -> Iterator[np.ndarray]:
    linear = part.linear.of if isinstance(part.linear, Transposed) else part.linear
    if isinstance(linear, (Dense, Convolution)):
        yield made(linear.stored)
    elif isinstance(linear, Diagonal):
        yield linear.scale
    if part.offset.any() and for_channels(part.offset):
        yield part.offset


def unfounded(network: Network, plans: Sequence[Plan]) -> list[Plan]:
    """The plans that count on numbers being gone which another stretch, kept after all, still reads."""
    stay = staying(network, plans)
    return [one for one in plans if one.collapses and _counts_on(network, one, stay)]


def _counts_on(network: Network, one: Plan, stay: set[Node]) -> bool:
    names = {name for node in _gone(one) for name in node.inputs if name in network.constants} - one.stretch.shared
    own = set(one.stretch.nodes)
    return any(node in stay and node not in own for name in names for node in network.readers[name])
