"""A walk through the nodes that make a value, at one row: what each is near it, and its derivative by each input."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from unbend.errors import ModelError
from unbend.network import Network, Node, input_shape
from unbend.network.evaluate import as_rows, locals_at, node_values
from unbend.network.local import Local, Unsupported

MAX_INPUTS = 4096
MAX_NUMBERS = 1 << 26
"""A walk forward carries one copy of every value for each input: no more inputs, and no more numbers in one such set of
copies (512 MiB), than this."""


@dataclass(frozen=True, eq=False)
class Visit:
    """A node on the way: what it is near the row, the values so far (1, *shape), their tangents (inputs, *shape)."""

    node: Node
    locals: tuple[Local, ...]
    constants: Mapping[str, np.ndarray]
    values: dict[str, np.ndarray]
    tangents: dict[str, np.ndarray]


class Forward:
    """The nodes before the value `output` at the row `x` (inputs,), one after the other; then its value and tangent."""

    def __init__(self, network: Network, x: np.ndarray, output: str) -> None:
        self.network, self.output = network, output
        self.nodes = upstream(network, output)
        self.values = {network.input.name: as_rows(network, x[None])}
        self.tangents = {network.input.name: np.eye(x.size).reshape(x.size, *input_shape(network))}

    def __iter__(self) -> Iterator[Visit]:
        """Each node, before it is applied; ModelError where one has no tangent."""
        last = {name: node for node in self.nodes for name in node.inputs}
        for node in self.nodes:
            found = locals_of(self.network, node, self.values)
            yield Visit(node, found, self.network.constants, self.values, self.tangents)
            self._apply(node, found)
            for name in node.inputs:
                if last[name] is node and name != self.output:
                    self.tangents.pop(name, None)

    def _apply(self, node: Node, found: tuple[Local, ...]) -> None:
        outputs = zip(node.outputs, node_values(self.network, node, self.values), found, strict=False)
        for name, value, one in outputs:
            self.values[name] = value
            terms = [linear.apply(self.tangents[node.inputs[position]]) for position, linear in one.maps.items()]
            inputs = self.values[self.network.input.name].size
            self.tangents[name] = sum(terms[1:], start=terms[0]) if terms else np.zeros((inputs, *value.shape[1:]))


def upstream(network: Network, value: str) -> tuple[Node, ...]:
    """The nodes that `value` is made from, in order."""
    needed, nodes = {value}, []
    for node in reversed(network.nodes):
        if needed.intersection(node.outputs):
            nodes.append(node)
            needed.update(node.inputs)
    return tuple(reversed(nodes))


def locals_of(network: Network, node: Node, values: Mapping[str, np.ndarray]) -> tuple[Local, ...]:
    """What the node is near the values.

    Raises
    ------
    ModelError
        Its op is not in the table, or has no tangent there.
    """
    try:
        return locals_at(network, node, values)
    except Unsupported as reason:
        raise ModelError(
            f"{network.name} has no local regression: {reason}",
            where=f"at node {node.label} ({node.op_type})",
            try_="leave this op out of the exported network, or ask for a value before it",
        ) from reason


def small_enough(network: Network, inputs: int, output: str) -> bool:
    """Whether a walk forward fits into memory."""
    sizes = [math.prod(network.shapes.get(name, ())) for node in upstream(network, output) for name in node.outputs]
    return inputs <= MAX_INPUTS and inputs * max([inputs, *sizes]) <= MAX_NUMBERS
