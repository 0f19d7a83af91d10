"""What a trap is: a small network, and how many products (Conv, Gemm, MatMul …) its cheapest exact form has."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import onnx
import onnx_graphs
from kinds import KINDS, freed, in_type
from onnx_graphs import Graph, a

Build = Callable[[], onnx.ModelProto]


class Trap(NamedTuple):
    """A network, and for each kind how many products are left of it, or in a word why it does not exist in that kind.

    `free` are the axes of the input that are free in the dynamic kind, beside the batch, and `lengths` those that it is
    run at.
    """

    build: Build
    answers: Mapping[str, int | str]
    free: tuple[int, ...]
    lengths: Sequence[tuple[int, ...]]

    def model(self, kind: str) -> onnx.ModelProto:
        """The network in one of the kinds."""
        model = self.build()
        if kind == "dynamic":
            return freed(model, self.free)
        return model if kind == "float32" else in_type(model, kind)


TRAPS: dict[str, Trap] = {}


def trap(
    products: int,
    *,
    free: tuple[int, ...] = (),
    lengths: Sequence[tuple[int, ...]] = ((9, 12), (16, 7)),
    **answers: int | str,
) -> Callable[[Build], Build]:
    """Register a network with its number of products; `answers` are for kinds where it is another."""

    def register(build: Build) -> Build:
        def seeded() -> onnx.ModelProto:
            onnx_graphs.rng = np.random.default_rng(zlib.crc32(build.__name__.encode()))
            return build()

        TRAPS[build.__name__] = Trap(seeded, {kind: answers.get(kind, products) for kind in KINDS}, free, lengths)
        return build

    return register


def image(channels: int = 4, height: int = 6, width: int = 6, **more: int) -> Graph:
    return Graph("N", channels, height, width, **more)


def statistics(channels: int) -> tuple[np.ndarray, ...]:
    """What BatchNormalization reads after its input."""
    return 1 + 0.1 * a(channels), a(channels), a(channels), np.exp(a(channels))


def chain(*layers: tuple, graph: Graph) -> onnx.ModelProto:
    """Nodes one after the other: (op_type, *more inputs, {attributes})."""
    value = "x"
    for op_type, *rest in layers:
        attributes = rest.pop() if rest and isinstance(rest[-1], dict) else {}
        value = graph(op_type, value, *rest, **attributes)
    return graph.model(value)


PAD1 = {"pads": [1, 1, 1, 1]}
HW = (2, 3)
"""The height and the width of an image."""
