"""What is written for, and what can be written for it: any number of rows or a fixed one, any length of free axes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np

from unbend.affine import (
    Affine,
    Chain,
    Convolution,
    Dense,
    Diagonal,
    Identity,
    LinearMap,
    Mixing,
    OnOnes,
    Selection,
    Shape,
    Sum,
    Transposed,
    shrink,
)
from unbend.affine.border import adds_ones, is_only_ones
from unbend.affine.left import left_product
from unbend.affine.numbers import Unmade
from unbend.collapse.reduce.steps import Price, for_channels

MAX_DENSE = 1 << 22
"""A product is written out as a dense matrix only up to this many numbers (32 MiB in float64)."""

SETTLED = 4.0
"""A convolution's offset is one number for each channel if at no place it is further from that than this many units in
the last place of what was added up there, |W_2| |b_1| + |b_2|. A border that an exporter wrote as rounded constants
differs so from the interior that they were computed from."""

COARSE = 1e-6
"""A type with a larger unit in the last place is called half precision: float16, bfloat16. There such a difference may
be meant."""

WORTH = 64
"""A number more is worth storing if it saves this many multiplications for a row: it is read once, and used often."""

SETTLES = "an offset that differs between places by rounding only is one number"

LEFT_OUT = "a scale that would be written as 1 is left out"


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
    linear = affine.linear.of if isinstance(affine.linear, Transposed) else affine.linear
    inner = {1} if isinstance(affine.linear, Transposed) else inner
    return isinstance(linear, (Identity, Diagonal, Dense, Convolution)) and all(one <= inner for one in changing)


def settled(affine: Affine, target: Target, size: Callable[[], np.ndarray]) -> tuple[Affine, tuple[str, ...]]:
    """The map without what rounding left of a scale of 1, or of an offset that is the same all over an image.

    With the rule that says so, if that changed a number: the bound of the stretch has room for it where the rule is.
    `size` gives the absolute values that were added up to make the offset.
    """
    offset = affine.offset
    if isinstance(affine.linear, Diagonal) and np.all(np.abs(affine.linear.scale - 1.0) <= target.unit / 4):
        rules = (LEFT_OUT,) if np.any(affine.linear.scale != 1.0) else ()
        return Affine(Identity(affine.linear.shape), offset), rules
    if not isinstance(affine.linear, Convolution) or max(offset.shape[2:]) == 1 or not 0 < target.unit < COARSE:
        return affine, ()
    room = SETTLED * target.unit * size()
    small = shrink(offset, room, first=2) if np.isfinite(room).all() else offset
    return Affine(affine.linear, small), (SETTLES,) if small.size < offset.size else ()


def slack(rules: Collection[str], unit: float) -> float:
    """By how much `settled` may have moved an offset where these rules are, relative to |b|.

    At most `SETTLED` units of what was added up there: no more than the stretch adds up on the way to its outputs.
    """
    return SETTLED * unit if SETTLES in rules else 0.0


def keeps_rows(source: Shape, target: Shape) -> bool:
    """Whether both shapes begin with the batch axis (length one for one row)."""
    return source[:1] == (1,) and target[:1] == (1,)


def holds_mixing(linear: LinearMap) -> bool:
    """Whether the numbers of the map are not known, as those of a product of two values."""
    return isinstance(linear, Mixing) or (isinstance(linear, (Chain, Sum)) and any(map(holds_mixing, linear.maps)))


def dense_form(affine: Affine, limit: Price, target: Target) -> Affine | None:
    """The map as reshape – dense – reshape, if that is small, no dearer than `limit`, and right for many rows."""
    linear = affine.linear
    if target.free or (isinstance(linear, Dense) and len(linear.in_shape) == 2) or holds_mixing(linear):
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
