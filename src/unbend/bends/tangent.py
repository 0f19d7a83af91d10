"""The affine map that a network is near one row: pushed forward from the input through every node's local map.

For a network of piecewise-linear bends it is exact on the piece around the row: f(x) = W x + b until a unit switches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from unbend.errors import ModelError
from unbend.network import Network, Node, input_shape
from unbend.network.evaluate import as_rows, locals_at, node_values
from unbend.network.local import Local, Unsupported

MAX_INPUTS = 4096
"""Forward tangents carry one copy of every value for each input; networks of images take the backward way."""


@dataclass(frozen=True, eq=False)
class Tangent:
    """A network near one row.

    `weight` (outputs, inputs) and `offset` (outputs,): the output is weight x + offset at the row, and on the piece
    around it where `exact`. `value` is the output at the row.
    """

    weight: np.ndarray
    offset: np.ndarray
    value: np.ndarray
    exact: bool


@dataclass(frozen=True, eq=False)
class Visit:
    """A node on the way: what it is near the row, all values so far and their tangents (inputs, *shape)."""

    node: Node
    locals: tuple[Local, ...]
    constants: Mapping[str, np.ndarray]
    values: dict[str, np.ndarray]
    tangents: dict[str, np.ndarray]


def walk(network: Network, x: np.ndarray) -> Iterator[Visit]:
    """Every node at the row `x` (inputs,), with the derivative of what it reads by each input.

    Raises
    ------
    ModelError
        A node has no tangent: its op is not in the table.
    """
    values = {network.input.name: as_rows(network, x[None])}
    basis = np.eye(x.size).reshape(x.size, *input_shape(network))
    tangents = {network.input.name: basis}
    for node in network.nodes:
        found = _locals(network, node, values)
        yield Visit(node, found, network.constants, values, tangents)
        for name, value, one in zip(node.outputs, node_values(network, node, values), found, strict=False):
            values[name] = value
            terms = [linear.apply(tangents[node.inputs[position]]) for position, linear in one.maps.items()]
            tangents[name] = sum(terms[1:], start=terms[0]) if terms else np.zeros((x.size, *value.shape[1:]))


def _locals(network: Network, node: Node, values: dict[str, np.ndarray]) -> tuple[Local, ...]:
    try:
        return locals_at(network, node, values)
    except Unsupported as reason:
        raise ModelError(
            f"{network.name} has no local regression: {reason}",
            where=f"at node {node.label} ({node.op_type})",
            try_="leave this op out of the exported network, or ask for a value before it",
        ) from reason


def tangent(network: Network, x: np.ndarray, output: str) -> Tangent:
    """The affine map near the row `x` (inputs,) of the value called `output`."""
    if x.size > MAX_INPUTS:
        return _backward(network, x, output)
    values: dict[str, np.ndarray] = {}
    tangents: dict[str, np.ndarray] = {}
    exact = True
    for visit in walk(network, x):
        values, tangents = visit.values, visit.tangents
        if output in values:
            break
        exact = exact and network.reach(visit.node) != "point"
    weight = tangents[output].reshape(x.size, -1).T
    return _with_offset(weight, values[output].reshape(-1), x, exact)


def _with_offset(weight: np.ndarray, value: np.ndarray, x: np.ndarray, exact: bool) -> Tangent:
    return Tangent(weight, value - weight @ x.reshape(-1), value, exact)


def _backward(network: Network, x: np.ndarray, output: str) -> Tangent:
    """The same from the output back: one copy of every value for each output."""
    values = {network.input.name: as_rows(network, x[None])}
    visited: list[tuple[Node, tuple[Local, ...]]] = []
    for node in network.nodes:
        visited.append((node, _locals(network, node, values)))
        values |= dict(zip(node.outputs, node_values(network, node, values), strict=False))
        if output in values:
            break
    value = values[output].reshape(-1)
    gradients = {output: np.eye(value.size).reshape(value.size, *values[output].shape[1:])}
    for node, found in reversed(visited):
        for name, one in zip(node.outputs, found, strict=False):
            back = gradients.pop(name, None)
            if back is None:
                continue
            for position, linear in one.maps.items():
                source = node.inputs[position]
                gradients[source] = gradients.get(source, 0.0) + linear.transpose(back)
    weight = gradients[network.input.name].reshape(value.size, -1)
    exact = all(network.reach(node) != "point" for node, _ in visited)
    return _with_offset(weight, value, x, exact)
