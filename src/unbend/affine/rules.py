"""The products of two forms that have a form of their own.

Where several forms are possible the rules settle on one order, so that a chain cannot go round in circles: numbers are
moved before they are scaled, and a reshape that nothing absorbs stays where it is.
"""

from __future__ import annotations

import numpy as np

from unbend.affine.combined import Chain, Transposed
from unbend.affine.compose import compose, rule
from unbend.affine.convolution import Convolution
from unbend.affine.dense import Blocks, Dense
from unbend.affine.maps import Diagonal, Identity, LinearMap
from unbend.affine.numbers import Stored, Unmade
from unbend.affine.selection import Selection

ROUNDED = 2.0**-52
"""s · (1/s) is 1 within this, in float64."""


def _last_axis(scale: np.ndarray, width: int) -> np.ndarray | None:
    """The scale as a vector for the last axis, if it is the same along every other axis."""
    if any(size != 1 for size in scale.shape[:-1]):
        return None
    return np.broadcast_to(scale.reshape(-1), (width,))


def _channels(scale: np.ndarray, channels: int) -> np.ndarray | None:
    """The scale as a vector for axis 1 of a (batch, channel, …) tensor, if it is the same along every other axis."""
    if any(size != 1 for axis, size in enumerate(scale.shape) if axis != 2):
        return None
    return np.broadcast_to(scale.reshape(-1), (channels,))


@rule(Diagonal, Diagonal)
def _diagonal_diagonal(second: Diagonal, first: Diagonal) -> LinearMap:
    """s ∘ (r ∘ x) = (s ∘ r) ∘ x; nothing is left of two that undo each other."""
    scale = second.scale * first.scale
    return Identity(first.shape) if np.all(np.abs(scale - 1.0) <= ROUNDED) else Diagonal(scale, first.shape)


@rule(Dense, Dense)
def _dense_dense(second: Dense, first: Dense) -> LinearMap:
    """W_2 (W_1 x) = (W_2 W_1) x."""
    shape = (second.stored.shape[0], first.stored.shape[1])
    return Dense(Unmade(shape, np.matmul, second.stored, first.stored), first.leading)


@rule(Dense, Diagonal)
def _dense_diagonal(second: Dense, first: Diagonal) -> LinearMap | None:
    """W (s ∘ x) = (W diag s) x."""
    scale = _last_axis(first.scale, second.stored.shape[1])
    return None if scale is None else Dense(_scaled(second.stored, scale), second.leading)


@rule(Diagonal, Dense)
def _diagonal_dense(second: Diagonal, first: Dense) -> LinearMap | None:
    """s ∘ (W x) = (diag s W) x."""
    scale = _last_axis(second.scale, first.stored.shape[0])
    return None if scale is None else Dense(_scaled(first.stored, scale[:, None]), first.leading)


def _scaled(stored: Stored, scale: np.ndarray) -> Unmade:
    """Weights times a scale that broadcasts to them."""
    return Unmade(stored.shape, np.multiply, stored, scale)


@rule(Blocks, Diagonal)
def _blocks_diagonal(second: Blocks, first: Diagonal) -> LinearMap:
    """W_i (s_i ∘ x_i) = (W_i diag s_i) x_i."""
    return Blocks(second.weights * first.scale[..., None, :], second.leading)


@rule(Diagonal, Blocks)
def _diagonal_blocks(second: Diagonal, first: Blocks) -> LinearMap:
    """s_i ∘ (W_i x_i) = (diag s_i W_i) x_i."""
    return Blocks(second.scale[..., None] * first.weights, first.leading)


@rule(Transposed, Diagonal)
def _transposed_diagonal(second: Transposed, first: Diagonal) -> LinearMap | None:
    """Mᵀ D = (D M)ᵀ."""
    return _transposed(compose(first, second.of))


@rule(Diagonal, Transposed)
def _diagonal_transposed(second: Diagonal, first: Transposed) -> LinearMap | None:
    """D Mᵀ = (M D)ᵀ."""
    return _transposed(compose(first.of, second))


def _transposed(product: LinearMap) -> LinearMap | None:
    return None if isinstance(product, Chain) else Transposed(product)


