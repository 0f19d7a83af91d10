"""Products with a matrix that change places with what does the same to all that they mix.

W is a matrix for the last axis, or a 1 × 1 convolution; P a pool, a pick, a mean, a move of whole rows or of places, or
a product of the rows by a given value, whatever its numbers:

    P (W x + c) = W P x + P c        W P x + c = P (W x + c)  if P c = c        W (x + t) = W x + W t
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from unbend.affine import Affine, Convolution, Dense, Identity, LinearMap, Mixing, Selection, Shape, shrink
from unbend.affine.channels import for_channels
from unbend.affine.numbers import Unmade
from unbend.affine.windows import is_pointwise
from unbend.collapse.reduce.steps import Step, pieces

Pair = tuple[Step, Step]

WHOLE = 1e-14
"""A row of a pool adds up to 1 within this: it is n times 1/n in float64."""

RULE = "what does the same to all entries changes places with a matrix: P (V W) = (P V) W"


def mixes(step: Step) -> bool:
    """Whether the step is a product by a given value."""
    return isinstance(step.affine.linear, Mixing)


def is_matrix(step: Step) -> bool:
    """Whether the step is a product with a matrix or a 1 × 1 convolution, maybe with its bias."""
    if isinstance(step.affine.linear, Dense):
        return True
    return is_pointwise(step.affine.linear) and not any(size != 1 for size in step.affine.offset.shape[2:])


def bare(step: Step) -> list[Step]:
    """The step as single ones, a product with a matrix and its bias apart."""
    return [part for piece in pieces(step) for part in _bare(piece)]


def _bare(step: Step) -> list[Step]:
    linear, offset = step.affine.linear, step.affine.offset
    if not offset.any() or not is_matrix(step):
        return [step]
    shift = Affine(Identity(linear.out_shape), offset)
    first = Step(Affine(linear, _zero(linear.out_shape)), None, step.rules, part_of=step.part_of)
    return [first, Step(shift, part_of=step.part_of)]


def with_bias(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The chain with products and the biases behind them as one step each."""
    row: list[Step] = []
    for step in steps:
        linear, offset = (row[-1].affine.linear, row[-1].affine.offset) if row else (None, np.zeros(()))
        if linear is not None and isinstance(step.affine.linear, Identity) and is_matrix(row[-1]) and not row[-1].alike:
            both = Affine(linear, offset + step.affine.offset)
            if _placed(both.offset, axis_of(linear), both.offset.ndim) is not None:
                row[-1] = Step(both, None, (*row[-1].rules, *step.rules), part_of=row[-1].part_of | step.part_of)
                continue
        row.append(step)
    return tuple(row)


def before_matrix(matrix: Step, other: Step) -> Pair | None:
    """[W, P] → [P, W]."""
    linear, offset = matrix.affine.linear, matrix.affine.offset
    if (turned := _turned(linear, other, behind=False)) is not None:
        return replace(other, affine=turned[1]), _made(matrix, turned[0], _moved_offset(offset, linear))
    moved = _moved(other, linear, linear.in_shape)
    behind = None if moved is None else _matrix(linear, moved.out_shape)
    if moved is None or behind is None:
        return None
    own = other.affine.linear
    if offset.any() and isinstance(own, Mixing) and not own.hands_on(offset):
        return None
    return moved, _made(matrix, behind, own.image(offset) if offset.any() else _zero(behind.out_shape))


def behind_matrix(other: Step, matrix: Step) -> Pair | None:
    """[P, W] → [W, P]."""
    linear, offset = matrix.affine.linear, matrix.affine.offset
    if (turned := _turned(linear, other, behind=True)) is not None:
        return _made(matrix, turned[0], _moved_offset(offset, linear)), replace(other, affine=turned[1])
    before = _matrix(linear, other.in_shape)
    if before is None:
        return None
    if isinstance(other.affine.linear, Identity):
        shift = Affine(Identity(before.out_shape), shrink(linear.image(other.affine.offset)))
        shifted = Step(shift, None, other.rules, part_of=other.part_of)
        return None if offset.any() else (_made(matrix, before, _zero(before.out_shape)), shifted)
    moved = _moved(other, linear, before.out_shape)
    shift = _placed(offset, axis_of(linear), len(before.out_shape))
    if moved is None or shift is None or not _hands_on(moved.affine.linear, shift, offset):
        return None
    return _made(matrix, before, shift), moved


def _turned(linear: LinearMap, other: Step, *, behind: bool) -> tuple[Convolution | Dense, Affine] | None:
    """A product on the other side of a step that moves channels to the back, or to the front, and that step there.

    The product stands `behind` the step, or before it. None where the step does something else.
    """
    rank = len(linear.in_shape)
    order = _order(rank, to_back=isinstance(linear, Dense) == behind)
    if rank < 3 or linear.in_shape[0] != 1 or _perm(other) != order:
        return None
    turned = _on_other_axis(linear)
    if turned is None:
        return None
    moved = Selection.transposed(turned.out_shape if behind else linear.in_shape, order)
    return turned, Affine(moved, _zero(moved.out_shape))


def _order(rank: int, *, to_back: bool) -> tuple[int, ...]:
    """The order of axes that moves channels, axis 1, to the back, or the last axis to where channels are."""
    return (0, *range(2, rank), 1) if to_back else (0, rank - 1, *range(1, rank - 1))


def _perm(step: Step) -> tuple[int, ...]:
    """The order in which a Transpose puts the axes; none for any other step."""
    if step.node is None or step.node.op_type != "Transpose":
        return ()
    return tuple(step.node.attribute("perm", range(len(step.in_shape))[::-1]))


