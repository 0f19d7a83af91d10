"""What an op answers: which affine map it is near its inputs, and how far that holds.

`everywhere`: the op is that affine map for every input (Gemm, Conv, Reshape …). `region`: it is, as long as no bend is
crossed (Relu, Clip, MaxPool). `point`: it is only tangent there (Softmax, Tanh, a product of two variable values).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from unbend.affine import Diagonal, Identity, LinearMap, Selection, Shape, shrink

Reach = Literal["everywhere", "region", "point"]
Numbers = np.ndarray | float


def quiet() -> AbstractContextManager[None]:
    """No warning where a function has no finite value or slope: the infinity or NaN itself says so."""
    return np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore")  # type: ignore[return-value]


class Unsupported(Exception):
    """An op cannot say which affine map it is; the text says why, for people."""


class Random(Unsupported):
    """An op draws random numbers, so it has no value at an input either."""


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

    @property
    def stored(self) -> np.ndarray:
        """The same, a constant in the type that the file stores it in: maps take weights so and compute in float64."""
        if self.constant is None or np.asarray(self.constant).dtype.kind not in "fV":
            return self.rows
        return np.asarray(self.constant)[None]


@dataclass(frozen=True, eq=False)
class Local:
    """The affine map of one output of a node near its inputs: output = Σ map_i(input_i) + offset.

    An op that is affine everywhere gives `offset`; a bend gives its `value` at the inputs, and its maps only when they
    are asked for. Where a bend lets some of its elements pass and holds others back, `active` says which: a boolean
    array (rows, *shape), true where the slope is that of the passing side.
    """

    parts: Mapping[int, Callable[[], LinearMap]]
    offset: np.ndarray | None = None
    value: np.ndarray | None = None
    passing: Callable[[], np.ndarray] | None = None

    @staticmethod
    def affine(maps: Mapping[int, LinearMap], offset: np.ndarray | float = 0.0) -> Local:
        """An op that is affine for every input. `offset` broadcasts to the output's shape."""
        rank = len(next(iter(maps.values())).out_shape)
        array = np.asarray(offset, dtype=np.float64)
        array = array.reshape((1,) * (rank - array.ndim) + array.shape) if array.ndim < rank else array
        parts = {position: (lambda kept=linear: kept) for position, linear in maps.items()}
        return Local(parts, offset=shrink(array))

    @staticmethod
    def bend(
        value: np.ndarray,
        parts: Mapping[int, Callable[[], LinearMap]],
        active: Callable[[], np.ndarray] | None = None,
    ) -> Local:
        """A bend: its value (rows, *shape) and, for each variable input, how to make its tangent map."""
        return Local(parts, value=value, passing=active)

    @staticmethod
    def elementwise(
        value: np.ndarray,
        slope: Callable[[], np.ndarray],
        position: int = 0,
        active: Callable[[], np.ndarray] | None = None,
    ) -> Local:
        """A bend that acts on each element alone: its value and its slope, both (rows, *shape)."""
        return Local.bend(value, {position: lambda: Diagonal(slope(), value.shape[1:])}, active)

    @staticmethod
    def switch(value: np.ndarray, active: Callable[[], np.ndarray], on: Numbers = 1.0, off: Numbers = 0.0) -> Local:
        """A bend with two slopes: `on` where an element is active, else `off`."""
        return Local.elementwise(value, lambda: np.where(active(), on, off), active=active)

    @staticmethod
    def steps(value: np.ndarray, sources: Mapping[int, Shape]) -> Local:
        """A bend that is constant between its jumps: its value, and the shapes of its variable inputs."""
        target = value.shape[1:]
        return Local.bend(value, {i: lambda s=shape: Selection.nothing(s, target) for i, shape in sources.items()})

    @cached_property
    def maps(self) -> dict[int, LinearMap]:
        """The linear map from each variable input, by its position."""
        with quiet():
            return {position: make() for position, make in self.parts.items()}

    @cached_property
    def active(self) -> np.ndarray | None:
        """Which elements pass (rows, *shape), or None for an op of which that cannot be said."""
        return self.passing() if self.passing is not None else None


def broadcast_map(shape: Shape, target: Shape) -> LinearMap:
    """How an operand of `shape` becomes one of `target` under ONNX's broadcasting (axes aligned at the right)."""
    return Identity(shape) if shape == target else Selection.broadcast(shape, target)


def target_of(*operands: Operand) -> Shape:
    """The shape that some operands are broadcast to together."""
    return np.broadcast_shapes(*(operand.shape for operand in operands))


def aligned(operand: Operand, target: Shape) -> np.ndarray:
    """The operand's rows with axes of length 1 put in so that it broadcasts to (rows, *target)."""
    rows = operand.rows
    return rows.reshape(rows.shape[0], *(1,) * (len(target) + 1 - rows.ndim), *rows.shape[1:])
