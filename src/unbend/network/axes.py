"""The axes of a network's inputs that have no fixed length: which of them count rows, and which are free.

Rows are counted by the first axis of an input, where it is free, and by every axis of the same name: a state that a
recurrent network hands on has its rows second. A first axis whose name stands elsewhere too, as that of the edges of a
graph, does not count rows. Free axes of one name have one length, in whichever inputs they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import onnx_ir as ir

if TYPE_CHECKING:
    from unbend.network.graph import Port

Place = tuple[str, int]
"""The name of an input, and the number of an axis of it."""


@dataclass(frozen=True)
class Axes:
    """`rows` is the axis that counts rows, for each input that has one; `batch` is how many a run takes (None: any).

    `free` are the other free axes, each with the places where it is.
    """

    rows: Mapping[str, int] = field(default_factory=dict)
    batch: int | None = None
    free: Mapping[str, tuple[Place, ...]] = field(default_factory=dict)


def axes_of(inputs: Sequence[Port]) -> Axes:
    """The axes of these inputs."""
    free = [(port.name, i, axis) for port in inputs for i, axis in enumerate(port.shape or ()) if _is_free(axis)]
    rows = dict(_rows(inputs, free))
    others: dict[str, list[Place]] = {}
    for name, i, axis in free:
        if rows.get(name) != i:
            others.setdefault(str(axis or f"axis {i} of {name}"), []).append((name, i))
    return Axes(rows, None if rows else _fixed(inputs), {key: tuple(places) for key, places in others.items()})


def _is_free(axis: int | str | None) -> bool:
    return not isinstance(axis, int)


def _rows(inputs: Sequence[Port], free: Sequence[tuple[str, int, int | str | None]]) -> Iterator[Place]:
    """The axes that count rows."""
    elsewhere = {axis for _, i, axis in free if i > 0 and axis}
    twice = {axis for (_, axis), count in Counter((name, axis) for name, _, axis in free).items() if axis and count > 1}
    counting = next((axis for _, i, axis in free if i == 0 and axis not in twice), "")
    for port in inputs:
        own = [(i, axis) for name, i, axis in free if name == port.name]
        named = [i for i, axis in own if axis and axis == counting]
        if named:
            yield port.name, named[0]
        elif own and own[0][0] == 0:
            if own[0][1] not in elsewhere | twice:
                yield port.name, 0
        elif len(own) == 1 and own[0][1] is None and counting is None:
            yield port.name, own[0][0]


def _fixed(inputs: Sequence[Port]) -> int | None:
    """How many rows a network takes that has no free axis for them: the length of the first input's first axis."""
    shape = next((port.shape for port in inputs if port.shape), None)
    if shape is None:
        return None
    first = shape[0]
    return 1 if len(shape) == 1 else first if isinstance(first, int) else None


def put_in(model: ir.Model, lengths: Mapping[Place, int]) -> None:
    """Give axes of the model's inputs these lengths."""
    for value in model.graph.inputs:
        if value.shape is not None and any(name == value.name for name, _ in lengths):
            axes = [lengths.get((value.name or "", i), axis) for i, axis in enumerate(value.shape)]
            value.shape = ir.Shape(axes)
