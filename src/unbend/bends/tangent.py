"""The affine map that a network is near one row, and how far it holds.

For a network of piecewise-linear bends it is exact on the piece around the row: f(x) = W x + b until a unit switches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unbend.bends.walk import Forward, locals_of, small_enough, upstream
from unbend.bends.walls import Hold
from unbend.network import Network, Node
from unbend.network.evaluate import as_rows, node_values
from unbend.network.local import Local


@dataclass(frozen=True, eq=False)
class Tangent:
    """A network near one row.

    Attributes
    ----------
    weight, offset : (outputs, inputs) and (outputs,): the output is weight x + offset at the row, and on the piece
        around it where the bends are piecewise linear
    value : (outputs,) the output at the row, in float64
    smooth : labels of the nodes that bend everywhere, so that the map is only tangent
    unbounded : labels of the piecewise-linear nodes of which it is not known where they switch
    walls : how many units could switch
    low, high : (inputs,) how far each input, alone, may move before one does (low is negative); None where not known
    """

    weight: np.ndarray
    offset: np.ndarray
    value: np.ndarray
    smooth: tuple[str, ...]
    unbounded: tuple[str, ...]
    walls: int
    low: np.ndarray | None
    high: np.ndarray | None

    @property
    def exact(self) -> bool:
        """Whether it is the network on a piece around the row, not only tangent to it."""
        return not self.smooth


def tangent(network: Network, x: np.ndarray, output: str) -> Tangent:
    """The affine map near the row `x` (inputs,) of the value called `output`.

    Raises
    ------
    ModelError
        A node on the way has no tangent.
    """
    x = np.asarray(x, dtype=np.float64).reshape(-1)
    return _forward(network, x, output) if small_enough(network, x.size, output) else _backward(network, x, output)


def _forward(network: Network, x: np.ndarray, output: str) -> Tangent:
    walk, hold = Forward(network, x, output), Hold(x.size)
    for visit in walk:
        if network.reach(visit.node) == "region":
            hold.see(visit)
    smooth = _smooth(network, walk.nodes)
    weight, value = walk.tangents[output].reshape(x.size, -1).T, walk.values[output].reshape(-1)
    known = not smooth and not hold.unknown
    low, high = (hold.low, hold.high) if known else (None, None)
    return Tangent(weight, value - weight @ x, value, smooth, tuple(hold.unknown), hold.count, low, high)


def _smooth(network: Network, nodes: tuple[Node, ...]) -> tuple[str, ...]:
    return tuple(node.label for node in nodes if network.reach(node) == "point")


def _backward(network: Network, x: np.ndarray, output: str) -> Tangent:
    """The same from the output back, for many inputs: one copy of every value for each output, and no walls."""
    nodes = upstream(network, output)
    values = {network.input.name: as_rows(network, x[None])}
    visited: list[tuple[Node, tuple[Local, ...]]] = []
    for node in nodes:
        visited.append((node, locals_of(network, node, values)))
        values |= dict(zip(node.outputs, node_values(network, node, values), strict=False))
    value = values[output].reshape(-1)
    gradients = {output: np.eye(value.size).reshape(value.size, *values[output].shape[1:])}
    for node, found in reversed(visited):
        _pull_back(node, found, gradients)
    weight = gradients[network.input.name].reshape(value.size, -1)
    bending = tuple(node.label for node in nodes if network.reach(node) == "region")
    return Tangent(weight, value - weight @ x, value, _smooth(network, nodes), bending, 0, None, None)


def _pull_back(node: Node, found: tuple[Local, ...], gradients: dict[str, np.ndarray]) -> None:
    """Replace the gradients by a node's outputs by those by its inputs."""
    for name, one in zip(node.outputs, found, strict=False):
        back = gradients.pop(name, None)
        if back is None:
            continue
        for position, linear in one.maps.items():
            source = node.inputs[position]
            gradients[source] = gradients.get(source, 0.0) + linear.transpose(back)
