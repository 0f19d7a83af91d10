"""Orders of a chain: steps that may change places, so that they meet others they are one with.

With D a scale of each element, t a shift, M a move of numbers, P a map that does the same to every channel (a pool) and
W a 1 × 1 convolution, each of these is exact in both directions where its condition holds:

    D (x + t) = D x + D t                    backwards: D x + t = D (x + t / D) if no number of D is 0
    D M = M D'  and  M x + t = M (x + t')    D', t' are D, t moved; backwards for an M that only permutes
    D P = P D                                if D has one number for each channel, W P = P W always
    D L = L D                                for a product L from the left, if D is one along the axis that it mixes
    P W = W P                                for a product of two values and a matrix, see `passing`
    P (x + t) = P x + P t                    backwards, for a t with one number a channel, if each row of P adds up to 1
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from unbend.affine import Affine, Convolution, Dense, Diagonal, Identity, LinearMap, Mixing, Selection, Shape, shrink
from unbend.affine.channels import for_channels
from unbend.affine.left import left_product
from unbend.collapse.reduce.factor import cheapest
from unbend.collapse.reduce.passing import (
    Pair,
    bare,
    before_matrix,
    behind_matrix,
    is_matrix,
    mixes,
    with_bias,
)
from unbend.collapse.reduce.steps import Step, pieces, total
from unbend.collapse.reduce.target import Target


def arranged(steps: Sequence[Step], target: Target) -> tuple[Step, ...]:
    """The cheapest factoring of the chain over the orders that its steps can be put in."""
    best = cheapest(steps, target)
    for order in _starts(steps):
        best = _cheaper(order, best, target) or best
    while (better := _better(best, target)) is not None:
        best = better
    return best


def _better(steps: Sequence[Step], target: Target) -> tuple[Step, ...] | None:
    found = (_cheaper(order, steps, target) for order in orders(steps))
    return next((one for one in found if one is not None), None)


def _cheaper(order: Sequence[Step], steps: Sequence[Step], target: Target) -> tuple[Step, ...] | None:
    found, now = cheapest(order, target), total(steps)
    return found if total(found) < now and target.accepts(total(found), now) else None


def _starts(steps: Sequence[Step]) -> Iterator[tuple[Step, ...]]:
    """Orders in which several steps stand elsewhere: where all of them have moved at once, they may be one."""
    row = _sparing(steps)
    if row != tuple(steps):
        yield row
    single = _single(row)
    if not _several(single):
        return
    fused = with_bias(single)
    ways = ((single, _to_front, range(len(single))), (fused, _to_back, reversed(range(len(fused)))))
    for start, slide, places in ways:
        moved = start
        for at in places:
            if is_matrix(moved[at]) and not moved[at].alike:
                moved = slide(moved, at) or moved
        if moved != start:
            yield moved
            yield _shifts_first(moved)


def _several(single: Sequence[Step]) -> bool:
    """Whether there are products that could meet."""
    heavy = sum(isinstance(step.affine.linear, (Dense, Convolution)) for step in single)
    return heavy > 1 and any(is_matrix(step) and not step.alike for step in single)


def _single(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps of a chain, as many as there can be."""
    single = tuple(part for step in steps for part in _apart(step))
    return tuple(part for step in single for part in bare(step)) if any(map(mixes, single)) else single


