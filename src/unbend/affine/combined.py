"""Maps made of other maps: one after the other, added up, transposed."""

# ruff: noqa: D102  the methods are those of LinearMap, described there
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unbend.affine.maps import Cost, LinearMap, Shape, shrink


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

    def image(self, offset: np.ndarray) -> np.ndarray:
        for step in self.maps:
            offset = shrink(step.image(offset))
        return offset

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

    def image(self, offset: np.ndarray) -> np.ndarray:
        return sum((term.image(offset) for term in self.maps[1:]), start=self.maps[0].image(offset))

    @property
    def cost(self) -> Cost:
        return Cost.total(term.cost for term in self.maps)


@dataclass(frozen=True, eq=False)
class Transposed(LinearMap):
    """The transpose of a map: what ConvTranspose is to Conv."""

    of: LinearMap

    @property
    def in_shape(self) -> Shape:
        return self.of.out_shape

    @property
    def out_shape(self) -> Shape:
        return self.of.in_shape

    def apply(self, x: np.ndarray) -> np.ndarray:
        return self.of.transpose(x)

    def transpose(self, y: np.ndarray) -> np.ndarray:
        return self.of.apply(y)

    @property
    def cost(self) -> Cost:
        return self.of.cost
