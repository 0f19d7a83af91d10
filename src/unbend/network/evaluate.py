"""The network in float64, node by node, through the op table: the truth that other runs are compared with.

A node that the table does not know is run by ONNX's reference evaluator where that can; otherwise the evaluation says
which op is in the way. Rows are evaluated each on its own, as a batch of one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np

from unbend.errors import ModelError
from unbend.network.graph import Network, Node, captured_names
from unbend.network.local import Local, Operand, Random, Unsupported, quiet
from unbend.network.ops import local
from unbend.network.paged import let_go
from unbend.network.reference import run_node
from unbend.network.size import MAX_INDEX, within_memory

Maps = Mapping[Node, tuple[Local, ...]]
"""The maps of nodes that are affine everywhere, where they are known already."""

NONE: Maps = MappingProxyType({})


def as_rows(network: Network, x: np.ndarray) -> np.ndarray:
    """User rows as (rows, *input shape) in float64; the batch axis of the network becomes an axis of length one.

    Raises
    ------
    ModelError
        A row has not as many numbers as the network takes.
    """
    shape = input_shape(network)
    x = np.asarray(x, dtype=np.float64)
    if x.size != len(x) * int(np.prod(shape)):
        fixed = f"; it takes {network.batch} rows at once" if network.batch not in (None, 1) else ""
        raise ModelError(
            f"a row has {x.size // max(len(x), 1)} numbers, and {network.name} takes {int(np.prod(shape))}{fixed}",
            where=str(network.input),
            try_="export the network with a free batch axis" if fixed else "pass rows of that shape",
        )
    return x.reshape(len(x), *shape)


def input_shape(network: Network) -> tuple[int, ...]:
    """The shape of the only input for one row."""
    return input_shapes(network)[network.input.name]


def input_shapes(network: Network) -> dict[str, tuple[int, ...]]:
    """The shape of each input for one row.

    Raises
    ------
    ModelError
        That of one is not known.
    """
    for port in network.inputs:
        if port.name not in network.shapes:
            which = f"the input {port.name}" if len(network.inputs) > 1 else "the input"
            raise ModelError(
                f"the shape of {which} of {network.name} is not known",
                where=str(port),
                try_="export it with a fixed number of columns",
            )
    return {port.name: network.shapes[port.name] for port in network.inputs}


def operands_of(network: Network, node: Node, values: Mapping[str, np.ndarray] | None = None) -> list[Operand | None]:
    """The node's inputs; with `values`, variable ones carry their rows.

    Raises
    ------
    Unsupported
        A shape is not known, or a value that the node reads or writes is too large for a map.
    """
    for name in (*node.inputs, *node.outputs):
        if network.variable(name) and (size := math.prod(network.shapes.get(name, ()))) > MAX_INDEX:
            raise Unsupported(f"{name} has {size:.3g} numbers for one row, too many for a map of them")
    return [
        network.operand(name, None if values is None else values.get(name)) if name else None for name in node.inputs
    ]


def structure(network: Network, node: Node) -> tuple[Local, ...]:
    """The maps of a node that is affine everywhere; needs no values."""
    return local(node, operands_of(network, node))


def locals_at(network: Network, node: Node, values: Mapping[str, np.ndarray]) -> tuple[Local, ...]:
    """What the node is near the given values of its inputs."""
    return local(node, operands_of(network, node, values))


def evaluate(
    network: Network,
    x: np.ndarray | Mapping[str, np.ndarray],
    wanted: Iterable[str] | None = None,
    maps: Maps = NONE,
) -> dict[str, np.ndarray]:
    """Values of the network for the rows `x` (rows, *input shape), or those of each input by name; (rows, *shape) each.

    `wanted` names the values to keep (by default the outputs); others are dropped once they are no longer read. Nodes
    of which the `maps` are known are not asked again.
    """
    keep = set(wanted) if wanted is not None else {port.name for port in network.outputs}
    with within_memory(network.name):
        return _evaluate(network, x, keep, maps)


def _evaluate(
    network: Network, x: np.ndarray | Mapping[str, np.ndarray], keep: set[str], maps: Maps
) -> dict[str, np.ndarray]:
    if isinstance(x, Mapping):
        values = {name: np.asarray(rows, dtype=np.float64) for name, rows in x.items()}
    else:
        values = {network.input.name: as_rows(network, x)}
    count = len(next(iter(values.values())))
    last = {name: node for node in network.nodes for name in node.inputs}
    for node in network.nodes:
        values |= dict(zip(node.outputs, node_values(network, node, values, maps), strict=False))
        for name in node.inputs:
            if name in values and last[name] is node and name not in keep:
                del values[name]
        let_go(network.bytes_read(node))
    for name in keep & network.constants.keys():
        values[name] = np.repeat(np.asarray(network.constants[name], dtype=np.float64)[None], count, axis=0)
    return {name: values[name] for name in keep if name in values}


def node_values(network: Network, node: Node, values: Mapping[str, np.ndarray], maps: Maps = NONE) -> list[np.ndarray]:
    """The node's outputs for the rows in `values`."""
    try:
        with quiet():
            answers = maps[node] if node in maps else locals_at(network, node, values)
            return [_value(network, node, one, values) for one in answers]
    except Random:
        raise
    except Unsupported as reason:
        return _by_reference(network, node, values, reason)
    except ValueError as error:
        raise Unsupported(f"{node.label}: what it reads has not the shape that was inferred") from error


def _value(network: Network, node: Node, one: Local, values: Mapping[str, np.ndarray]) -> np.ndarray:
    if one.value is not None:
        return one.value
    terms = [linear.apply(values[node.inputs[position]]) for position, linear in one.maps.items()]
    total = sum(terms[1:], start=terms[0])
    return total + one.offset if one.offset is not None else total


def _by_reference(
    network: Network, node: Node, values: Mapping[str, np.ndarray], reason: Unsupported
) -> list[np.ndarray]:
    """The node run row by row by ONNX's reference evaluator."""
    if captured_names(node) or not any(name in values for name in node.inputs):
        raise Unsupported(f"{node.label}: {reason}")
    rows = len(next(values[name] for name in node.inputs if name in values))
    found = [_reference_row(network, node, values, row) for row in range(rows)]
    if any(outputs is None for outputs in found):
        raise Unsupported(f"{node.label}: {reason}")
    return [np.stack(column) for column in zip(*(outputs for outputs in found if outputs is not None), strict=True)]


def _reference_row(network: Network, node: Node, values: Mapping[str, np.ndarray], row: int) -> list[np.ndarray] | None:
    def one(name: str) -> np.ndarray | None:
        if not name:
            return None
        if name in network.constants:
            constant = network.constants[name]
            return constant.astype(np.float64) if constant.dtype.kind == "f" else constant
        dtype = network.types.get(name)
        array = values[name][row]
        return array if dtype is None or dtype.kind == "f" else array.astype(dtype)

    outputs = run_node(node.source, [one(name) for name in node.inputs]) if node.source is not None else None
    return None if outputs is None else [np.asarray(output, dtype=np.float64) for output in outputs]
