"""Values for a network's inputs: those that the user gave, and whole numbers that its nodes can make something of.

An integer that picks rows of a table (Gather) must lie in the table; one that is compared with constants (a sample
rate) should be one of these; else it is a mask or a count, for which one is a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from unbend.errors import ModelError
from unbend.network.graph import Network, Node, Port, is_float

PASSES = frozenset(
    {"Cast", "Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Expand", "Split", "Clip"}
)
"""Ops whose output holds the numbers of their first input."""

PICKS = frozenset({"Gather", "GatherElements", "GatherND"})
SCATTERS = frozenset({"ScatterElements", "ScatterND"})

MOSTLY = -1.0
"""Random normal numbers are mostly above this: a mask leaves most in."""

FARTHEST = 20
"""So many nodes are followed from an input."""


@dataclass(frozen=True)
class Whole:
    """What whole numbers an input may hold: those below `below`, or `one_of` these; neither for a mask or a count."""

    below: int | None = None
    one_of: tuple[float, ...] = ()


def with_examples(network: Network, example: Any) -> Network:
    """The network with the user's examples: an array for its only input, or arrays in order or by names of inputs.

    Raises
    ------
    ModelError
        An example fits no input.
    """
    if example is None:
        return network
    given = _by_name(network, example)
    ports = {port.name: port for port in network.inputs}
    for name in given:
        if name not in ports:
            raise ModelError(
                f"{network.name} has no input {name!r}", where="its inputs are\n" + "\n".join(map(str, network.inputs))
            )
    rows = {name: _rows(network, ports[name], array) for name, array in given.items()}
    _check_lengths(network, rows)
    return replace(network, examples=rows)


def _by_name(network: Network, example: Any) -> Mapping[str, Any]:
    if isinstance(example, Mapping):
        return example
    names = [port.name for port in network.inputs]
    if isinstance(example, (tuple, list)) and 1 < len(names) == len(example):
        return dict(zip(names, example, strict=True))
    return {network.input.name: example}


def numbers(example: Any, name: str) -> np.ndarray:
    """The example as an array.

    Raises
    ------
    ModelError
        It is none: numbers are missing in it, or it is several arrays.
    """
    try:
        array = np.asarray(example)
    except (ValueError, TypeError, RuntimeError) as error:
        raise _no_array(name, str(error)) from error
    if array.dtype.kind not in "fiub":
        raise _no_array(name, f"it is made of {array.dtype}")
    return array


def _no_array(name: str, why: str) -> ModelError:
    return ModelError(
        f"the example for {name} is no array of numbers",
        where=why,
        try_="pass an array or a tensor for each input, in a tuple or by the names of inputs, and no tuple in a tuple",
    )


def _rows(network: Network, port: Port, example: Any) -> np.ndarray:
    """An example as (rows, *shape for one row), in the type of the input."""
    array = numbers(example, network.name)
    shape = port.shape if port.shape is not None else array.shape
    fits = array.ndim == len(shape) and all(a == b for a, b in zip(array.shape, shape, strict=True) if _fixed(b))
    if not fits or not array.size:
        what = f"the example for the input {port.name} of {network.name} does not fit"
        raise ModelError(what, where=f"it is {array.dtype} of shape {array.shape}; the input is {port}")
    if array.dtype.kind == "f" and np.isnan(array).any():
        count, where = int(np.isnan(array).sum()), tuple(map(int, np.argwhere(np.isnan(array))[0]))
        raise ModelError(
            f"the example for the input {port.name} of {network.name} holds NaN, no number",
            where=f"{count} of its {array.size} values, the first at {where}",
            try_="pass an example of numbers, or none: random inputs are tried anyway",
        )
    array = array.astype(port.dtype or array.dtype)
    axis = network.axes.rows.get(port.name)
    return array[None] if axis is None else np.expand_dims(np.moveaxis(array, axis, 0), 1 + axis)


def _fixed(axis: int | str | None) -> bool:
    return isinstance(axis, int)


def _check_lengths(network: Network, rows: Mapping[str, np.ndarray]) -> None:
    """Axes of one name have one length."""
    for name, places in network.axes.free.items():
        lengths = {value: rows[value].shape[1 + axis] for value, axis in places if value in rows}
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"{length} in {value}" for value, length in lengths.items())
            raise ModelError(f"the examples for {network.name} do not fit each other: {name} is {said}")


def whole_numbers(network: Network) -> dict[str, Whole]:
    """What each input of whole numbers, or of truth values, may hold."""
    names = (port.name for port in network.inputs if port.dtype is not None and not is_float(port.dtype))
    return {name: _whole(network, name) for name in names}


def _whole(network: Network, name: str) -> Whole:
    below: list[int] = []
    compared: list[np.ndarray] = []
    for node, value in _readers(network, name):
        if node.op_type in PICKS | SCATTERS and len(node.inputs) > 1 and node.inputs[1] == value:
            below.append(_length(network, node))
        elif node.op_type == "Equal":
            compared += [network.constants[other] for other in node.inputs if other in network.constants]
    numbers = {float(number) for constant in compared if constant.dtype.kind in "iuf" for number in constant.flat}
    return Whole(min(below, default=None), () if below else tuple(sorted(numbers - {0.0, 1.0})))


def _length(network: Network, node: Node) -> int:
    """How long the axis is from which a node picks; 1 where that is not known."""
    table = network.constants.get(node.inputs[0])
    shape = table.shape if table is not None else network.shapes.get(node.inputs[0], ())
    axis = node.attribute("axis", 0)
    return max(shape[axis], 1) if shape and -len(shape) <= axis < len(shape) else 1


def _readers(network: Network, name: str) -> Iterator[tuple[Node, str]]:
    """The nodes that read the numbers of an input, as they are, and the value by which they do."""
    waiting, seen = [name], {name}
    while waiting and len(seen) <= FARTHEST:
        value = waiting.pop(0)
        for node in network.readers.get(value, ()):
            yield node, value
            if node.op_type in PASSES or (node.op_type in PICKS and node.inputs[0] == value):
                new = [output for output in node.outputs if output and output not in seen]
                waiting += new
                seen.update(new)


def drawn(whole: Whole, dtype: np.dtype, normal: np.ndarray) -> np.ndarray:
    """Whole numbers that an input may hold, made from random normal numbers (rows, *shape).

    A mask is mostly ones; a count is one for each row, or a single one.
    """
    if whole.one_of:
        return np.full(normal.shape, max(whole.one_of)).astype(dtype)
    if whole.below is not None:
        spread = np.floor(np.abs(normal) * whole.below / 2) % whole.below
        return spread.astype(dtype)
    return np.ones(normal.shape, dtype) if normal.ndim <= 2 else (normal > MOSTLY).astype(dtype)
