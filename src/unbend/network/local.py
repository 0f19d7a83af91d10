"""What an op answers: which affine map it is near its inputs, and how far that holds.

`everywhere`: the op is that affine map for every input (Gemm, Conv, Reshape …). `region`: it is, as long as no bend is
crossed (Relu, Clip, MaxPool). `point`: it is only tangent there (Softmax, Tanh, a product of two variable values).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from unbend.affine import Diagonal, Identity, LinearMap, Shape, shrink

Reach = Literal["everywhere", "region", "point"]


class Unsupported(Exception):
    """An op cannot say which affine map it is; the text says why, for people."""


@dataclass(frozen=True)
class Operand:
    """One input of a node: a constant, or a value that depends on the network's input.

    `shape` is the tensor's shape for one row of the user's table. `value` is (rows, *shape) where the network is being
    evaluated, and None where only its structure is asked for.
    """

    name: str
    shape: Shape
    constant: np.ndarray | None = None
    value: np.ndarray | None = None

    @property
    def variable(self) -> bool:
        """Whether it depends on the network's input."""
        return self.constant is None

    @property
    def rows(self) -> np.ndarray:
        """The value with the rows in front; a constant gets a row axis of length 1."""
        if self.constant is not None:
            return np.asarray(self.constant, dtype=np.float64)[None]
        if self.value is None:
            raise Unsupported(f"{self.name} has no value yet")
        return self.value


@dataclass(frozen=True, eq=False)
class Local:
    """The affine map of one output of a node near its inputs: output = Σ map_i(input_i) + offset.

    An op that is affine everywhere gives `offset`; a bend gives its `value` at the inputs, and its maps only when they
    are asked for.
    """

    parts: Mapping[int, Callable[[], LinearMap]]
    offset: np.ndarray | None = None
    value: np.ndarray | None = None
    units: np.ndarray | None = field(default=None)

    @staticmethod
    def affine(maps: Mapping[int, LinearMap], offset: np.ndarray | float = 0.0) -> Local:
        """An op that is affine for every input. `offset` broadcasts to the output's shape."""
        rank = len(next(iter(maps.values())).out_shape)
        array = np.asarray(offset, dtype=np.float64)
        array = array.reshape((1,) * (rank - array.ndim) + array.shape) if array.ndim < rank else array
        parts = {position: (lambda kept=linear: kept) for position, linear in maps.items()}
        return Local(parts, offset=shrink(array))

    @staticmethod
    def bend(value: np.ndarray, parts: Mapping[int, Callable[[], LinearMap]]) -> Local:
        """A bend: its value (rows, *shape) and, for each variable input, how to make its tangent map."""
        return Local(parts, value=value)

    @staticmethod
    def elementwise(value: np.ndarray, slope: Callable[[], np.ndarray], position: int = 0) -> Local:
        """A bend that acts on each element alone: its value and its slope, both (rows, *shape)."""
        return Local({position: lambda: Diagonal(slope(), value.shape[1:])}, value=value)

    @cached_property
    def maps(self) -> dict[int, LinearMap]:
        """The linear map from each variable input, by its position."""
        return {position: make() for position, make in self.parts.items()}


def broadcast_map(shape: Shape, target: Shape) -> LinearMap:
    """How an operand of `shape` becomes one of `target` under ONNX's broadcasting (axes aligned at the right)."""
    if shape == target:
        return Identity(shape)
    from unbend.affine import Selection

    index = np.arange(int(np.prod(shape))).reshape(shape)
    return Selection(np.broadcast_to(index, target).copy(), shape)
