"""The cheapest exact factoring of a chain of affine maps: a shortest path over the values that are kept.

Each run of neighbours i … j of the chain may become one map if their product has a form of its own, or if both its
ends are small enough to write it as one dense matrix. The cheapest way to cut the chain into such runs is a shortest
path: best(j) = min_i best(i) + cost(i … j). A narrow waist stays a waist because its product costs more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from unbend.affine import (
    Affine,
    Border,
    Chain,
    Convolution,
    Dense,
    Diagonal,
    Identity,
    LinearMap,
    OnOnes,
    Selection,
    Shape,
    Transposed,
    is_means,
    shrink,
)
from unbend.affine.border import adds_ones, is_only_ones, with_ones
from unbend.affine.left import left_product
from unbend.affine.numbers import Unmade
from unbend.network import Node

MAX_DENSE = 1 << 22
"""A product is written out as a dense matrix only up to this many numbers (32 MiB in float64)."""

SETTLED = 4.0
"""A convolution's offset that changes over the image by at most this many units in the last place, relative to the
largest, is one number for each channel. A border that an exporter wrote as rounded constants differs so from the
interior that they were computed from."""

FINE = 1e-6
"""Only where the unit in the last place is smaller than this: in half precision such a difference may be meant."""

MAX_RUN = 24
"""A run of more steps than this is composed in several rounds, so that time grows with the length of a chain."""

WORTH = 64
"""A number more is worth storing if it saves this many multiplications for a row: it is read once, and used often."""

NARROW = 8
"""Images of fewer channels may have one more that is 1: a runtime's kernels take any few channels, and many only in
blocks of eight or sixteen, beside which a channel more costs up to 70 % of the time."""

SETTLES = "an offset that differs between places by rounding only is one number"


@dataclass(frozen=True)
class Target:
    """What is written for: any number of rows or a fixed one, and the unit in the last place of the numbers.

    `free` says that axes besides the batch have no fixed length. With `growth` more numbers may be stored where that
    saves many multiplications; without, `tempting` are the prices that were refused for their numbers alone. `dearer`
    are the other refusals: what was offered, and what it was to replace.
    """

    batched: bool
    unit: float = 0.0
    growth: bool = False
    free: bool = False
    tempting: list[Price] = field(default_factory=list, compare=False)
    dearer: list[tuple[Price, Price]] = field(default_factory=list, compare=False)

    def accepts(self, new: Price, old: Price) -> bool:
        """Whether steps that cost `old` may be written as others that cost `new`."""
        if new.no_dearer(old):
            return True
        more = new.parameters - old.parameters
        tempted = new.nodes <= old.nodes and old.macs - new.macs >= WORTH * max(1, more)
        if tempted and not self.growth:
            self.tempting.append(new)
        if not tempted:
            self.dearer.append((new, old))
        return tempted and self.growth


@dataclass(frozen=True, eq=False)
class Step:
    """One affine map on the way.

    `node` is the file's own node where the step still is one, `position` the one input of it that varies, and `stored`
    how many numbers it keeps; a new step says by which `rules` it was made. `part_of` are the nodes with several inputs
    or outputs that the step is a branch of.
    """

    affine: Affine
    node: Node | None = None
    rules: tuple[str, ...] = ()
    stored: int = 0
    position: int = 0
    part_of: frozenset[Node] = frozenset()

    @property
    def in_shape(self) -> Shape:
        """Shape of the value it reads."""
        return self.affine.linear.in_shape

    @property
    def out_shape(self) -> Shape:
        """Shape of the value it writes."""
        return self.affine.linear.out_shape

    @cached_property
    def price(self) -> Price:
        """What it costs."""
        if self.node is not None:
            return Price(self.affine.cost.macs, self.stored, 1)
        return sum((written(part) for part in parts(self.affine)), Price())

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
    if isinstance(affine.linear, Identity):
        return "Add" if affine.offset.any() else "Identity"
    if left_product(affine.linear) is not None:
        return "MatMul"
    if is_means(affine.linear):
        return "ReduceMean"
    names = {"Dense": "Gemm", "Convolution": "Conv", "Diagonal": "Mul", "Selection": "Reshape"}
    return names.get(type(affine.linear).__name__, "Gemm")


def price(step: Step) -> Price:
    """The price of one step; a step that is still the file's own node counts as that one node."""
    return step.price


def written(part: Affine) -> Price:
    """The price of one part as it is written; a border is a table, looked up once when loaded."""
    if adds_ones(part):
        return Price(0, 1, 1)
    if is_only_ones(part):
        return Price(0, 1, 0)
    if is_means(part.linear):
        return Price(part.cost.macs, 0, 1)
    if isinstance(part.linear, Identity) and (border := Border.of(part.offset)) is not None:
        return Price(0, border.table.size, 1)
    return Price(part.cost.macs, part.cost.parameters, 1)


