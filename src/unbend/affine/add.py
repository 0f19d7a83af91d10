"""Sums of maps of one source, and maps side by side."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from unbend.affine.combined import Sum
from unbend.affine.compose import compose
from unbend.affine.convolution import Convolution
from unbend.affine.dense import Blocks, Dense
from unbend.affine.maps import Diagonal, Identity, LinearMap
from unbend.affine.numbers import Unmade
from unbend.affine.selection import Selection
from unbend.affine.windows import sum_of


def add(first: LinearMap, second: LinearMap) -> LinearMap:
    """The map x ↦ first(x) + second(x); a `Sum` where no simpler form exists."""
    terms = list(_terms(first))
    for term in _terms(second):
        _join(terms, term)
    return terms[0] if len(terms) == 1 else Sum(tuple(terms))


def _terms(linear: LinearMap) -> tuple[LinearMap, ...]:
    return linear.maps if isinstance(linear, Sum) else (linear,)


def _join(terms: list[LinearMap], term: LinearMap) -> None:
    """Put one more term to the others, merged with the first that it has a common form with."""
    for position, other in enumerate(terms):
        both = _added(other, term)
        if both is not None:
            terms[position] = both
            return
    terms.append(term)


def _added(first: LinearMap, second: LinearMap) -> LinearMap | None:
    """The sum of two maps in a form of its own, if it has one."""
    if isinstance(first, Convolution) or isinstance(second, Convolution):
        return sum_of(first, second)
    if isinstance(first, Blocks) and isinstance(second, Blocks):
        return Blocks(first.weights + second.weights, first.leading) if first.in_shape == second.in_shape else None
    if isinstance(first, Selection) and isinstance(second, Selection):
        return _filled(first, second)
    one, other = _as_diagonal(first), _as_diagonal(second)
    if one is not None and other is not None:
        return Diagonal(one.scale + other.scale, one.shape)
    if isinstance(first, Dense) or isinstance(second, Dense):
        left, right = _as_dense(first), _as_dense(second)
        if left is not None and right is not None and left.leading == right.leading:
            return Dense(Unmade(left.stored.shape, np.add, left.stored, right.stored), left.leading)
    return None


def _filled(first: Selection, second: Selection) -> Selection | None:
    """Two selections of one source that fill different places."""
    if first.source != second.source or ((first.index >= 0) & (second.index >= 0)).any():
        return None
    return Selection(np.where(first.index >= 0, first.index, second.index), first.source)


def _as_diagonal(linear: LinearMap) -> Diagonal | None:
    if isinstance(linear, Identity):
        return Diagonal.of(1.0, linear.shape)
    return linear if isinstance(linear, Diagonal) else None


def _as_dense(linear: LinearMap) -> Dense | None:
    """The map as a product along the last axis, if it does the same at every position."""
    if isinstance(linear, Dense):
        return linear
    diagonal = _as_diagonal(linear)
    if diagonal is not None and diagonal.shape and diagonal.scale[..., 0].size == 1:
        width = diagonal.shape[-1]
        scale = np.broadcast_to(diagonal.scale.reshape(-1), (width,))
        return Dense(Unmade((width, width), np.diag, scale), diagonal.shape[:-1])
    return None


def stack(maps: Sequence[LinearMap]) -> LinearMap:
    """The map that gives the outputs of several maps of one source side by side on the last axis.

    One matrix where all are products along the last axis; else a sum of maps that each fill their own places.
    """
    widths = [linear.out_shape[-1] for linear in maps]
    leading = maps[0].out_shape[:-1]
    ends = np.cumsum(widths)
    placed = (
        compose(_place(leading, width, int(end) - width, int(ends[-1])), linear)
        for linear, width, end in zip(maps, widths, ends, strict=True)
    )
    return reduce(add, placed)


def _place(leading: tuple[int, ...], width: int, start: int, total: int) -> Selection:
    """The selection that puts a last axis of `width` at `start` in one of length `total`, zeros around it."""
    own = Selection.reshape((*leading, width), (*leading, width)).index
    index = np.full((*leading, total), -1)
    index[..., start : start + width] = own
    return Selection(index, (*leading, width))
