"""A step of a chain: one affine map on the way, what it is written as, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from unbend.affine import (
    Affine,
    Border,
    Chain,
    Convolution,
    Dense,
    Identity,
    LinearMap,
    OnOnes,
    Shape,
    Transposed,
    is_means,
    shrink,
)
from unbend.affine.border import adds_ones, is_only_ones, with_ones
from unbend.affine.left import left_product
from unbend.collapse.find.alike import At
from unbend.network import Node

NARROW = 8
"""Images of fewer channels may have one more that is 1: a runtime's kernels take any few channels, and many only in
blocks of eight or sixteen, beside which a channel more costs up to 70 % of the time."""


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


@dataclass(frozen=True, eq=False)
class Step:
    """One affine map on the way.

    `node` is the file's own node where the step still is one, `position` the one input of it that varies, and `stored`
    how many numbers it keeps; a new step says by which `rules` it was made. `part_of` are the nodes with several inputs
    or outputs that the step is a branch of. Of the axes `alike` the node does not speak (`find.alike`); `at` is its map
    for a tensor of another shape.
    """

    affine: Affine
    node: Node | None = None
    rules: tuple[str, ...] = ()
    stored: int = 0
    position: int = 0
    part_of: frozenset[Node] = frozenset()
    alike: frozenset[int] = frozenset()
    at: At | None = None

    @property
    def in_shape(self) -> Shape:
        """Shape of the value it reads."""
        return self.affine.linear.in_shape

    @property
    def out_shape(self) -> Shape:
        """Shape of the value it writes."""
        return self.affine.linear.out_shape

    @property
    def is_nothing(self) -> bool:
        """Whether no node is written for it: it passes on what it reads."""
        return self.node is None and isinstance(self.affine.linear, Identity) and not self.affine.offset.any()

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


def form_name(affine: Affine) -> str:
    """The ONNX op that a form is written as."""
    if isinstance(affine.linear, Identity):
        return "Add" if affine.offset.any() else "Identity"
    if left_product(affine.linear) is not None:
        return "MatMul"
    if is_means(affine.linear):
        return "ReduceMean"
    if adds_ones(affine) or is_only_ones(affine):
        return "Pad" if adds_ones(affine) else "Expand"
    names = {
        "Dense": "Gemm",
        "Convolution": "Conv",
        "Diagonal": "Mul",
        "Selection": "Reshape",
        "Transposed": "ConvTranspose",
    }
    return names.get(type(affine.linear).__name__, "Gemm")


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
    if _is_convolution(linear) and for_channels(offset):
        return (Affine(linear, np.broadcast_to(offset, (1, linear.out_shape[1], *offset.shape[2:]))),)
    if isinstance(linear, Identity) or (isinstance(linear, Dense) and _for_columns(linear, offset)):
        return (affine,)
    if isinstance(linear, Convolution) and (ones := channel_of_ones(affine)):
        return ones
    return Affine(linear, _zero(linear.out_shape)), Affine(Identity(linear.out_shape), offset)


def _is_convolution(linear: LinearMap) -> bool:
    """Whether it is written as Conv or ConvTranspose."""
    return isinstance(linear.of if isinstance(linear, Transposed) else linear, Convolution)


def channel_of_ones(affine: Affine) -> tuple[Affine, ...]:
    """A convolution with a border as one more channel of ones and one convolution; empty where that does not pay."""
    linear = affine.linear
    if not isinstance(linear, Convolution) or for_channels(affine.offset):
        return ()
    if linear.groups > 1 or linear.source[1] >= NARROW:
        return ()
    if (found := OnOnes.of(linear, affine.offset)) is None:
        return ()
    return with_ones(linear.source), Affine(found.widened, found.bias)


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
    return sum((step.price for step in steps), Price())


def pieces(step: Step) -> list[Step]:
    """The step as one step for each node that it is written as."""
    if step.node is not None:
        return [step]
    single = enumerate(parts(step.affine))
    return [Step(part, None, step.rules if i == 0 else (), part_of=step.part_of) for i, part in single]
