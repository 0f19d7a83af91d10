"""A network whose input has free axes besides the batch, looked at with lengths put in for them.

Its maps are known only then. Whoever changes it for one set of lengths must show that the change holds for every other:
`elsewhere` gives the same network at lengths that are odd and even, unlike along different axes, and larger.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import onnx_ir as ir

from unbend.errors import ModelError
from unbend.network.graph import Network
from unbend.network.read import network_of

LENGTHS = ((96,), (97, 127), (98, 97), (127, 98), (160, 129), (224, 256))
"""Lengths for the free axes in turn. Halved again and again, up or down, all levels meet odd and even ones."""


def at_lengths(network: Network) -> Network:
    """The network at the first of the lengths; as it is, if it has no free axes or cannot be looked at so.

    `model`, `inputs` and `outputs` stay those of the file.
    """
    if not network.free_axes:
        return network
    first, *others = LENGTHS
    found = _at(network, first)
    if found is None or found.input.name not in found.shapes:
        return network
    elsewhere = tuple(_once(partial(_at, network, lengths)) for lengths in others)
    return replace(
        found,
        model=network.model,
        inputs=network.inputs,
        outputs=network.outputs,
        free_axes=network.free_axes,
        path=network.path,
        data=network.data,
        elsewhere=elsewhere,
    )


def _once(make: Callable[[], Network | None]) -> Callable[[], Network | None]:
    return cache(make)


def _at(network: Network, lengths: tuple[int, ...]) -> Network | None:
    """The network with these lengths, or None if it cannot have them."""
    model = network.model.clone()
    port = next(value for value in model.graph.inputs if value.name == network.input.name)
    assert port.shape is not None
    free = [i for i, axis in enumerate(port.shape) if i > 0 and not isinstance(axis, int)]
    put_in = {axis: lengths[i % len(lengths)] for i, axis in enumerate(free)}
    port.shape = ir.Shape([put_in.get(i, axis) for i, axis in enumerate(port.shape)])
    try:
        return network_of(model, network.name)
    except ModelError:
        return None