def parts(affine: Affine) -> tuple[Affine, ...]:
    """The map as it is written, op by op: an offset goes where an op has room for it, else it is an Add itself."""
    linear, offset = affine.linear, affine.offset
    if isinstance(linear, Chain) and left_product(linear) is None and not is_means(linear):
        return tuple(part for one in _chain_parts(linear, offset) for part in parts(one))
    if adds_ones(affine) or is_only_ones(affine):
        return (affine,)
    if not offset.any():
        return () if isinstance(linear, Identity) else (Affine(linear, _zero(linear.out_shape)),)
    if isinstance(linear, Convolution) and for_channels(offset):
        return (Affine(linear, np.broadcast_to(offset, (1, linear.out_shape[1], *offset.shape[2:]))),)
    if isinstance(linear, Identity) or (isinstance(linear, Dense) and _for_columns(linear, offset)):
        return (affine,)
    if isinstance(linear, Convolution) and (ones := beside_ones(affine)):
        return ones
    return Affine(linear, _zero(linear.out_shape)), Affine(Identity(linear.out_shape), offset)


def beside_ones(affine: Affine) -> tuple[Affine, ...]:
    """A convolution with a border as one more channel of ones and one convolution; empty where that does not pay."""
    linear = affine.linear
    if not isinstance(linear, Convolution) or for_channels(affine.offset):
        return ()
    if linear.groups > 1 or linear.source[1] >= NARROW:
        return ()
    if (found := OnOnes.of(linear, affine.offset)) is None:
        return ()
    return with_ones(linear.source), Affine(found.widened, _zero(linear.out_shape))


def _chain_parts(chain: Chain, offset: np.ndarray) -> list[Affine]:
    """The chain's steps, with the offset at the matrix that only reshapes follow."""
    offsets = [_zero(linear.out_shape) for linear in chain.maps]
    last = max((i for i, linear in enumerate(chain.maps) if isinstance(linear, Dense)), default=len(chain.maps) - 1)
    offsets[last] = shrink(np.broadcast_to(offset, chain.out_shape).reshape(chain.maps[last].out_shape))
    return [Affine(linear, own) for linear, own in zip(chain.maps, offsets, strict=True)]


def for_channels(offset: np.ndarray) -> bool:
    """Whether Conv has room for the offset: a number for each channel."""
    return all(size == 1 for axis, size in enumerate(offset.shape) if axis != 1)


def _for_columns(dense: Dense, offset: np.ndarray) -> bool:
    """Whether Gemm has room for the offset: it is the same for every row."""
    return len(dense.in_shape) == 2 and offset.shape[0] == 1


def _zero(shape: Shape) -> np.ndarray:
    return np.zeros((1,) * len(shape))


def total(steps: Sequence[Step]) -> Price:
    """The price of several steps."""
    return sum((price(step) for step in steps), Price())


def cheapest(steps: Sequence[Step], target: Target) -> tuple[Step, ...]:
    """The cheapest exact factoring of the chain `steps`.

    An offset that no op had room for is a step of its own: where there are such, the path is looked for once more, as
    they may join what follows them.
    """
    best = _shortest(steps, target)
    while len(single := tuple(piece for step in best for piece in pieces(step))) > len(best):
        if target.free and not all(writable(piece.affine, target) for piece in single if piece.node is None):
            break
        again = _shortest(single, target)
        if not total(again) < total(best):
            break
        best = again
    return best


def pieces(step: Step) -> list[Step]:
    """The step as one step for each node that it is written as."""
    if step.node is not None:
        return [step]
    single = enumerate(parts(step.affine))
    return [Step(part, None, step.rules if i == 0 else (), part_of=step.part_of) for i, part in single]


def _shortest(steps: Sequence[Step], target: Target) -> tuple[Step, ...]:
    """The shortest path over the values that are kept."""
    best: list[tuple[Price, tuple[Step, ...]]] = [(Price(), ())]
    runs = [dict(_runs(steps, start, target)) for start in range(len(steps))]
    for end in range(1, len(steps) + 1):
        options = [
            (best[start][0] + price(step), (*best[start][1], step))
            for start in range(end)
            if (step := runs[start].get(end - start)) is not None
        ]
        best.append(min(options, key=lambda option: option[0]))
    return best[-1][1]


def _runs(steps: Sequence[Step], start: int, target: Target) -> Iterator[tuple[int, Step]]:
    """Every run of the chain from `start` that can be one step, with its length."""
    whole, limit = steps[start], steps[start].price
    yield 1, min((whole, *_forms(whole, steps[start : start + 1], limit, target)), key=price)
    for end in range(start + 1, min(len(steps), start + MAX_RUN)):
        whole, limit = then(whole, steps[end], target), limit + steps[end].price
        forms = _forms(whole, steps[start : end + 1], limit, target)
        if forms:
            yield end + 1 - start, min(forms, key=price)


def product(steps: Sequence[Step], target: Target) -> Step:
    """The chain as one step, whatever form that has."""
    whole = steps[0]
    for step in steps[1:]:
        whole = then(whole, step, target)
    return whole


