"""Offsets that a border makes: alike inside an image, and others near its edges.

A bias b before a zero-padded convolution is seen by fewer taps near the edges. What it adds there is what the
convolution makes of an image of ones, so there are three exact ways to write it, beside a number for each place:

    [K S] ∗ [x; 1]           one more channel that is 1 everywhere, padded with zeros as the others are
    K ∗ x + S ∗ 1            the same in two convolutions: the second reads an image of ones of any size
    K ∗ x + T[class]         a table of the few rows and columns that differ, and the number of each place in it

Checked against: onnxruntime at odd and even sizes, and the dense matrices in the contract tests.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from unbend.affine.affine import Affine
from unbend.affine.convolution import Convolution
from unbend.affine.maps import Shape
from unbend.affine.numbers import Unmade
from unbend.affine.selection import Selection

ROUNDED = 1e-13
"""Numbers of an offset that differ by less than this share of the largest around are one number: sums in another order.
"""


@dataclass(frozen=True, eq=False)
class Border:
    """An offset (1, channels, *spatial) as `table` (1, channels, *classes) and the class of each place on each axis."""

    table: np.ndarray
    places: tuple[np.ndarray, ...]

    @staticmethod
    def of(offset: np.ndarray) -> Border | None:
        """The table of an offset; None if that is as large as the offset itself."""
        if offset.ndim < 3 or offset.shape[0] != 1:
            return None
        table, places, close = offset, [], ROUNDED * _around(offset)
        for axis in range(2, offset.ndim):
            inner, place = _classes(offset, axis, close)
            table = table.take(inner, axis=axis)
            places.append(place)
        return Border(table, tuple(places)) if table.size < offset.size else None

    @property
    def flat(self) -> np.ndarray:
        """(channels, classes): the table with one axis for all classes."""
        return self.table.reshape(self.table.shape[1], -1)

    @property
    def index(self) -> np.ndarray:
        """(*spatial): the number of each place's class in the flat table."""
        return np.ravel_multi_index(np.ix_(*self.places), self.table.shape[2:])


def _around(offset: np.ndarray) -> np.ndarray:
    """For each number the largest beside it, along the axis on which that is smallest.

    A column of a mask, of −10⁹ for instance, says nothing of how exact the columns beside it are.
    """
    size = np.abs(offset)
    lines = [size.max(axis=axis, keepdims=True) for axis in range(size.ndim) if size.shape[axis] > 1]
    return functools.reduce(np.minimum, lines, np.full(size.shape, np.inf)) if lines else size


