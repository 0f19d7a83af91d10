"""Linear maps as values: what each form is, and how it acts.

A map takes a tensor of shape `in_shape` to one of shape `out_shape`. Arrays of many tensors carry their count in front:
`apply` takes (rows, *in_shape) to (rows, *out_shape), `transpose` takes (rows, *out_shape) back. Every form can be
written out as its dense matrix, and the contract test holds each form to it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

Shape = tuple[int, ...]


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
        """The matrix (out_size, in_size) that maps a flattened input to the flattened output."""
        if self.in_size <= self.out_size:
            basis = np.eye(self.in_size).reshape(self.in_size, *self.in_shape)
            return np.ascontiguousarray(self.apply(basis).reshape(self.in_size, self.out_size).T)
        basis = np.eye(self.out_size).reshape(self.out_size, *self.out_shape)
        return self.transpose(basis).reshape(self.out_size, self.in_size)


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


@dataclass(frozen=True, eq=False)
class Diagonal(LinearMap):
    """y = scale x, element by element.

    `scale` has one axis more than `shape`: the first is 1, or the number of rows where each row has a scale of its own
    (the slopes of a bend at many rows); each other axis is 1 or that of `shape`.
    """

    scale: np.ndarray
    shape: Shape

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

    @property
    def cost(self) -> Cost:
        return Cost(self.in_size, self.scale.size)


@dataclass(frozen=True, eq=False)
class Dense(LinearMap):
    """y = W x along the last axis, the same W for every position of the axes before it.

    `weight` is (out, in); `leading` is the shape of the axes before the last.
    """

    weight: np.ndarray
    leading: Shape = ()

    @property
    def in_shape(self) -> Shape:
        return (*self.leading, self.weight.shape[1])

    @property
    def out_shape(self) -> Shape:
        return (*self.leading, self.weight.shape[0])

    def apply(self, x: np.ndarray) -> np.ndarray:
        return x @ self.weight.T

    def transpose(self, y: np.ndarray) -> np.ndarray:
        return y @ self.weight

    @property
    def cost(self) -> Cost:
        return Cost(math.prod(self.leading) * self.weight.size, self.weight.size)

    @property
    def is_whole(self) -> bool:
        """Whether W acts on the whole tensor at once (every axis before the last has length 1)."""
        return math.prod(self.leading) == 1


@dataclass(frozen=True, eq=False)
class Blocks(LinearMap):
    """y = W_i x_i along the last axis, with a W of its own at each position: the tangent of Softmax, LayerNormalization.

    `weights` is (*leading, out, in); an axis of `leading` in it may be 1 where positions share their W.
    """

    weights: np.ndarray
    leading: Shape

    @property
    def in_shape(self) -> Shape:
        return (*self.leading, self.weights.shape[-1])

    @property
    def out_shape(self) -> Shape:
        return (*self.leading, self.weights.shape[-2])

    def apply(self, x: np.ndarray) -> np.ndarray:
        return np.matmul(self.weights, x[..., None])[..., 0]

    def transpose(self, y: np.ndarray) -> np.ndarray:
        return np.matmul(np.swapaxes(self.weights, -1, -2), y[..., None])[..., 0]

    @property
    def cost(self) -> Cost:
        macs = math.prod(self.leading) * self.weights.shape[-1] * self.weights.shape[-2]
        return Cost(macs, self.weights.size)


@dataclass(frozen=True, eq=False)
class Selection(LinearMap):
    """y_j = x_index[j], or 0 where index is −1: reshape, transpose, slice, gather, pad, concat, expand.

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
        flat = x.reshape(len(x), -1)
        if self.is_reshape:
            return flat.reshape(len(x), *self.out_shape)
        picked = flat[:, self.index.reshape(-1)] if self.in_size else np.zeros((len(x), self.out_size))
        picked[:, (self.index < 0).reshape(-1)] = 0.0
        return picked.reshape(len(x), *self.out_shape)

    def transpose(self, y: np.ndarray) -> np.ndarray:
        flat = y.reshape(len(y), -1)
        if self.is_reshape:
            return flat.reshape(len(y), *self.in_shape)
        index = self.index.reshape(-1)
        used = np.flatnonzero(index >= 0)
        scatter = csr_array((np.ones(len(used)), (index[used], used)), shape=(self.in_size, self.out_size))
        return np.ascontiguousarray((scatter @ flat.T).T).reshape(len(y), *self.in_shape)

    @property
    def is_reshape(self) -> bool:
        """Whether the elements stay in their order, so that only the shape changes."""
        if self.in_size != self.out_size:
            return False
        return bool(np.array_equal(self.index.reshape(-1), np.arange(self.in_size)))

    @staticmethod
    def reshape(source: Shape, target: Shape) -> Selection:
        """The selection that changes the shape only."""
        return Selection(np.arange(math.prod(source)).reshape(target), source)


