"""Where the units of a bend switch: how far each is from its wall, and how fast it gets there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from unbend.bends.walk import Visit
from unbend.network import Node
from unbend.network.ops import real

Walls = tuple[np.ndarray, np.ndarray]
"""`gap` (walls,), zero on the wall, and its derivative by each input (inputs, walls)."""

Threshold = np.ndarray | float


class Hold:
    """How far each input, alone, may move before a unit switches; it sees one bend after the other.

    Up to the nearest wall no unit switches, so every unit's derivative stays what it is at the row: the walls are read
    off exactly. A unit that stands on its wall may not move at all.

    Attributes
    ----------
    low, high : (inputs,) at most 0 and at least 0
    count : walls seen
    unknown : labels of the bends whose walls are not known
    """

    def __init__(self, inputs: int) -> None:
        self.low, self.high = np.full(inputs, -np.inf), np.full(inputs, np.inf)
        self.count = 0
        self.unknown: list[str] = []

    def see(self, visit: Visit) -> None:
        """Take in the walls of a bend."""
        found = walls(visit)
        if found is None:
            self.unknown.append(visit.node.label)
            return
        gap, slope = found
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            moves = -gap / slope
        self.count += len(gap)
        self.high = np.minimum(self.high, np.min(moves, axis=1, where=moves >= 0, initial=np.inf))
        self.low = np.maximum(self.low, np.max(moves, axis=1, where=moves <= 0, initial=-np.inf))


def walls(visit: Visit) -> Walls | None:
    """The walls of a piecewise-linear bend that acts on each element alone, or on the larger of two inputs.

    None for a bend whose walls are not of that kind, such as a pool.
    """
    node = visit.node
    if node.op_type in ("Max", "Min"):
        return _between(visit)
    thresholds = _thresholds(visit)
    if thresholds is None:
        return None
    value, slope = _side(visit, node.inputs[0])
    slope = slope.reshape(len(slope), -1)
    gaps = [(value - threshold).reshape(-1) for threshold in thresholds]
    return np.concatenate([np.empty(0), *gaps]), np.concatenate([slope[:, :0], *[slope] * len(gaps)], axis=1)


def _thresholds(visit: Visit) -> list[Threshold] | None:
    """Where on its input an element switches."""
    if visit.node.op_type == "Clip":
        return _limits(visit)
    found = THRESHOLDS.get(visit.node.op_type)
    return None if found is None or visit.node.domain not in ("", "ai.onnx") else found(visit.node)


def _zero(node: Node) -> list[Threshold]:
    return [0.0]


def _thresholded_relu(node: Node) -> list[Threshold]:
    return [real(node, "alpha", 1.0)]


def _shrink(node: Node) -> list[Threshold]:
    limit = real(node, "lambd", 0.5)
    return [-limit, limit]


def _hard_sigmoid(node: Node) -> list[Threshold]:
    alpha, beta = real(node, "alpha", 0.2), real(node, "beta", 0.5)
    return [-beta / alpha, (1.0 - beta) / alpha] if alpha else []


THRESHOLDS: dict[str, Callable[[Node], list[Threshold]]] = {
    "Relu": _zero,
    "LeakyRelu": _zero,
    "PRelu": _zero,
    "Abs": _zero,
    "ThresholdedRelu": _thresholded_relu,
    "Shrink": _shrink,
    "HardSigmoid": _hard_sigmoid,
}


def _limits(visit: Visit) -> list[Threshold] | None:
    names = [name for name in visit.node.inputs[1:3] if name]
    if any(name not in visit.constants for name in names):
        return None
    stated = [real(visit.node, key, 0.0) for key in ("min", "max") if key in visit.node.attributes]
    return stated + [np.asarray(visit.constants[name], dtype=np.float64).reshape(()) for name in names]


def _between(visit: Visit) -> Walls | None:
    """Two inputs of Max or Min meet where their difference is zero."""
    if len(visit.node.inputs) != 2:
        return None
    (first, first_slope), (second, second_slope) = (_side(visit, name) for name in visit.node.inputs)
    rank = max(first.ndim, second.ndim)
    gap = _aligned(first, rank) - _aligned(second, rank)
    slope = _aligned(first_slope, rank) - _aligned(second_slope, rank)
    slope = np.broadcast_to(slope, (len(slope), *gap.shape[1:]))
    return gap.reshape(-1), slope.reshape(len(slope), -1)


def _aligned(array: np.ndarray, rank: int) -> np.ndarray:
    """Axes of length 1 after the first, so that the others broadcast from the right."""
    return array.reshape(len(array), *(1,) * (rank - array.ndim), *array.shape[1:])


def _side(visit: Visit, name: str) -> tuple[np.ndarray, np.ndarray]:
    """A node's input as (1, *shape), and its tangent (inputs, *shape), zero for a constant."""
    if name not in visit.constants:
        return visit.values[name], visit.tangents[name]
    constant = np.asarray(visit.constants[name], dtype=np.float64)[None]
    inputs = len(next(iter(visit.tangents.values())))
    return constant, np.zeros((inputs, *constant.shape[1:]))