def _classes(offset: np.ndarray, axis: int, close: np.ndarray) -> tuple[list[int], np.ndarray]:
    """One place of each class along an axis, and the class of each place: all that are as the middle are one class."""
    size = offset.shape[axis]
    middle = offset.take([size // 2], axis=axis)
    others = tuple(a for a in range(offset.ndim) if a != axis)
    alike: np.ndarray = np.all(np.abs(offset - middle) <= close, axis=others)
    inner = ~alike
    inner[size // 2] = True
    number = np.cumsum(inner) - 1
    return np.flatnonzero(inner).tolist(), np.where(alike, number[size // 2], number)


def with_ones(shape: Shape) -> Affine:
    """x ↦ [x; 1]: an image with one more channel, which is 1 everywhere."""
    target = (shape[0], shape[1] + 1, *shape[2:])
    index = np.full(target, -1)
    index[:, :-1] = np.arange(math.prod(shape)).reshape(shape)
    ones = np.zeros((1, target[1], *(1,) * (len(shape) - 2)))
    ones[:, -1] = 1.0
    return Affine(Selection(index, shape), ones)


def only_ones(shape: Shape) -> Affine:
    """x ↦ 1: an image of one channel, which is 1 everywhere, whatever x is."""
    return Affine(Selection.nothing(shape, (shape[0], 1, *shape[2:])), np.ones((1,) * len(shape)))


def adds_ones(affine: Affine) -> bool:
    """Whether the map is `with_ones`."""
    return _is(affine, with_ones)


def is_only_ones(affine: Affine) -> bool:
    """Whether the map is `only_ones`."""
    return _is(affine, only_ones)


def _is(affine: Affine, form: Callable[[Shape], Affine]) -> bool:
    shape, linear = affine.linear.in_shape, affine.linear
    if not isinstance(linear, Selection) or len(shape) < 3 or len(linear.out_shape) != len(shape):
        return False
    if not affine.offset.any():
        return False
    other = form(shape)
    assert isinstance(other.linear, Selection)
    return np.array_equal(other.linear.index, linear.index) and np.array_equal(other.offset, affine.offset)


@dataclass(frozen=True, eq=False)
class OnOnes:
    """A convolution and an offset as K ∗ x + S ∗ 1 + b, in the windows of `convolution`.

    `kernel` is S (out, 1, *k), `bias` is b (1, out, 1, …): zero where S alone will do.
    """

    convolution: Convolution
    kernel: np.ndarray
    bias: np.ndarray

    @staticmethod
    def of(convolution: Convolution, offset: np.ndarray) -> OnOnes | None:
        """The S and b with S ∗ 1 + b = offset for images of every size.

        None if there are none, or one size does not say which: at a stride, which taps lie on the image at its end
        depends on the size.
        """
        if convolution.source[0] != 1 or not offset.ndim == len(convolution.source) > 2:
            return None
        if not math.prod(convolution.out_shape):
            return None
        whole = np.broadcast_to(offset, convolution.out_shape)
        seen, table = np.ones((1, 1)), whole[0]
        for axis, (taps, stride) in enumerate(zip(convolution.seen(), convolution.strides, strict=True), start=1):
            patterns, first = np.unique(taps, axis=0, return_index=True)
            if stride > 1 and np.linalg.matrix_rank(patterns) < patterns.shape[1]:
                return None
            seen, table = np.kron(seen, patterns), table.take(first, axis=axis)
        table = table.reshape(len(table), -1).T
        close = ROUNDED * np.max(np.abs(whole), axis=tuple(range(2, whole.ndim)), keepdims=True)
        for biased in (False, True):
            columns = np.hstack([seen, np.ones((len(seen), 1))]) if biased else seen
            solved = np.linalg.lstsq(columns, table, rcond=None)[0]
            found = OnOnes._from(convolution, solved, biased)
            error = np.abs(found.on_ones.image(np.ones((1,) * offset.ndim)) + found.bias - whole)
            if (error <= close).all():
                return found
        return None

    @staticmethod
    def _from(convolution: Convolution, solved: np.ndarray, biased: bool) -> OnOnes:
        """From a column for each output, its taps one below the other, and the bias at the end."""
        outputs, ones = convolution.stored.shape[0], (1,) * (len(convolution.source) - 2)
        taps = solved[:-1] if biased else solved
        bias = solved[-1] if biased else np.zeros(outputs)
        kernel = taps.T.reshape(outputs, 1, *convolution.stored.shape[2:])
        return OnOnes(convolution, kernel, bias.reshape(1, outputs, *ones))

    @property
    def on_ones(self) -> Convolution:
        """S, which reads `only_ones` of what K reads."""
        one = self.convolution
        return Convolution(self.kernel, (1, 1, *one.source[2:]), one.strides, one.pads, one.dilations)

    @property
    def widened(self) -> Convolution:
        """[K S], which reads `with_ones` of what K reads; of one group only."""
        one = self.convolution
        assert one.groups == 1
        shape = (one.stored.shape[0], one.stored.shape[1] + 1, *one.stored.shape[2:])
        kernel = Unmade(shape, lambda k: np.concatenate([k, self.kernel], axis=1), one.stored)
        return Convolution(kernel, (1, one.source[1] + 1, *one.source[2:]), one.strides, one.pads, one.dilations)
