"""y = W x + b as a value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unbend.affine.add import add
from unbend.affine.compose import compose
from unbend.affine.maps import Cost, Identity, LinearMap, shrink


@dataclass(frozen=True, eq=False)
class Affine:
    """The map x ↦ linear(x) + offset; `offset` has the output's rank and broadcasts to its shape.

    A bias before a zero-padded convolution becomes an offset that depends on the position: nothing is approximated,
    the offset simply has the shape that it needs.
    """

    linear: LinearMap
    offset: np.ndarray

    @staticmethod
    def identity(shape: tuple[int, ...]) -> Affine:
        """y = x."""
        return Affine(Identity(shape), np.zeros((1,) * len(shape)))

    @property
    def cost(self) -> Cost:
        """Cost of the linear part and of the numbers in the offset (an all-zero offset is free)."""
        return self.linear.cost + Cost(0, self.offset.size if self.offset.any() else 0)

    def apply(self, x: np.ndarray) -> np.ndarray:
        """The images of (rows, *in_shape)."""
        return self.linear.apply(x) + self.offset

    def then(self, second: Affine) -> Affine:
        """x ↦ second(self(x)): W_2 W_1 x + (W_2 b_1 + b_2)."""
        return Affine(compose(second.linear, self.linear), shrink(self._offset_through(second)))

    def _offset_through(self, second: Affine) -> np.ndarray:
        if not self.offset.any():
            return second.offset
        return second.linear.image(self.offset) + second.offset

    def plus(self, other: Affine) -> Affine:
        """x ↦ self(x) + other(x)."""
        return Affine(add(self.linear, other.linear), shrink(self.offset + other.offset))

    def dense(self) -> tuple[np.ndarray, np.ndarray]:
        """W (out_size, in_size) and b (out_size,) for flattened tensors."""
        return self.linear.dense(), np.broadcast_to(self.offset, self.linear.out_shape).reshape(-1).copy()
