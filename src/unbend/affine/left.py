"""Products from the left: y = W x along the last axis but one."""

from __future__ import annotations

import numpy as np

from unbend.affine.combined import Chain
from unbend.affine.dense import Dense
from unbend.affine.maps import LinearMap
from unbend.affine.selection import Selection


def left_product(linear: LinearMap) -> Dense | None:
    """The W of a map that is x ↦ W x = (xᵀ Wᵀ)ᵀ over the last two axes, a product between two transposes; else None."""
    if not isinstance(linear, Chain) or len(linear.maps) != 3:
        return None
    before, dense, after = linear.maps
    return dense if isinstance(dense, Dense) and is_turn(before) and is_turn(after) else None


def is_turn(linear: LinearMap) -> bool:
    """Whether the map exchanges the last two axes, and does no more."""
    rank = len(linear.in_shape)
    if not isinstance(linear, Selection) or rank < 2:
        return False
    turned = np.arange(linear.in_size).reshape(linear.source).swapaxes(-1, -2)
    return linear.index.shape == turned.shape and np.array_equal(linear.index, turned)
