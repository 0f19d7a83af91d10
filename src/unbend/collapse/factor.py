"""The cheapest exact factoring of a chain of affine maps: a shortest path over the values that are kept.

Each run of neighbours i … j of the chain may become one map if their product has a form of its own, or if both its
ends are small enough to write it as one dense matrix. The cheapest way to cut the chain into such runs is a shortest
path: best(j) = min_i best(i) + cost(i … j). A narrow waist stays a waist because its product costs more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from unbend.affine import Affine, Chain, Convolution, Dense, Identity, LinearMap, Selection, Shape, Sum, shrink
from unbend.network import Node

MAX_DENSE = 1 << 22
"""A product is written out as a dense matrix only up to this many numbers (32 MiB in float64)."""


@dataclass(frozen=True, eq=False)
class Step:
    """One affine map on the way.

    `node` is the file's own node where the step still is one, and `stored` how many numbers that node keeps; a new
    step says by which `rules` it was made.
    """

    affine: Affine
    node: Node | None = None
    rules: tuple[str, ...] = ()
    stored: int = 0

    @property
    def in_shape(self) -> Shape:
        """Shape of the value it reads."""
        return self.affine.linear.in_shape

    @property
    def out_shape(self) -> Shape:
        """Shape of the value it writes."""
        return self.affine.linear.out_shape

    @property
    def name(self) -> str:
        """What it is, in one word."""
        return self.node.op_type if self.node is not None else form_name(self.affine)


@dataclass(frozen=True, order=True)
class Price:
    """What steps cost: multiplications first, then numbers stored, then nodes."""

    macs: int = 0
    parameters: int = 0
    nodes: int = 0

    def __add__(self, other: Price) -> Price:
        return Price(self.macs + other.macs, self.parameters + other.parameters, self.nodes + other.nodes)

    def no_dearer(self, other: Price) -> bool:
        """Whether no count is above the other's."""
        return self.macs <= other.macs and self.parameters <= other.parameters and self.nodes <= other.nodes


def form_name(affine: Affine) -> str:
    """The ONNX op that a form is written as."""
    names = {"Dense": "Gemm", "Convolution": "Conv", "Diagonal": "Mul", "Identity": "Identity", "Selection": "Reshape"}
    return names.get(type(affine.linear).__name__, "Gemm")


def price(step: Step) -> Price:
    """The price of one step; a step that is still the file's own node counts as that one node."""
    cost = step.affine.cost
    if step.node is not None:
        return Price(cost.macs, step.stored, 1)
    return Price(cost.macs, cost.parameters, nodes_needed(step.affine))


def nodes_needed(affine: Affine) -> int:
    """How many nodes writing the map takes."""
    linear, biased = affine.linear, bool(affine.offset.any())
    if isinstance(linear, Chain):
        return sum(nodes_needed(Affine(part, np.zeros((1,) * len(part.out_shape)))) for part in linear.maps) + biased
    if isinstance(linear, Identity):
        return int(biased)
    return 1 + (biased and not takes_bias(affine))


def takes_bias(affine: Affine) -> bool:
    """Whether the op that writes the map has room for its offset: Gemm for a row, Conv for a number a channel."""
    linear, offset = affine.linear, affine.offset
    if isinstance(linear, Dense):
        return len(linear.in_shape) == 2 and offset.shape[0] == 1
    if isinstance(linear, Convolution):
        return all(size == 1 for axis, size in enumerate(offset.shape) if axis != 1)
    return False


def total(steps: Sequence[Step]) -> Price:
    """The price of several steps."""
    return sum((price(step) for step in steps), Price())


def cheapest(steps: Sequence[Step], batched: bool) -> tuple[Step, ...]:
    """The cheapest exact factoring of the chain `steps`."""
    if len(steps) <= 1:
        return tuple(steps)
    best: list[tuple[Price, tuple[Step, ...]]] = [(Price(), ())]
    runs = [list(_runs(steps, start, batched)) for start in range(len(steps))]
    for end in range(1, len(steps) + 1):
        options = [
            (best[start][0] + price(step), (*best[start][1], step))
            for start in range(end)
            for length, step in runs[start]
            if start + length == end
        ]
        best.append(min(options, key=lambda option: option[0]))
    return best[-1][1]


def _runs(steps: Sequence[Step], start: int, batched: bool) -> Iterator[tuple[int, Step]]:
    """Every run of the chain from `start` that can be one step, with its length."""
    yield 1, steps[start]
    product = steps[start].affine
    for end in range(start + 1, len(steps)):
        product = product.then(steps[end].affine)
        run = steps[start : end + 1]
        rules = (" ∘ ".join(step.name for step in reversed(run)),)
        forms = [Step(product, None, rules)] if writable(product, batched) else []
        if (dense := dense_form(product, total(run), batched)) is not None:
            forms.append(Step(dense, None, (*rules, "written as one dense matrix")))
        forms = [step for step in forms if price(step).no_dearer(total(run))]
        if forms:
            yield len(run), min(forms, key=price)


def writable(affine: Affine, batched: bool) -> bool:
    """Whether the map is one form that can be written as ONNX for any number of rows."""
    linear = affine.linear
    if isinstance(linear, (Chain, Sum)):
        return False
    if isinstance(linear, Selection):
        return linear.is_reshape and (not batched or keeps_rows(linear.in_shape, linear.out_shape))
    return True


def keeps_rows(source: Shape, target: Shape) -> bool:
    """Whether both shapes begin with the batch axis (length one for one row)."""
    return source[:1] == (1,) and target[:1] == (1,)


def dense_form(affine: Affine, limit: Price, batched: bool) -> Affine | None:
    """The map as reshape – dense – reshape, if that is small, no dearer than `limit`, and right for many rows."""
    linear = affine.linear
    size = linear.in_size * linear.out_size
    if size > MAX_DENSE or size > limit.macs or not linear.in_shape or not linear.out_shape:
        return None
    if batched and not keeps_rows(linear.in_shape, linear.out_shape):
        return None
    weight, offset = affine.dense()
    inner, outer = (1, linear.in_size), (1, linear.out_size)
    maps: list[LinearMap] = [Dense(weight, (1,))]
    if linear.in_shape != inner:
        maps.insert(0, Selection.reshape(linear.in_shape, inner))
    if linear.out_shape != outer:
        maps.append(Selection.reshape(outer, linear.out_shape))
    whole = maps[0] if len(maps) == 1 else Chain(tuple(maps))
    return Affine(whole, shrink(offset.reshape(linear.out_shape)))