def _on_other_axis(linear: LinearMap) -> Convolution | Dense | None:
    """A product of the last axis as a 1 × 1 convolution of the channels, and the other way round."""
    shape, axes = linear.in_shape, len(linear.in_shape) - 2
    if isinstance(linear, Dense):
        weight = linear.stored
        kernel = Unmade((*weight.shape, *(1,) * axes), lambda w: w.reshape(*w.shape, *(1,) * axes), weight)
        source = (1, shape[-1], *shape[1:-1])
        return Convolution(kernel, source, (1,) * axes, ((0, 0),) * axes, (1,) * axes)
    assert isinstance(linear, Convolution)
    weight = Unmade(linear.stored.shape[:2], lambda w: w.reshape(w.shape[:2]), linear.stored)
    return Dense(weight, (1, *shape[2:])) if linear.groups == 1 else None


def _moved_offset(offset: np.ndarray, matrix: LinearMap) -> np.ndarray:
    """The offset of a product that was along the other axis."""
    return np.moveaxis(offset, -1, 1) if isinstance(matrix, Dense) else np.moveaxis(offset, 1, -1)


def axis_of(linear: LinearMap) -> int:
    """The axis that a product with a matrix mixes."""
    return -1 if isinstance(linear, Dense) else 1


def _placed(offset: np.ndarray, axis: int, rank: int) -> np.ndarray | None:
    """An offset of one number for each entry along an axis, for tensors of another rank; None if it is another."""
    if offset.size != (offset.shape[axis] if offset.ndim else 1):
        return None
    shape = [1] * rank
    shape[axis] = offset.size
    return offset.reshape(shape)


def _hands_on(linear: LinearMap, shift: np.ndarray, offset: np.ndarray) -> bool:
    """Whether P c = c."""
    return not offset.any() or bool(np.allclose(linear.image(shift), offset, rtol=WHOLE, atol=0.0))


def _zero(shape: Shape) -> np.ndarray:
    return np.zeros((1,) * len(shape))


def _made(matrix: Step, linear: LinearMap, offset: np.ndarray) -> Step:
    """The product at its new place."""
    rules = matrix.rules if RULE in matrix.rules else (*matrix.rules, RULE)
    return Step(Affine(linear, shrink(offset)), None, rules, part_of=matrix.part_of)


def _moved(other: Step, matrix: LinearMap, shape: Shape) -> Step | None:
    """What a product passes, for tensors of the shape on its other side; None if it cannot pass, or be written so.

    A node stays the node that it is unless it states a shape, which is another now.
    """
    linear, axis = _through(other, matrix, shape), axis_of(matrix)
    if linear is None or other.affine.offset.any():
        return None
    affine = Affine(linear, _zero(linear.out_shape))
    same = (linear.in_shape, linear.out_shape) == (other.in_shape, other.out_shape)
    perm = _perm(other)
    silent = mixes(other) or axis in other.alike or (bool(perm) and perm[axis] == axis % len(perm))
    if other.node is not None and (same or silent):
        return replace(other, affine=affine)
    written = isinstance(linear, Selection) and linear.is_reshape
    return Step(affine, None, other.rules, part_of=other.part_of) if written else None


def _through(other: Step, matrix: LinearMap, shape: Shape) -> LinearMap | None:
    """The map of what a product passes, for tensors of another shape; None if it cannot pass."""
    own = other.affine.linear
    if isinstance(own, Mixing):
        return own.of(shape) if _passes(own, axis_of(matrix), len(shape)) else None
    if axis_of(matrix) in other.alike and other.at is not None:
        return other.at(shape)
    if not isinstance(own, Selection):
        return None
    if isinstance(matrix, Convolution):
        return for_channels(own, shape[1])
    return None if own.rows is None else _of_rows(own.rows, own, shape[-1])


def _passes(own: Mixing, axis: int, rank: int) -> bool:
    """Whether a product by a given value and one that mixes `axis` of a tensor of that rank change places.

    They mix different axes, and the given value is the same all along the axis of the other.
    """
    if axis == -1:
        return not own.last and rank > 1
    return own.last and rank > 2 and (rank == 3 or own.weights.shape[1 - rank] == 1)


def _matrix(linear: LinearMap, shape: Shape) -> LinearMap | None:
    """The same product for tensors of another shape, if it fits them."""
    if isinstance(linear, Dense):
        return Dense(linear.stored, shape[:-1]) if shape and shape[-1] == linear.stored.shape[1] else None
    assert isinstance(linear, Convolution)
    if len(shape) < 2 or shape[1] != linear.source[1]:
        return None
    if len(shape) == 2:
        weight = Unmade(linear.stored.shape[:2], lambda w: w.reshape(w.shape[:2]), linear.stored)
        return Dense(weight, shape[:1]) if linear.groups == 1 else None
    axes, own = len(shape) - 2, linear.stored
    kernel = Unmade((*own.shape[:2], *(1,) * axes), lambda w: w.reshape(*w.shape[:2], *(1,) * axes), own)
    return Convolution(kernel, shape, (1,) * axes, ((0, 0),) * axes, (1,) * axes, linear.groups)


def _of_rows(rows: np.ndarray, own: LinearMap, width: int) -> Selection:
    """The same move of rows of another width."""
    index = rows[:, None] * width + np.arange(width)
    return Selection(index.reshape(*own.out_shape[:-1], width), (*own.in_shape[:-1], width))
