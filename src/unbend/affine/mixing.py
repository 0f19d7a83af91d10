"""Products with a matrix P that is known only when the network runs: y = P x over the last axis but one, or y = x P.

Attention is one. What changes places with it does so for every P, so that any numbers can stand in for P.
"""

# ruff: noqa: D102  the methods are those of LinearMap, described there
from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from unbend.affine.maps import Cost, LinearMap, Shape


@dataclass(frozen=True, eq=False)
class Mixing(LinearMap):
    """y = P x over the last two axes, or y = x P with `last`.

    `weights` stands in for P, with as many axes as `shape` has, or one more in front for rows; the axes before the last
    two are 1 or those of `shape`. With `means` what is added up adds up to 1: the rows of P, or its columns for `last`.
    """

    weights: np.ndarray
    shape: Shape
    last: bool = False
    means: bool = False

    @property
    def axis(self) -> int:
        """The axis that is mixed, counted from the end."""
        return -1 if self.last else -2

    @property
    def in_shape(self) -> Shape:
        return self.shape

    @property
    def out_shape(self) -> Shape:
        if self.last:
            return (*self.shape[:-1], self.weights.shape[-1])
        return (*self.shape[:-2], self.weights.shape[-2], self.shape[-1])

    def apply(self, x: np.ndarray) -> np.ndarray:
        return np.matmul(x, self.weights) if self.last else np.matmul(self.weights, x)

    def transpose(self, y: np.ndarray) -> np.ndarray:
        turned = np.swapaxes(self.weights, -1, -2)
        return np.matmul(y, turned) if self.last else np.matmul(turned, y)

    def image(self, offset: np.ndarray) -> np.ndarray:
        return offset if self.hands_on(offset) else super().image(offset)

    def hands_on(self, offset: np.ndarray) -> bool:
        """Whether it gives a tensor back as it is: means of what does not change along the axis."""
        return self.means and offset.shape[self.axis] == 1

    def of(self, shape: Shape) -> Mixing:
        """The same for tensors of another shape, which differs along the axis that is not mixed only."""
        return replace(self, shape=shape)

    def by(self, rows: np.ndarray) -> Mixing:
        """The same with a P for each row, (rows, …)."""
        count, *own = rows.shape
        return replace(self, weights=rows.reshape(count, *(1,) * (len(self.shape) - len(own)), *own))

    @property
    def cost(self) -> Cost:
        return Cost(self.out_size * self.shape[self.axis])
