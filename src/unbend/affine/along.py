"""Products and sums along any axis of a tensor, made of the forms for the last axis."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from unbend.affine.combined import Chain
from unbend.affine.compose import compose
from unbend.affine.dense import Dense
from unbend.affine.maps import LinearMap, Shape
from unbend.affine.selection import Selection


def along(matrix: np.ndarray, shape: Shape, axis: int) -> LinearMap:
    """y = W x along `axis` of a tensor of `shape`; `matrix` is (out, in)."""
    order = (*(a for a in range(len(shape)) if a != axis), axis)
    last = Selection.transposed(shape, order)
    product = compose(Dense(matrix, last.out_shape[:-1]), last)
    return compose(Selection.transposed(product.out_shape, tuple(np.argsort(order))), product)


def total(shape: Shape, axes: Collection[int], weight: float = 1.0) -> LinearMap:
    """y = weight Σ x over some axes of a tensor of `shape`; they stay, with length 1."""
    kept = tuple(axis for axis in range(len(shape)) if axis not in axes)
    leading = tuple(shape[axis] for axis in kept)
    last = Selection.transposed(shape, (*kept, *sorted(axes)))
    summed = math.prod(shape[axis] for axis in axes)
    rows = compose(Selection.reshape(last.out_shape, (*leading, summed)), last)
    sums = compose(Dense(np.full((1, summed), weight), leading), rows)
    target = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return compose(Selection.reshape(sums.out_shape, target), sums)


def means(shape: Shape) -> LinearMap:
    """The mean of each channel of an image: (batch, channel, *spatial) to (batch, channel)."""
    sums = total(shape, range(2, len(shape)), 1.0 / math.prod(shape[2:]))
    return compose(Selection.reshape(sums.out_shape, shape[:2]), sums)


def is_means(linear: LinearMap) -> bool:
    """Whether the map is `means` of its input's shape."""
    shape = linear.in_shape
    if len(shape) < 3 or linear.out_shape != shape[:2] or not isinstance(linear, Chain):
        return False
    other = means(shape)
    steps = other.maps if isinstance(other, Chain) else (other,)
    return len(steps) == len(linear.maps) and all(map(_same, linear.maps, steps))


def _same(one: LinearMap, other: LinearMap) -> bool:
    """Whether two reshapes, or two products, are the same."""
    if isinstance(one, Dense) and isinstance(other, Dense):
        return one.in_shape == other.in_shape and np.array_equal(one.weight, other.weight)
    reshapes = [each.is_reshape for each in (one, other) if isinstance(each, Selection)]
    return reshapes == [True, True] and (one.in_shape, one.out_shape) == (other.in_shape, other.out_shape)
