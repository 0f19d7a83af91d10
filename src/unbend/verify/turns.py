"""Values that the collapsed file holds in other units: does every bend between the stretches hand them on rightly?

Scales, for s, t > 0 of each element or channel and every finite x:

    f(s x) = s f(x)                          Relu, LeakyRelu, PRelu, Abs, Clip and Max and Min at 0, MaxPool by channel
    (s a)(t b) = s t (a b)                   Mul, Div and MatMul of two values
    (a diag s)(diag s⁻¹ b) = a b             MatMul, along the axis that is summed

Shifts: softmax(x + c 1ᵀ) = softmax(x); a product with k + c adds (q c) 1ᵀ to q k; rows of a softmax add up to 1; an
instance normalisation does not see a constant of a channel. A bend that is not here hands nothing on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from unbend.verify.certificate import Turn
from unbend.verify.reading import File, Node

CLOSE = 1e-13
"""Scales that were multiplied in another order agree to this."""

NONE = Turn.of()


class Stopped(Exception):
    """A bend does not hand a turn on; the text says why."""


@dataclass(frozen=True, eq=False)
class Bend:
    """A node outside the stretches, with the units of what it reads, and the shapes that are known."""

    file: File
    node: Node
    turns: Mapping[str, Turn]
    shapes: Mapping[str, tuple[int | None, ...]]

    def turn(self, position: int) -> Turn:
        """The units of an input."""
        name = self.node.inputs[position] if position < len(self.node.inputs) else ""
        return self.turns.get(name, NONE)

    def constant(self, position: int) -> np.ndarray | None:
        """A constant input."""
        name = self.node.inputs[position] if position < len(self.node.inputs) else ""
        return self.file.constants[name].astype(np.float64) if name in self.file.constants else None

    def rank(self, position: int) -> int:
        """How many axes an input has."""
        shape = self.shapes.get(self.node.inputs[position])
        if shape is None:
            raise Stopped(f"the shape of {self.node.inputs[position]} is not known")
        return len(shape)


Rule = Callable[[Bend], Turn]
_RULES: dict[str, Rule] = {}


def _passes(*op_types: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        _RULES.update(dict.fromkeys(op_types, rule))
        return rule

    return register


def handed_on(bend: Bend) -> Turn:
    """The units of the outputs of a node that reads values in other units.

    Raises
    ------
    Stopped
        It is not known to hand them on.
    """
    rule = _RULES.get(bend.node.op_type) if bend.node.domain == "" else None
    if rule is None or any(name in bend.turns for name in bend.node.captured):
        raise Stopped(f"{bend.node.label} is not known to hand on other units")
    try:
        return rule(bend)
    except ValueError as error:
        raise Stopped(f"{bend.node.label} cannot hand on units of that shape: {error}") from error


def agree(one: Turn, other: Turn) -> bool:
    """Whether two turns are the same, but for a number that is not known."""
    return _close(one.scale, other.scale) and _close(one.shift, other.shift)


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    try:
        return bool(np.allclose(a, b, rtol=CLOSE, atol=CLOSE * float(np.max(np.abs(b), initial=0.0))))
    except ValueError:
        return False


def _scale_only(bend: Bend, positions: Sequence[int]) -> list[np.ndarray]:
    """The scales of some inputs, none of which is shifted."""
    turns = [bend.turn(i) for i in positions]
    if any(turn.alike or turn.shift.any() for turn in turns):
        raise Stopped(f"{bend.node.label} does not hand on a shift")
    return [turn.scale for turn in turns]


def _common(bend: Bend, positions: Sequence[int]) -> Turn:
    """One positive scale of all these inputs."""
    scales = _scale_only(bend, positions)
    if not all((scale > 0).all() for scale in scales) or not all(_close(scale, scales[0]) for scale in scales):
        raise Stopped(f"{bend.node.label} does not hand on scales that differ, or that are not above zero")
    return Turn.of(scales[0])


@_passes("Relu", "LeakyRelu", "Abs")
def _homogeneous(bend: Bend) -> Turn:
    return _common(bend, [0])


@_passes("PRelu")
def _prelu(bend: Bend) -> Turn:
    if bend.constant(1) is None:
        raise Stopped(f"{bend.node.label} has a slope that varies")
    return _common(bend, [0])


@_passes("Clip")
def _clip(bend: Bend) -> Turn:
    given = [i for i in (1, 2) if i < len(bend.node.inputs) and bend.node.inputs[i]]
    limits = [bend.constant(i) for i in given]
    limits += [np.array(bend.node.attributes[key]) for key in ("min", "max") if key in bend.node.attributes]
    if not all(limit is not None and bool(np.all((limit == 0) | np.isinf(limit))) for limit in limits):
        raise Stopped(f"{bend.node.label} holds back elsewhere than at 0")
    return _common(bend, [0])


@_passes("Max", "Min")
def _extremum(bend: Bend) -> Turn:
    constants = {i: bend.constant(i) for i in range(len(bend.node.inputs))}
    if any(one is not None and one.any() for one in constants.values()):
        raise Stopped(f"{bend.node.label} compares with a constant that is not 0")
    return _common(bend, [i for i, one in constants.items() if one is None])


@_passes("MaxPool", "GlobalMaxPool")
def _largest(bend: Bend) -> Turn:
    turn = _common(bend, [0])
    if any(size != 1 for axis, size in enumerate(turn.scale.shape) if axis != turn.scale.ndim - bend.rank(0) + 1):
        raise Stopped(f"{bend.node.label} compares numbers of different scales")
    return turn


def _keeps_alike(bend: Bend) -> Turn | None:
    """A number that is the same along the last axis stays so where it is scaled, or where something else is added."""
    turns = [bend.turn(i) for i in range(len(bend.node.inputs))]
    if not any(turn.alike for turn in turns):
        return None
    for i, turn in enumerate(turns):
        if turn.alike and ((turn.scale != 1.0).any() or turn.shift.any()):
            raise Stopped(f"{bend.node.label} does not hand on a scale beside an unknown number")
        if not turn.alike and not turn.is_none:
            raise Stopped(f"{bend.node.label} reads values in different units")
        if not turn.alike and bend.node.op_type in ("Mul", "Div") and not _same_along_last(bend, i):
            raise Stopped(f"{bend.node.label} scales differently along the last axis")
    return Turn.of(alike=True)


def _same_along_last(bend: Bend, position: int) -> bool:
    constant = bend.constant(position)
    shape = bend.shapes.get(bend.node.inputs[position]) if constant is None else constant.shape
    return shape is not None and (not shape or shape[-1] == 1)


@_passes("Add", "Sub")
def _sum(bend: Bend) -> Turn:
    turn = _keeps_alike(bend)
    if turn is None:
        raise Stopped(f"{bend.node.label} adds values in different units")
    return turn


@_passes("Mul")
def _product(bend: Bend) -> Turn:
    if (turn := _keeps_alike(bend)) is not None:
        if bend.turn(0).alike and bend.turn(1).alike:
            raise Stopped(f"{bend.node.label} multiplies two values with unknown numbers")
        return turn
    a, b = _scale_only(bend, [0, 1])
    return Turn.of(a * b)


@_passes("Div")
def _quotient(bend: Bend) -> Turn:
    if bend.turn(1).alike:
        raise Stopped(f"{bend.node.label} divides by a value with an unknown number")
    if (turn := _keeps_alike(bend)) is not None:
        return turn
    a, b = _scale_only(bend, [0, 1])
    return Turn.of(a / b)


@_passes("MatMul")
def _matmul(bend: Bend) -> Turn:
    a, b = bend.turn(0), bend.turn(1)
    if a.alike or b.alike or a.shift.any() or min(bend.rank(0), bend.rank(1)) < 2:
        raise Stopped(f"{bend.node.label} does not hand on a shift of its first factor")
    scale = _product_scale(bend, _axes(a.scale, bend.rank(0)), _axes(b.scale, bend.rank(1)))
    if not b.shift.any():
        return Turn.of(scale)
    shift = _axes(b.shift, bend.rank(1))
    if shift.shape[-2] == 1 and _is_softmax(bend.file.makers.get(bend.node.inputs[0]), bend.rank(0)) and a.is_none:
        return Turn.of(scale, shift)
    if shift.shape[-1] == 1:
        return Turn.of(scale, alike=True)
    raise Stopped(f"{bend.node.label} does not hand on that shift of its second factor")


def _axes(array: np.ndarray, rank: int) -> np.ndarray:
    """The array with as many axes as the value has, aligned at the right."""
    if array.ndim > rank:
        return array.reshape(array.shape[array.ndim - rank :]) if array.size else array
    return array.reshape((1,) * (rank - array.ndim) + array.shape)


def _product_scale(bend: Bend, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The scale of a product: of the rows of a and the columns of b; along the axis that is summed they must cancel."""
    if a.shape[-1] == 1 and b.shape[-2] == 1:
        return a * b
    if a.shape[-2] != 1 or b.shape[-1] != 1:
        raise Stopped(f"{bend.node.label} sums numbers of different scales")
    summed = np.swapaxes(a, -1, -2) * b
    first = summed[..., :1, :]
    if not _close(np.broadcast_to(first, summed.shape), summed):
        raise Stopped(f"{bend.node.label} sums numbers of different scales")
    return first


