"""Values that a stretch takes as given: the other factor of a product of two values, attention's weights for instance.

Whatever such a P is, both files must make the same of it: P (V W) = (P V) W. Both are linear in each entry of P, so
signs are put in for it, others at each trial. What adds up to 1, as a softmax does, is given by numbers that do.
"""

from __future__ import annotations

import numpy as np

from unbend.verify.certificate import Shapes, Stretch
from unbend.verify.ops import Unknown
from unbend.verify.piece import Piece
from unbend.verify.reading import File

DRAWS = 48
"""A wrong number shows with a chance of a half for P, and of a half for the other factor: (3/4)^48 is 2⁻²⁰."""


def sums_along(file: File, name: str, rank: int) -> int | None:
    """The axis (counted from the end) along which the value adds up to 1, if it is a softmax, maybe transposed."""
    node = file.makers.get(name)
    if node is None or node.domain != "":
        return None
    if node.op_type == "Softmax":
        axis = node.attributes.get("axis", -1)
        return axis - rank if axis >= 0 else axis
    if node.op_type == "Transpose":
        order = list(node.attributes.get("perm", range(rank)[::-1]))
        axis = sums_along(file, node.inputs[0], rank)
        return None if axis is None else order.index(axis + rank) - rank
    return None


def draws(file: File, stretch: Stretch, shapes: Shapes, rng: np.random.Generator) -> list[dict[str, np.ndarray]]:
    """Numbers for what the stretch is given, again and again; one empty draw where it is given nothing."""
    names = [end.original for end in stretch.sources if end.given]
    if not names:
        return [{}]
    axes = {name: sums_along(file, name, len(shapes[name])) for name in names}
    return [{name: _drawn(shapes[name], axes[name], rng) for name in names} for _ in range(DRAWS)]


def _drawn(shape: tuple[int, ...], axis: int | None, rng: np.random.Generator) -> np.ndarray:
    """Random signs; those along an axis that adds up to 1 are one more plus than minus, and a zero where they are even.

    They add up without rounding.
    """
    if axis is None:
        return rng.choice((-1.0, 1.0), size=shape)
    length = shape[axis]
    line = np.where(np.arange(length) < (length + 1) // 2, 1.0, -1.0)
    if length % 2 == 0:
        line[-1 if length > 2 else 1] = 0.0
        line[: length // 2] = 1.0
    lines = np.moveaxis(np.broadcast_to(line, (*np.delete(shape, axis), length)), -1, axis)
    return rng.permuted(lines, axis=axis)


def check(piece: Piece, names: list[str]) -> None:
    """What is given takes part in one product of two values, and in nothing else.

    Raises
    ------
    Unknown
        Something else reads it, so that signs would not stand for all numbers.
    """
    for name in names:
        readers = [node for node in piece.nodes if name in node.inputs]
        if [node.op_type for node in readers] != ["MatMul"] or readers[0].domain != "":
            raise Unknown(f"{name} is taken as given, and is not one factor of one product")
        if readers[0].inputs[0] == readers[0].inputs[1]:
            raise Unknown(f"{name} is taken as given, and multiplied by itself")
