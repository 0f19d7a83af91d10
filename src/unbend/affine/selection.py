"""Maps that only move numbers: reshape, transpose, slice, gather, pad, concat, expand."""

# ruff: noqa: D102  the methods are those of LinearMap, described there
from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import as_strided
from scipy.sparse import csr_array

from unbend.affine.maps import Diagonal, LinearMap, Shape, shrink

MANY = 1 << 12
"""Of fewer numbers it is not asked whether they lie in regular steps: to pick them takes no time."""


@dataclass(frozen=True, eq=False)
class Selection(LinearMap):
    """y_j = x_index[j], or 0 where index is −1.

    `index` has the output's shape and counts the input's elements in row-major order.
    """

    index: np.ndarray
    source: Shape

    @property
    def in_shape(self) -> Shape:
        return self.source

    @property
    def out_shape(self) -> Shape:
        return self.index.shape

    def apply(self, x: np.ndarray) -> np.ndarray:
        flat = x.reshape(len(x), self.in_size)
        if not self.is_reshape:
            flat = self._picked(flat)
        return flat.reshape(len(x), *self.out_shape)

    def _picked(self, flat: np.ndarray) -> np.ndarray:
        if not self.in_size:
            return np.zeros((len(flat), self.out_size))
        if (found := self._box) is not None:
            return self._copied(flat, *found)
        picked = flat[:, self.index.reshape(-1)]
        if self._has_gaps:
            picked[:, (self.index < 0).reshape(-1)] = 0.0
        return picked

    @cached_property
    def _box(self) -> tuple[tuple[slice, ...], int, tuple[int, ...]] | None:
        """The box of the output that is filled, the first number in it, and the step along each axis from one to the
        next; None where that is not how numbers are moved, or where they are few."""
        if self.out_size < MANY:
            return None
        box = _filled(self.index)
        inside = self.index[box]
        if not inside.size or inside.min() < 0:
            return None
        first = int(inside.flat[0])
        ends = [tuple(int(i == axis) for i in range(inside.ndim)) for axis in range(inside.ndim)]
        steps = tuple(int(inside[at]) - first if n > 1 else 0 for at, n in zip(ends, inside.shape, strict=True))
        axes = np.ogrid[tuple(slice(n) for n in inside.shape)]
        regular = first + sum((step * axis for step, axis in zip(steps, axes, strict=True)), start=np.zeros((), int))
        return (box, first, steps) if np.array_equal(np.broadcast_to(regular, inside.shape), inside) else None

    def _copied(self, flat: np.ndarray, box: tuple[slice, ...], first: int, steps: tuple[int, ...]) -> np.ndarray:
        """What `_picked` gives, copied block by block: numbers that lie in regular steps are a view."""
        sizes = tuple(one.stop - one.start for one in box)
        strides = (flat.strides[0], *(step * flat.strides[1] for step in steps))
        seen = as_strided(flat[:, first:], (len(flat), *sizes), strides, writeable=False)
        if sizes == self.out_shape:
            return seen.reshape(len(flat), -1)
        picked = np.zeros((len(flat), *self.out_shape))
        picked[(slice(None), *box)] = seen
        return picked.reshape(len(flat), -1)

    def transpose(self, y: np.ndarray) -> np.ndarray:
        flat = y.reshape(len(y), self.out_size)
        if not self.is_reshape:
            flat = np.ascontiguousarray((self._scatter @ flat.T).T)
        return flat.reshape(len(y), *self.in_shape)

    @cached_property
    def is_reshape(self) -> bool:
        """Whether the elements stay in their order, so that only the shape changes."""
        if self.in_size != self.out_size:
            return False
        return bool(np.array_equal(self.index.reshape(-1), np.arange(self.in_size)))

    @cached_property
    def _has_gaps(self) -> bool:
        return bool((self.index < 0).any())

    @cached_property
    def _scatter(self) -> csr_array:
        """The transposed matrix: where each output element goes back to."""
        index = self.index.reshape(-1)
        used = np.flatnonzero(index >= 0)
        return csr_array((np.ones(len(used)), (index[used], used)), shape=(self.in_size, self.out_size))

    @cached_property
    def along_last(self) -> np.ndarray | None:
        """The index p with y_ij = x_i,p[j] where every position i moves its last axis in the same way, else None.

        Positions are those of the axes before the last, flattened.
        """
        if not self.out_shape or not self.in_shape:
            return None
        positions, width = math.prod(self.out_shape[:-1]), self.in_shape[-1]
        if not positions or positions != math.prod(self.in_shape[:-1]):
            return None
        index = self.index.reshape(positions, -1)
        pattern = index[0]
        if pattern.max(initial=-1) >= width:
            return None
        expected = np.where(pattern >= 0, pattern + width * np.arange(positions)[:, None], -1)
        return pattern if np.array_equal(index, expected) else None

    @cached_property
    def rows(self) -> np.ndarray | None:
        """Which row (the last axis is one) stands where, if the map moves rows as a whole, else None."""
        if not self.out_shape or not self.in_shape or self.out_shape[-1] != self.in_shape[-1] or not self.out_size:
            return None
        width = self.in_shape[-1]
        index = self.index.reshape(-1, width)
        first = index[:, :1]
        whole = (first >= 0).all() and not (first % width).any() and np.array_equal(index, first + np.arange(width))
        return first[:, 0] // width if whole else None

    @cached_property
    def padding(self) -> tuple[tuple[int, int], ...] | None:
        """The zeros put around the axes after the second, (begin, end) each, if that is all the map does, else None."""
        if len(self.source) < 3 or len(self.out_shape) != len(self.source) or self.source[:2] != self.out_shape[:2]:
            return None
        used = np.flatnonzero(self.index.reshape(-1) >= 0)
        if not len(used):
            return None
        at = np.unravel_index(used[0], self.out_shape)
        came_from = np.unravel_index(self.index.reshape(-1)[used[0]], self.source)
        begins = [int(a - b) for a, b in zip(at, came_from, strict=True)]
        pads = [(b, o - s - b) for b, o, s in zip(begins, self.out_shape, self.source, strict=True)]
        if min(map(min, pads)) < 0 or max(pads[0] + pads[1]) > 0:
            return None
        padded = np.pad(np.arange(self.in_size).reshape(self.source), pads, constant_values=-1)
        return tuple(pads[2:]) if np.array_equal(padded, self.index) else None

    @cached_property
    def channels(self) -> np.ndarray | None:
        """Which channel of an image each channel is, −1 where it is zeros, if only whole channels move, else None."""
        source, target = self.source, self.out_shape
        if (
            len(source) < 3
            or len(target) != len(source)
            or source[0] != 1
            or (1, *source[2:]) != (target[0], *target[2:])
        ):
            return None
        places = math.prod(source[2:])
        if not places:
            return None
        index = self.index.reshape(target[1], places)
        picked = np.where(index[:, 0] >= 0, index[:, 0] // places, -1)
        whole = np.where(picked[:, None] >= 0, picked[:, None] * places + np.arange(places), -1)
        return picked if np.array_equal(whole, index) else None

    def across(self, diagonal: Diagonal) -> Diagonal:
        """The scaling that does after this map what `diagonal` does before it."""
        scale = np.broadcast_to(diagonal.scale, (len(diagonal.scale), *self.source))
        moved = np.ones((len(scale), self.out_size))
        used = (self.index >= 0).reshape(-1)
        moved[:, used] = scale.reshape(len(scale), -1)[:, self.index.reshape(-1)[used]]
        return Diagonal(shrink(moved.reshape(-1, *self.out_shape)), self.out_shape)

    @staticmethod
    def reshape(source: Shape, target: Shape) -> Selection:
        """The selection that changes the shape only."""
        return Selection(np.arange(math.prod(source)).reshape(target), source)

    @staticmethod
    def transposed(source: Shape, axes: tuple[int, ...]) -> Selection:
        """The selection that puts the axes in another order, as `numpy.transpose` does."""
        return Selection(np.arange(math.prod(source)).reshape(source).transpose(axes), source)

    @staticmethod
    def broadcast(source: Shape, target: Shape) -> Selection:
        """The selection that repeats a tensor along axes of length 1 and new axes at the front."""
        return Selection(np.broadcast_to(np.arange(math.prod(source)).reshape(source), target), source)

    @staticmethod
    def nothing(source: Shape, target: Shape) -> Selection:
        """The map that gives zero whatever comes in."""
        return Selection(np.full(target, -1), source)


def _filled(index: np.ndarray) -> tuple[slice, ...]:
    """The smallest box that holds every entry that is not negative."""
    used, box = index >= 0, []
    if used.all():
        return tuple(slice(0, n) for n in index.shape)
    for axis in range(index.ndim):
        along = np.flatnonzero(used.any(axis=tuple(i for i in range(index.ndim) if i != axis)))
        box.append(slice(int(along[0]), int(along[-1]) + 1) if len(along) else slice(0, 0))
    return tuple(box)
