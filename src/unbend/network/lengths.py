"""A network whose inputs have free axes besides the batch, looked at with lengths put in for them.

Its maps are known only then. Whoever changes it for one set of lengths must show that the change holds for every other:
`elsewhere` gives the same network at lengths that are odd and even, unlike along different axes, and larger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from weakref import WeakKeyDictionary

from unbend.errors import ModelError
from unbend.network.axes import put_in
from unbend.network.graph import Network
from unbend.network.read import network_of

LENGTHS = ((96,), (97, 127), (98, 97), (127, 98), (160, 129), (224, 256))
"""Lengths for the free axes in turn. Halved again and again, up or down, all levels meet odd and even ones."""
SHORTER = ((24,), (25, 31), (26, 25), (31, 26), (40, 33), (56, 64))
"""The same for networks with more free axes than two, whose values are as large as the product of the lengths."""

_MADE: WeakKeyDictionary[Network, dict[tuple[int, ...], Network | None]] = WeakKeyDictionary()
"""What was made of each network that is still there."""


def at_lengths(network: Network) -> Network:
    """The network at the first of the lengths; as it is, if it has no free axes or cannot be looked at so.

    `model`, `inputs` and `outputs` stay those of the file. The lengths of the user's examples are the first.
    """
    if not network.free_axes:
        return network
    first, *others = LENGTHS if len(network.free_axes) <= 2 else SHORTER
    found = _at(network, first, example_lengths(network))
    if found is None or any(port.name not in found.shapes for port in found.inputs):
        return network
    elsewhere = tuple(_once(partial(_at, network, lengths)) for lengths in others)
    return replace(
        found,
        model=network.model,
        inputs=network.inputs,
        outputs=network.outputs,
        axes=network.axes,
        path=network.path,
        data=network.data,
        given=network.given,
        notes=network.notes,
        elsewhere=elsewhere,
        lasting=network.constants,
        steady=network.shapes,
        examples=network.examples,
    )


def lengths_of(network: Network) -> dict[str, int]:
    """The length at which each free axis of the network is looked at; empty where it is not."""
    return {
        name: network.shapes[value][axis]
        for name, ((value, axis), *_) in network.axes.free.items()
        if value in network.shapes
    }


def _once(make: Callable[[], Network | None]) -> Callable[[], Network | None]:
    return cache(make)


def _at(network: Network, lengths: Sequence[int], given: Mapping[str, int] | None = None) -> Network | None:
    """The network with these lengths in turn, but for those given by name; None if it cannot have them."""
    taken = {name: lengths[i % len(lengths)] for i, name in enumerate(network.free_axes)}
    return with_lengths(network, taken | dict(given or {}))


def with_lengths(network: Network, lengths: Mapping[str, int]) -> Network | None:
    """The network with a length for each of its free axes, or None if it cannot have them. It is made once."""
    made = _MADE.setdefault(network, {})
    key = tuple(lengths[name] for name in network.free_axes)
    if key not in made:
        made[key] = _with_lengths(network, lengths)
    return made[key]


def _with_lengths(network: Network, lengths: Mapping[str, int]) -> Network | None:
    model = network.model.clone()
    put_in(model, {place: lengths[name] for name, places in network.axes.free.items() for place in places})
    try:
        lasting = network.constants if network.lasting is None else network.lasting
        found = network_of(model, network.name, known=lasting)
        return replace(found, examples=network.examples)
    except ModelError:
        return None


def example_lengths(network: Network) -> dict[str, int]:
    """The lengths of free axes in the user's examples."""
    return {
        name: network.examples[value].shape[1 + axis]
        for name, places in network.axes.free.items()
        for value, axis in places
        if value in network.examples
    }