@dataclass(frozen=True, eq=False)
class Convolution(LinearMap):
    """ONNX's Conv without its bias: `kernel` (out, in / groups, *k), zero padding `pads` = ((begin, end), …).

    `source` is the input's shape (batch, in, *spatial).
    """

    kernel: np.ndarray
    source: Shape
    strides: Shape
    pads: tuple[tuple[int, int], ...]
    dilations: Shape
    groups: int = 1

    @property
    def in_shape(self) -> Shape:
        return self.source

    @property
    def out_shape(self) -> Shape:
        spatial = (
            (size + begin + end - dilation * (k - 1) - 1) // stride + 1
            for size, (begin, end), dilation, k, stride in zip(
                self.source[2:], self.pads, self.dilations, self.kernel.shape[2:], self.strides, strict=True
            )
        )
        return (self.source[0], self.kernel.shape[0], *spatial)

    def _taps(self) -> Iterable[tuple[tuple[int, ...], tuple[slice, ...]]]:
        """Each kernel position with the slices of the padded input that it meets."""
        spatial = self.out_shape[2:]
        for tap in np.ndindex(*self.kernel.shape[2:]):
            starts = [t * d for t, d in zip(tap, self.dilations, strict=True)]
            yield (
                tap,
                tuple(
                    slice(start, start + stride * (size - 1) + 1, stride)
                    for start, stride, size in zip(starts, self.strides, spatial, strict=True)
                ),
            )

    def _grouped(self, x: np.ndarray) -> np.ndarray:
        """(n, channels, *spatial) as (n, groups, channels / groups, positions)."""
        return x.reshape(x.shape[0], self.groups, x.shape[1] // self.groups, -1)

    def _tap_weights(self, tap: tuple[int, ...]) -> np.ndarray:
        weight = self.kernel[(slice(None), slice(None), *tap)]
        return weight.reshape(self.groups, -1, weight.shape[1])

    def apply(self, x: np.ndarray) -> np.ndarray:
        flat = x.reshape(-1, *self.source[1:])
        padded = np.pad(flat, ((0, 0), (0, 0), *self.pads))
        out = np.zeros((len(flat), self.groups, self.kernel.shape[0] // self.groups, math.prod(self.out_shape[2:])))
        for tap, slices in self._taps():
            out += self._tap_weights(tap) @ self._grouped(padded[(slice(None), slice(None), *slices)])
        return out.reshape(len(x), *self.out_shape)

    def transpose(self, y: np.ndarray) -> np.ndarray:
        flat = y.reshape(-1, *self.out_shape[1:])
        sizes = [size + begin + end for size, (begin, end) in zip(self.source[2:], self.pads, strict=True)]
        padded = np.zeros((len(flat), self.source[1], *sizes))
        grouped = self._grouped(flat)
        for tap, slices in self._taps():
            back = np.swapaxes(self._tap_weights(tap), -1, -2) @ grouped
            padded[(slice(None), slice(None), *slices)] += back.reshape(len(flat), self.source[1], *self.out_shape[2:])
        inner = tuple(slice(begin, begin + size) for size, (begin, _) in zip(self.source[2:], self.pads, strict=True))
        return padded[(slice(None), slice(None), *inner)].reshape(len(y), *self.in_shape)

    @property
    def cost(self) -> Cost:
        per_position = self.kernel.size
        return Cost(self.source[0] * math.prod(self.out_shape[2:]) * per_position, self.kernel.size)


@dataclass(frozen=True, eq=False)
class Chain(LinearMap):
    """Several maps one after the other, the first applied first."""

    maps: tuple[LinearMap, ...]

    @property
    def in_shape(self) -> Shape:
        return self.maps[0].in_shape

    @property
    def out_shape(self) -> Shape:
        return self.maps[-1].out_shape

    def apply(self, x: np.ndarray) -> np.ndarray:
        for step in self.maps:
            x = step.apply(x)
        return x

    def transpose(self, y: np.ndarray) -> np.ndarray:
        for step in reversed(self.maps):
            y = step.transpose(y)
        return y

    @property
    def cost(self) -> Cost:
        return Cost.total(step.cost for step in self.maps)


@dataclass(frozen=True, eq=False)
class Sum(LinearMap):
    """Several maps of one source, added up."""

    maps: tuple[LinearMap, ...]

    @property
    def in_shape(self) -> Shape:
        return self.maps[0].in_shape

    @property
    def out_shape(self) -> Shape:
        return self.maps[0].out_shape

    def apply(self, x: np.ndarray) -> np.ndarray:
        return sum((term.apply(x) for term in self.maps[1:]), start=self.maps[0].apply(x))

    def transpose(self, y: np.ndarray) -> np.ndarray:
        return sum((term.transpose(y) for term in self.maps[1:]), start=self.maps[0].transpose(y))

    @property
    def cost(self) -> Cost:
        return Cost.total(term.cost for term in self.maps)
