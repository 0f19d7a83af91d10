"""`compose(second, first)`: one map for two, where a structured form for it exists.

A rule takes the two maps and gives their product in a form of its own, or None where it has none; without a rule the
product stays a chain. Every rule is exact. Adding one is adding one function: rules are looked up by the two forms.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from unbend.affine.maps import Chain, Convolution, Dense, Diagonal, Identity, LinearMap, Selection, Sum

Rule = Callable[[LinearMap, LinearMap], LinearMap | None]
RULES: dict[tuple[type, type], Rule] = {}


def rule(second: type, first: type) -> Callable[[Rule], Rule]:
    """Register how a map of form `second` after one of form `first` is written as one."""

    def register(function: Rule) -> Rule:
        RULES[second, first] = function
        return function

    return register


def compose(second: LinearMap, first: LinearMap) -> LinearMap:
    """The map x ↦ second(first(x)); a `Chain` where no rule gives a simpler form."""
    if isinstance(first, Identity):
        return second
    if isinstance(second, Identity):
        return first
    found = RULES.get((type(second), type(first)))
    product = found(second, first) if found else None
    return product if product is not None else Chain((*_steps(first), *_steps(second)))


def _steps(linear: LinearMap) -> tuple[LinearMap, ...]:
    return linear.maps if isinstance(linear, Chain) else (linear,)


def _last_axis(scale: np.ndarray) -> np.ndarray | None:
    """The scale as a vector for the last axis, if it is the same along every other axis."""
    if any(size != 1 for size in scale.shape[:-1]):
        return None
    return scale.reshape(-1)


def _channels(scale: np.ndarray, channels: int) -> np.ndarray | None:
    """The scale as a vector for axis 1 of a (batch, channel, …) tensor, if it is the same along every other axis."""
    if scale.ndim < 3 or any(size != 1 for axis, size in enumerate(scale.shape) if axis != 2):
        return None
    return np.broadcast_to(scale.reshape(-1), (channels,))


@rule(Diagonal, Diagonal)
def _diagonal_diagonal(second: Diagonal, first: Diagonal) -> LinearMap:
    return Diagonal(second.scale * first.scale, first.shape)


@rule(Dense, Dense)
def _dense_dense(second: Dense, first: Dense) -> LinearMap:
    """W_2 (W_1 x) = (W_2 W_1) x."""
    return Dense(second.weight @ first.weight, first.leading)


@rule(Dense, Diagonal)
def _dense_diagonal(second: Dense, first: Diagonal) -> LinearMap | None:
    """W (s ∘ x) = (W diag s) x."""
    scale = _last_axis(first.scale)
    return None if scale is None else Dense(second.weight * scale, second.leading)


@rule(Diagonal, Dense)
def _diagonal_dense(second: Diagonal, first: Dense) -> LinearMap | None:
    """s ∘ (W x) = (diag s W) x."""
    scale = _last_axis(second.scale)
    return None if scale is None else Dense(scale[:, None] * first.weight, first.leading)


@rule(Dense, Selection)
def _dense_selection(second: Dense, first: Selection) -> LinearMap | None:
    """A product that reads a whole tensor absorbs any rearrangement before it: its columns move."""
    if not second.is_whole:
        return None
    index = first.index.reshape(-1)
    columns = np.zeros((first.in_size, second.weight.shape[0]))
    np.add.at(columns, index[index >= 0], second.weight.T[index >= 0])
    flat = Dense(np.ascontiguousarray(columns.T), first.in_shape[:-1])
    if first.in_shape and first.in_size == first.in_shape[-1]:
        return flat if flat.out_shape == second.out_shape else None
    return None


@rule(Selection, Dense)
def _selection_dense(second: Selection, first: Dense) -> LinearMap | None:
    """A rearrangement after a product that writes a whole tensor is absorbed: its rows move."""
    if not first.is_whole or not second.out_shape or second.out_size != second.out_shape[-1]:
        return None
    index = second.index.reshape(-1)
    weight = np.where((index >= 0)[:, None], first.weight[index], 0.0)
    moved = Dense(weight, first.leading)
    return moved if moved.out_shape == second.out_shape else None


@rule(Selection, Selection)
def _selection_selection(second: Selection, first: Selection) -> LinearMap:
    outer = second.index
    index = np.where(outer >= 0, first.index.reshape(-1)[outer], -1)
    both = Selection(index, first.source)
    return Identity(first.source) if both.out_shape == both.in_shape and both.is_reshape else both


@rule(Convolution, Diagonal)
def _convolution_diagonal(second: Convolution, first: Diagonal) -> LinearMap | None:
    """A scale for each channel goes into the kernel: zero padding stays zero."""
    scale = _channels(first.scale, second.source[1])
    if scale is None:
        return None
    per_group = second.kernel.shape[1]
    rows = np.arange(second.kernel.shape[0]) // (second.kernel.shape[0] // second.groups)
    kernel_scale = scale.reshape(second.groups, per_group)[rows]
    return _with_kernel(second, second.kernel * kernel_scale.reshape(*kernel_scale.shape, *_ones(second)))


@rule(Diagonal, Convolution)
def _diagonal_convolution(second: Diagonal, first: Convolution) -> LinearMap | None:
    """A scale for each channel after a convolution scales its filters."""
    scale = _channels(second.scale, first.kernel.shape[0])
    return None if scale is None else _with_kernel(first, first.kernel * scale.reshape(-1, 1, *_ones(first)))


def _ones(convolution: Convolution) -> tuple[int, ...]:
    return (1,) * (convolution.kernel.ndim - 2)


def _with_kernel(like: Convolution, kernel: np.ndarray) -> Convolution:
    return Convolution(kernel, like.source, like.strides, like.pads, like.dilations, like.groups)


def add(first: LinearMap, second: LinearMap) -> LinearMap:
    """The map x ↦ first(x) + second(x); a `Sum` where no simpler form exists."""
    if isinstance(first, Dense) or isinstance(second, Dense):
        one, other = _as_dense(first), _as_dense(second)
        if one is not None and other is not None and one.leading == other.leading:
            return Dense(one.weight + other.weight, one.leading)
    one, other = _as_diagonal(first), _as_diagonal(second)
    if one is not None and other is not None:
        return Diagonal(one.scale + other.scale, one.shape)
    if isinstance(first, Convolution) and isinstance(second, Convolution) and _same_window(first, second):
        return _with_kernel(first, first.kernel + second.kernel)
    return Sum((*_terms(first), *_terms(second)))


def _terms(linear: LinearMap) -> tuple[LinearMap, ...]:
    return linear.maps if isinstance(linear, Sum) else (linear,)


def _as_diagonal(linear: LinearMap) -> Diagonal | None:
    if isinstance(linear, Identity):
        return Diagonal(np.ones((1,) * (len(linear.shape) + 1)), linear.shape)
    return linear if isinstance(linear, Diagonal) else None


def _as_dense(linear: LinearMap) -> Dense | None:
    if isinstance(linear, Dense):
        return linear
    diagonal = _as_diagonal(linear)
    if diagonal is None or not diagonal.shape:
        return None
    scale = _last_axis(diagonal.scale)
    if scale is None:
        return None
    return Dense(np.diag(np.broadcast_to(scale, diagonal.shape[-1:])), diagonal.shape[:-1])


def _same_window(first: Convolution, second: Convolution) -> bool:
    def window(c: Convolution) -> tuple:
        return c.kernel.shape, c.source, c.strides, c.pads, c.dilations, c.groups

    return window(first) == window(second)


def stack(maps: list[LinearMap]) -> LinearMap | None:
    """The map that gives the outputs of several maps of one source side by side on the last axis, if it has a form."""
    dense = [_as_dense(linear) for linear in maps]
    known = [linear for linear in dense if linear is not None]
    if len(known) < len(maps) or any(linear.leading != known[0].leading for linear in known):
        return None
    return Dense(np.vstack([linear.weight for linear in known]), known[0].leading)