def then(first: Step, second: Step, target: Target) -> Step:
    """Two steps as one, with the rules that made both."""
    affine, rules = settled(first.affine.then(second.affine), target)
    return Step(affine, None, (*first.rules, *second.rules, *rules), part_of=first.part_of | second.part_of)


def _forms(whole: Step, run: Sequence[Step], limit: Price, target: Target) -> list[Step]:
    """The forms of one step that a run of steps may take, none of them dearer than the run, which costs `limit`."""
    forms = [replace(whole, node=None)] if len(run) > 1 and writable(whole.affine, target) else []
    if (dense := dense_form(whole.affine, limit, target)) is not None:
        how = f"{run[0].name} … {run[-1].name} written as one dense matrix"
        forms.append(Step(dense, None, (*whole.rules, how), part_of=whole.part_of))
    return [_told(step, run) for step in forms if target.accepts(step.price, limit)]


def _told(step: Step, run: Sequence[Step]) -> Step:
    """The step with the rule that made it of the run."""
    return step if len(run) == 1 else replace(step, rules=(*step.rules, " ∘ ".join(one.name for one in reversed(run))))


def writable(affine: Affine, target: Target) -> bool:
    """Whether the map is one form that can be written as ONNX for any number of rows, and all lengths of free axes."""
    linear = affine.linear
    if adds_ones(affine) or is_only_ones(affine):
        return True
    if target.free and not _for_all_lengths(affine):
        return False
    if isinstance(linear, Selection):
        return linear.is_reshape and (not target.batched or keeps_rows(linear.in_shape, linear.out_shape))
    if isinstance(linear, Transposed):
        return isinstance(linear.of, Convolution)
    if left_product(linear) is not None:
        return len(linear.in_shape) > 2 or not target.batched
    return isinstance(linear, (Identity, Diagonal, Dense, Convolution))


def _for_all_lengths(affine: Affine) -> bool:
    """Whether nothing in the map looks as if it depended on a length, or on the place along an axis that has one.

    An offset that a convolution's border makes does not: it is what a convolution makes of ones.
    """
    if isinstance(affine.linear, Convolution) and not for_channels(affine.offset):
        return OnOnes.of(affine.linear, affine.offset) is not None
    numbers = affine.linear.scale[0] if isinstance(affine.linear, Diagonal) else np.ones((1,) * affine.offset.ndim)
    changing = [{axis for axis, size in enumerate(array.shape) if size != 1} for array in (numbers, affine.offset)]
    inner = {1, affine.offset.ndim - 1} if affine.offset.ndim < 4 else {1}
    if isinstance(affine.linear, Dense):
        inner = {affine.offset.ndim - 1}
    return isinstance(affine.linear, (Identity, Diagonal, Dense, Convolution)) and all(one <= inner for one in changing)


def settled(affine: Affine, target: Target) -> tuple[Affine, tuple[str, ...]]:
    """The map with the offset of a convolution as one number for each channel, if it is up to rounding.

    With the rule that says so, if anything was rounded. A scale that would be written as 1 is left out.
    """
    offset = affine.offset
    if isinstance(affine.linear, Diagonal) and np.all(np.abs(affine.linear.scale - 1.0) <= target.unit / 4):
        return Affine(Identity(affine.linear.shape), offset), ()
    if not isinstance(affine.linear, Convolution) or max(offset.shape[2:]) == 1 or not 0 < target.unit < FINE:
        return affine, ()
    largest = float(np.max(np.abs(offset), initial=0.0))
    small = shrink(offset, SETTLED * target.unit * largest, first=2) if np.isfinite(largest) else offset
    return Affine(affine.linear, small), (SETTLES,) if small.size < offset.size else ()


def keeps_rows(source: Shape, target: Shape) -> bool:
    """Whether both shapes begin with the batch axis (length one for one row)."""
    return source[:1] == (1,) and target[:1] == (1,)


def dense_form(affine: Affine, limit: Price, target: Target) -> Affine | None:
    """The map as reshape – dense – reshape, if that is small, no dearer than `limit`, and right for many rows."""
    linear = affine.linear
    if target.free or (isinstance(linear, Dense) and len(linear.in_shape) == 2):
        return None
    size = linear.in_size * linear.out_size
    if size > MAX_DENSE or size > limit.macs or not linear.in_shape or not linear.out_shape:
        return None
    if target.batched and not keeps_rows(linear.in_shape, linear.out_shape):
        return None
    weight, offset = Unmade((linear.out_size, linear.in_size), linear.dense), affine.offset
    inner, outer = (1, linear.in_size), (1, linear.out_size)
    maps: list[LinearMap] = [Dense(weight, (1,))]
    if linear.in_shape != inner:
        maps.insert(0, Selection.reshape(linear.in_shape, inner))
    if linear.out_shape != outer:
        maps.append(Selection.reshape(outer, linear.out_shape))
    whole = maps[0] if len(maps) == 1 else Chain(tuple(maps))
    return Affine(whole, offset)