@rule(Blocks, Blocks)
def _blocks_blocks(second: Blocks, first: Blocks) -> LinearMap:
    """V_i (W_i x_i) = (V_i W_i) x_i."""
    return Blocks(second.weights @ first.weights, first.leading)


@rule(Dense, Selection)
def _dense_selection(second: Dense, first: Selection) -> LinearMap | None:
    """Numbers that are moved along the axis that W reads: the columns of W move instead."""
    index = first.index.reshape(-1) if second.is_whole else first.along_last
    if index is None or first.is_reshape:
        return None
    width = first.in_size if second.is_whole else first.in_shape[-1]
    weight = Unmade((second.stored.shape[0], width), lambda w: _gathered(w, index, width), second.stored)
    return _reshaped(first.in_shape, Dense(weight, second.leading), second.out_shape)


def _gathered(weight: np.ndarray, index: np.ndarray, width: int) -> np.ndarray:
    """A matrix of `width` columns: column j of `weight` is added to column index[j]."""
    columns = np.zeros((width, weight.shape[0]))
    np.add.at(columns, index[index >= 0], weight.T[index >= 0])
    return columns.T.copy()


@rule(Selection, Dense)
def _selection_dense(second: Selection, first: Dense) -> LinearMap | None:
    """Numbers that are moved along the axis that W writes: the rows of W move instead, unless many are copied."""
    index = second.index.reshape(-1) if first.is_whole else second.along_last
    if index is None or second.is_reshape or np.count_nonzero(index >= 0) > first.stored.shape[0]:
        return None
    used = (index >= 0)[:, None]
    shape = (len(index), first.stored.shape[1])
    weight = Unmade(shape, lambda w: np.where(used, w[index], 0.0), first.stored)
    return _reshaped(first.in_shape, Dense(weight, first.leading), second.out_shape)


def _reshaped(source: tuple[int, ...], dense: Dense, target: tuple[int, ...]) -> LinearMap:
    """The product with reshapes around it where its own shapes differ from `source` and `target`."""
    steps: list[LinearMap] = [dense]
    if dense.in_shape != source:
        steps.insert(0, Selection.reshape(source, dense.in_shape))
    if dense.out_shape != target:
        steps.append(Selection.reshape(dense.out_shape, target))
    return steps[0] if len(steps) == 1 else Chain(tuple(steps))


@rule(Selection, Selection)
def _selection_selection(second: Selection, first: Selection) -> LinearMap:
    """y_j = z_b[j] and z_i = x_a[i], so y_j = x_a[b[j]]."""
    outer = second.index
    picked = first.index.reshape(-1)[outer] if first.out_size else outer
    return Selection(np.where(outer >= 0, picked, -1), first.source)


@rule(Selection, Diagonal)
def _selection_diagonal(second: Selection, first: Diagonal) -> LinearMap | None:
    """Numbers are moved before they are scaled, unless that makes more of them."""
    if second.is_reshape or second.out_size > second.in_size:
        return None
    return Chain((second, second.across(first)))


@rule(Convolution, Diagonal)
def _convolution_diagonal(second: Convolution, first: Diagonal) -> LinearMap | None:
    """A scale for each channel goes into the kernel: zero padding stays zero."""
    scale = _channels(first.scale, second.source[1])
    if scale is None:
        return None
    rows = np.arange(second.stored.shape[0]) // (second.stored.shape[0] // second.groups)
    per_filter = scale.reshape(second.groups, second.stored.shape[1])[rows]
    return second.with_kernel(_scaled(second.stored, per_filter.reshape(*per_filter.shape, *_ones(second))))


@rule(Diagonal, Convolution)
def _diagonal_convolution(second: Diagonal, first: Convolution) -> LinearMap | None:
    """A scale for each channel after a convolution scales its filters."""
    scale = _channels(second.scale, first.stored.shape[0])
    return None if scale is None else first.with_kernel(_scaled(first.stored, scale.reshape(-1, 1, *_ones(first))))


def _ones(convolution: Convolution) -> tuple[int, ...]:
    return (1,) * (convolution.stored.ndim - 2)
