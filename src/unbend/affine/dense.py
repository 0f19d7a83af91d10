"""Products with a matrix along the last axis: one matrix for all positions, or one for each."""

# ruff: noqa: D102  the methods are those of LinearMap, described there
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from unbend.affine.maps import Cost, LinearMap, Shape
from unbend.affine.numbers import Stored, numbers


@dataclass(frozen=True, eq=False)
class Dense(LinearMap):
    """y = W x along the last axis, the same W for every position of the axes before it.

    `stored` is `weight` (out, in) as it is kept; `leading` is the shape of the axes before the last.
    """

    stored: Stored
    leading: Shape = ()

    @property
    def weight(self) -> np.ndarray:
        """W in float64."""
        return numbers(self.stored, keep=True)

    @property
    def in_shape(self) -> Shape:
        return (*self.leading, self.stored.shape[1])

    @property
    def out_shape(self) -> Shape:
        return (*self.leading, self.stored.shape[0])

    def apply(self, x: np.ndarray) -> np.ndarray:
        return _along_last(x, self.weight.T)

    def transpose(self, y: np.ndarray) -> np.ndarray:
        return _along_last(y, self.weight)

    def image(self, offset: np.ndarray) -> np.ndarray:
        return np.broadcast_to(offset, (*offset.shape[:-1], self.stored.shape[1])) @ self.weight.T

    @property
    def cost(self) -> Cost:
        return Cost(math.prod(self.leading) * self.stored.size, self.stored.size)

    @property
    def is_whole(self) -> bool:
        """Whether W acts on the whole tensor at once (every axis before the last has length 1)."""
        return math.prod(self.leading) == 1


@dataclass(frozen=True, eq=False)
class Blocks(LinearMap):
    """y = W_i x_i along the last axis, with a W of its own at each position i: a product of two variable tensors.

    `weights` is (rows, *leading, out, in); the first axis is 1, or the number of rows where each row has its own; an
    axis of `leading` in it may be 1 where positions share their W.
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
        return _products(x, np.swapaxes(self.weights, -1, -2))

    def transpose(self, y: np.ndarray) -> np.ndarray:
        return _products(y, self.weights)

    @property
    def cost(self) -> Cost:
        macs = math.prod(self.leading) * self.weights.shape[-1] * self.weights.shape[-2]
        return Cost(macs, self.weights.size)


def _along_last(x: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """x M along the last axis, as one product of matrices."""
    rows = x.reshape(math.prod(x.shape[:-1]), len(matrix))
    return (rows @ matrix).reshape(*x.shape[:-1], matrix.shape[1])


def _products(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """x_i W_i for each position i; positions of the last axis that share their W are one product of matrices."""
    if x.ndim > 2 and weights.shape[-3] == 1:
        return np.matmul(x, weights[..., 0, :, :])
    return np.matmul(x[..., None, :], weights)[..., 0, :]