def _is_softmax(node: Node | None, rank: int) -> bool:
    """Whether its rows, along the last axis, add up to 1."""
    return node is not None and node.op_type == "Softmax" and _is_along_last(node, rank)


def _is_along_last(node: Node, rank: int) -> bool:
    """Whether a softmax is along the last axis only; before opset 13 it is over all from one on, by default from 1."""
    return node.attributes.get("axis", -1 if node.version >= 13 else 1) in (-1, rank - 1)


@_passes("Softmax", "LogSoftmax")
def _softmax(bend: Bend) -> Turn:
    turn, rank = bend.turn(0), bend.rank(0)
    alike = _axes(turn.shift, rank).shape[-1] == 1
    if not _is_along_last(bend.node, rank) or (turn.scale != 1.0).any() or not alike:
        raise Stopped(f"{bend.node.label} sees what is added to its input")
    return NONE


@_passes("InstanceNormalization")
def _instance_normalization(bend: Bend) -> Turn:
    turn, rank = bend.turn(0), bend.rank(0)
    shift = _axes(turn.shift, rank)
    per_channel = all(size == 1 for axis, size in enumerate(shift.shape) if axis != 1)
    if turn.alike or (turn.scale != 1.0).any() or not per_channel:
        raise Stopped(f"{bend.node.label} sees what is added to its input")
    return NONE
