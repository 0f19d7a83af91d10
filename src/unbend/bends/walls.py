"""Where the units of a bend switch: how far each is from its wall, and how fast it gets there."""

from __future__ import annotations

import numpy as np

from unbend.bends.tangent import Visit
from unbend.network import Node

Walls = tuple[np.ndarray, np.ndarray]
"""`gap` (walls,), zero on the wall, and its derivative by each input (inputs, walls)."""


def walls(visit: Visit) -> Walls | None:
    """The walls of a piecewise-linear bend that acts on each element alone, or on the larger of its inputs.

    None for a bend whose walls are not of that kind (a smooth one, a pool).
    """
    node = visit.node
    if node.op_type in ("Max", "Min"):
        return _between(visit)
    thresholds = _thresholds(visit)
    if thresholds is None:
        return None
    name = node.inputs[0]
    value, slope = visit.values[name].reshape(-1), visit.tangents[name]
    slope = slope.reshape(len(slope), -1)
    gaps = np.concatenate([value - np.broadcast_to(t, visit.values[name].shape).reshape(-1) for t in thresholds])
    return gaps, np.concatenate([slope] * len(thresholds), axis=1)


def _thresholds(visit: Visit) -> list[np.ndarray | float] | None:
    node = visit.node
    if node.op_type in ("Relu", "LeakyRelu", "PRelu", "Abs"):
        return [0.0]
    if node.op_type == "ThresholdedRelu":
        return [float(node.attribute("alpha", 1.0))]
    if node.op_type == "HardSigmoid":
        alpha, beta = float(node.attribute("alpha", 0.2)), float(node.attribute("beta", 0.5))
        return [-beta / alpha, (1.0 - beta) / alpha] if alpha else None
    if node.op_type == "Clip":
        return _bounds(visit, node)
    return None


def _bounds(visit: Visit, node: Node) -> list[np.ndarray | float] | None:
    constants = visit.constants
    bounds: list[np.ndarray | float] = []
    for name in node.inputs[1:3]:
        if name and name not in constants:
            return None
        if name:
            bounds.append(np.asarray(constants[name], dtype=np.float64))
    return bounds or None


def _between(visit: Visit) -> Walls | None:
    """Two inputs of Max or Min meet where their difference is zero."""
    node = visit.node
    if len(node.inputs) != 2:
        return None
    sides = [_side(visit, name) for name in node.inputs]
    gap = sides[0][0] - sides[1][0]
    slope = sides[0][1] - sides[1][1]
    slope = np.broadcast_to(slope, (slope.shape[0], *gap.shape[1:]))
    return gap.reshape(-1), slope.reshape(len(slope), -1)


def _side(visit: Visit, name: str) -> Walls:
    if name in visit.constants:
        constant = np.asarray(visit.constants[name], dtype=np.float64)[None]
        inputs = len(next(iter(visit.tangents.values())))
        return constant, np.zeros((inputs, *constant.shape[1:]))
    return visit.values[name], visit.tangents[name]
