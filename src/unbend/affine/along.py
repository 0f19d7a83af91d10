"""Products and sums along any axis of a tensor, made of the forms for the last axis."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

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
