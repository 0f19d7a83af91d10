"""What a linear map is, and its two simplest forms: identity and diagonal.

A map takes a tensor of shape `in_shape` to one of shape `out_shape`. Arrays of many tensors carry their count in front:
`apply` takes (rows, *in_shape) to (rows, *out_shape), `transpose` takes (rows, *out_shape) back. Every form can be
written out as its dense matrix, and the contract test holds each form to it.
"""

# ruff: noqa: D102  the methods are those of LinearMap, described there
from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

Shape = tuple[int, ...]

BLOCK = 1 << 19
"""How many numbers a step may hold at once (4 MiB) before it works through its rows in blocks."""


@dataclass(frozen=True)
class Cost:
    """What a map costs to run and to keep: multiplications for one tensor, and numbers stored."""

    macs: int = 0
    parameters: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.macs + other.macs, self.parameters + other.parameters)

    def __le__(self, other: Cost) -> bool:
        """No dearer by either count."""
        return self.macs <= other.macs and self.parameters <= other.parameters

    @staticmethod
    def total(costs: Iterable[Cost]) -> Cost:
        """The sum of some costs."""
        return sum(costs, Cost())


class LinearMap(ABC):
    """A linear map between tensors; the subclasses are its structured forms."""

    @property
    @abstractmethod
    def in_shape(self) -> Shape:
        """Shape of one input tensor."""

    @property
    @abstractmethod
    def out_shape(self) -> Shape:
        """Shape of one output tensor."""

    @abstractmethod
    def apply(self, x: np.ndarray) -> np.ndarray:
        """The images of `x`: (rows, *in_shape) to (rows, *out_shape)."""

    @abstractmethod
    def transpose(self, y: np.ndarray) -> np.ndarray:
        """The transposed map: (rows, *out_shape) to (rows, *in_shape)."""

    def image(self, offset: np.ndarray) -> np.ndarray:
        """The image of one tensor: from an array that broadcasts to `in_shape` to one that broadcasts to `out_shape`.

        Where the tensor does not change along an axis the forms compute one position for all, so that rounding cannot
        make them differ.
        """
        return self.apply(np.broadcast_to(offset, self.in_shape)[None])[0]

    @property
    def cost(self) -> Cost:
        """What this form costs."""
        return Cost()

    @property
    def in_size(self) -> int:
        """How many numbers go in."""
        return math.prod(self.in_shape)

    @property
    def out_size(self) -> int:
        """How many numbers come out."""
        return math.prod(self.out_shape)

    def dense(self) -> np.ndarray:
        """The matrix (out_size, in_size) that maps a flattened input to the flattened output.

        Made from the images of unit vectors on the narrower side, in blocks, so that little more than the matrix itself
        is held in memory.
        """
        matrix = np.empty((self.out_size, self.in_size))
        if self.in_size <= self.out_size:
            for columns, basis in _unit_tensors(self.in_shape, self.out_size):
                matrix[:, columns] = self.apply(basis).reshape(len(basis), self.out_size).T
        else:
            for rows, basis in _unit_tensors(self.out_shape, self.in_size):
                matrix[rows] = self.transpose(basis).reshape(len(basis), self.in_size)
        return matrix


def _unit_tensors(shape: Shape, other_size: int) -> Iterable[tuple[slice, np.ndarray]]:
    """Every unit tensor of `shape`, in blocks; `other_size` is the size of what each is mapped to."""
    size = math.prod(shape)
    step = max(1, BLOCK // max(size, other_size, 1))
    for start in range(0, size, step):
        stop = min(start + step, size)
        basis = np.zeros((stop - start, size))
        basis[np.arange(stop - start), np.arange(start, stop)] = 1.0
        yield slice(start, stop), basis.reshape(-1, *shape)


@dataclass(frozen=True, eq=False)
class Identity(LinearMap):
    """y = x."""

    shape: Shape

    @property
    def in_shape(self) -> Shape:
        return self.shape

    @property
    def out_shape(self) -> Shape:
        return self.shape

    def apply(self, x: np.ndarray) -> np.ndarray:
        return x

    def transpose(self, y: np.ndarray) -> np.ndarray:
        return y

    def image(self, offset: np.ndarray) -> np.ndarray:
        return offset


@dataclass(frozen=True, eq=False)
class Diagonal(LinearMap):
    """y = scale x, element by element.

    `scale` has one axis more than `shape`: the first is 1, or the number of rows where each row has a scale of its own
    (the slopes of a bend at many rows); each other axis is 1 or that of `shape`.
    """

    scale: np.ndarray
    shape: Shape

    @staticmethod
    def of(scale: np.ndarray | float, shape: Shape) -> Diagonal:
        """The diagonal map with a scale that broadcasts to (rows, *shape)."""
        array = np.asarray(scale, dtype=np.float64)
        return Diagonal(array.reshape((1,) * (len(shape) + 1 - array.ndim) + array.shape), shape)

    @property
    def in_shape(self) -> Shape:
        return self.shape

    @property
    def out_shape(self) -> Shape:
        return self.shape

    def apply(self, x: np.ndarray) -> np.ndarray:
        return x * self.scale

    def transpose(self, y: np.ndarray) -> np.ndarray:
        return y * self.scale

    def image(self, offset: np.ndarray) -> np.ndarray:
        return offset * self.scale[0]

    @property
    def cost(self) -> Cost:
        return Cost(self.in_size, self.scale.size)


def shrink(array: np.ndarray, tolerance: float | np.ndarray = 0.0, first: int = 0) -> np.ndarray:
    """The smallest array that broadcasts to `array`: an axis along which nothing changes gets length 1.

    With a `tolerance`, one or one that broadcasts to `array`, along which nothing changes by more than that; the middle
    entry is kept. Axes before `first` are left as they are.
    """
    for axis in range(first, array.ndim):
        if array.shape[axis] > 1:
            middle = array.take([array.shape[axis] // 2], axis=axis)
            if np.array_equal(np.broadcast_to(middle, array.shape), array) or (
                np.any(tolerance) and np.all(np.abs(array - middle) <= tolerance)
            ):
                array = middle
    return array