def _sparing(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The chain with what makes less of a tensor as early as can be, and what makes more of it late."""
    row = tuple(steps)
    for step in [step for step in steps if step.alike]:
        sizes, at = (step.affine.linear.in_size, step.affine.linear.out_size), _place(row, step)
        slide = _to_front if sizes[1] < sizes[0] else _to_back
        row = (slide(row, at) if sizes[0] != sizes[1] else None) or row
    return row


def _place(steps: Sequence[Step], one: Step) -> int:
    """Where the node of a step stands."""
    return next(at for at, step in enumerate(steps) if step.node is one.node)


def orders(steps: Sequence[Step]) -> Iterator[tuple[Step, ...]]:
    """The chain with one of its steps moved as far to the front, or to the back, as it goes."""
    if len(steps) < 2:
        return
    single = _single(steps)
    mixing = any(map(mixes, single))
    several = mixing or _several(single)
    for at in range(len(single)):
        if is_matrix(single[at]) and not several and not single[at].alike:
            continue
        for slide in (_to_front, _to_back):
            moved = slide(single, at)
            if moved is not None:
                yield moved
            if moved is not None and mixing:
                yield _shifts_first(moved)


def _shifts_first(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The chain with each shift as far to the front as it goes: a matrix may take it as its bias there."""
    for at in range(len(steps)):
        if _is_shift(steps[at]):
            steps = _to_front(steps, at) or steps
    return steps


def at_front(steps: Sequence[Step]) -> tuple[Step, ...] | None:
    """The chain in an order in which it begins with a scale, if there is one."""
    single = tuple(part for step in steps for part in _apart(step))
    scales = (at for at, step in enumerate(single) if _is_scale(step))
    rows = (_to_front(single, at) if at else single for at in scales)
    return next((row for row in rows if row is not None and _is_scale(row[0])), None)


def at_back(steps: Sequence[Step]) -> tuple[Step, ...] | None:
    """The chain in an order in which it ends with a scale, if there is one."""
    single = tuple(part for step in steps for part in _apart(step))
    scales = (at for at, step in reversed(list(enumerate(single))) if _is_scale(step))
    rows = (_to_back(single, at) if at + 1 < len(single) else single for at in scales)
    return next((row for row in rows if row is not None and _is_scale(row[-1])), None)


def _apart(step: Step) -> list[Step]:
    """A scale and a shift of each element as two steps."""
    if isinstance(step.affine.linear, Diagonal) and step.affine.offset.any():
        return pieces(Step(step.affine, None, step.rules, part_of=step.part_of))
    return [step]


def _to_front(steps: tuple[Step, ...], at: int) -> tuple[Step, ...] | None:
    row, start = list(steps), at
    while at > 0 and (pair := exchanged(row[at - 1], row[at], later_moves=True)) is not None:
        row[at - 1 : at + 1] = pair
        at -= 1
    return tuple(row) if at != start else None


def _to_back(steps: tuple[Step, ...], at: int) -> tuple[Step, ...] | None:
    row, start = list(steps), at
    while at + 1 < len(row) and (pair := exchanged(row[at], row[at + 1], later_moves=False)) is not None:
        row[at : at + 2] = pair
        at += 1
    return tuple(row) if at != start else None


def exchanged(first: Step, second: Step, later_moves: bool) -> Pair | None:
    """Two steps that do, in the other order, what `first` and then `second` do; None if there are none.

    What moves is the second if `later_moves`, else the first; the other one is left as it is, a node if it is one.
    """
    mover = second if later_moves else first
    if _is_scale(mover):
        return _scale_forward(first, second) if later_moves else _scale_back(first, second)
    if _is_shift(mover):
        return _shift_forward(first, second) if later_moves else _shift_back(first, second)
    if is_matrix(mover) and not mover.alike:
        return _matrix_forward(first, second) if later_moves else _matrix_back(first, second)
    return _alike_forward(first, second) if later_moves else _alike_back(first, second)


def _matrix_forward(first: Step, matrix: Step) -> Pair | None:
    """[P, W] → [W, P]."""
    return behind_matrix(first, matrix)


def _matrix_back(matrix: Step, second: Step) -> Pair | None:
    """[W, P] → [P, W]."""
    return None if _is_shift(second) else before_matrix(matrix, second)


def _alike_forward(first: Step, step: Step) -> Pair | None:
    """[W, P] → [P, W], and [+ t, P] → [P, + P t]."""
    if not step.alike:
        return None
    if _is_shift(first):
        linear = step.affine.linear
        return step, _like(first, Identity(linear.out_shape), linear.image(first.affine.offset))
    return before_matrix(first, step) if is_matrix(first) and not first.alike else None


def _alike_back(step: Step, second: Step) -> Pair | None:
    """[P, W] → [W, P]."""
    return behind_matrix(step, second) if step.alike and is_matrix(second) and not second.alike else None


def _is_scale(step: Step) -> bool:
    return isinstance(step.affine.linear, Diagonal) and not step.affine.offset.any()


def _is_shift(step: Step) -> bool:
    return isinstance(step.affine.linear, Identity)


def _is_move(step: Step) -> bool:
    return isinstance(step.affine.linear, Selection) and not step.affine.offset.any()


def _like(mover: Step, linear: LinearMap, offset: np.ndarray | None = None) -> Step:
    """The moved step, with the rules of the one that moved."""
    none = np.zeros((1,) * len(linear.out_shape))
    return Step(Affine(linear, none if offset is None else shrink(offset)), None, mover.rules, part_of=mover.part_of)


def _scale(step: Step) -> Diagonal:
    assert isinstance(step.affine.linear, Diagonal)
    return step.affine.linear


def _scale_forward(first: Step, scale: Step) -> Pair | None:
    """[first, D] → [D', first']."""
    diagonal, linear = _scale(scale), first.affine.linear
    if _is_shift(first):
        return _like(scale, diagonal), _like(first, linear, first.affine.offset * diagonal.scale[0])
    if _is_move(first) and (back := _inverse(linear)) is not None:
        return _like(scale, back.across(diagonal)), first
    if _commutes(diagonal, first):
        return _like(scale, _for(diagonal, linear.in_shape)), first
    return None


def _scale_back(scale: Step, second: Step) -> Pair | None:
    """[D, second] → [second', D']."""
    diagonal, linear = _scale(scale), second.affine.linear
    if _is_shift(second):
        shift = _divided(second.affine.offset, diagonal.scale[0])
        return None if shift is None else (_like(second, linear, shift), _like(scale, diagonal))
    if isinstance(linear, Selection) and _is_move(second):
        return second, _like(scale, linear.across(diagonal))
    if _commutes(diagonal, second):
        return second, _like(scale, _for(diagonal, linear.out_shape))
    return None


def _shift_forward(first: Step, shift: Step) -> Pair | None:
    """[first, + t] → [+ t', first]."""
    offset, linear = shift.affine.offset, first.affine.linear
    if _is_scale(first):
        divided = _divided(offset, _scale(first).scale[0])
        return None if divided is None else (_like(shift, shift.affine.linear, divided), first)
    if _is_move(first) and (back := _inverse(linear)) is not None:
        return _like(shift, Identity(linear.in_shape), back.image(offset)), first
    if isinstance(linear, Mixing) and linear.hands_on(offset):
        return _like(shift, Identity(linear.in_shape), offset), first
    return None


def _shift_back(shift: Step, second: Step) -> Pair | None:
    """[+ t, second] → [second, + t']."""
    linear = second.affine.linear
    handed_on = isinstance(linear, Mixing) and linear.hands_on(shift.affine.offset)
    if not (_is_scale(second) or _is_move(second) or second.alike or handed_on):
        return None
    return second, _like(shift, Identity(linear.out_shape), linear.image(shift.affine.offset))


def _divided(offset: np.ndarray, scale: np.ndarray) -> np.ndarray | None:
    """t / D, if that is a finite number everywhere."""
    if not scale.all():
        return None
    with np.errstate(over="ignore"):
        divided = offset / scale
    return divided if np.isfinite(divided).all() else None


def _inverse(linear: LinearMap) -> Selection | None:
    """The move that undoes one that only permutes."""
    if not isinstance(linear, Selection) or linear.in_size != linear.out_size:
        return None
    index = linear.index.reshape(-1)
    back = np.full(linear.in_size, -1)
    back[index[index >= 0]] = np.flatnonzero(index >= 0)
    return None if (back < 0).any() else Selection(back.reshape(linear.in_shape), linear.out_shape)


def _commutes(diagonal: Diagonal, other: Step) -> bool:
    """Whether the scale has one number for all, or one for each channel of a map that does the same to each.

    A matrix or a kernel takes the scale in: they need not change places.
    """
    linear = other.affine.linear
    if other.affine.offset.any() or (isinstance(linear, (Diagonal, Dense, Convolution)) and not other.alike):
        return False
    if diagonal.scale.size == 1:
        return True
    if left_product(linear) is not None:
        return diagonal.scale.shape[-2] == 1
    if isinstance(linear, Mixing):
        return diagonal.scale.shape[linear.axis] == 1
    per_channel = all(size == 1 for axis, size in enumerate(diagonal.scale.shape) if axis != 2)
    return per_channel and len(linear.in_shape) > 2 and for_channels(linear, 1) is not None


def _for(diagonal: Diagonal, shape: Shape) -> Diagonal:
    """The scale, the same along each axis whose length changes, for tensors of another shape."""
    if diagonal.scale.size == 1:
        return Diagonal.of(diagonal.scale.reshape(()), shape)
    if len(shape) == len(diagonal.shape):
        return Diagonal(diagonal.scale, shape)
    return Diagonal(diagonal.scale.reshape(1, 1, -1, *(1,) * (len(shape) - 2)), shape)
