"""Affine maps as values: y = W x + b in structured forms, closed under what networks do with them.

Three lines of algebra: (W_2, b_2) ∘ (W_1, b_1) = (W_2 W_1, W_2 b_1 + b_2); (V, c) + (W, b) = (V + W, c + b); and a
form that has no closed product with another stays a chain. Arrays only: nothing here knows a network or a file.
"""

from unbend.affine.affine import Affine, shrink
from unbend.affine.compose import add, compose, stack
from unbend.affine.maps import (
    Blocks,
    Chain,
    Convolution,
    Cost,
    Dense,
    Diagonal,
    Identity,
    LinearMap,
    Selection,
    Shape,
    Sum,
)

__all__ = [
    "Affine",
    "Blocks",
    "Chain",
    "Convolution",
    "Cost",
    "Dense",
    "Diagonal",
    "Identity",
    "LinearMap",
    "Selection",
    "Shape",
    "Sum",
    "add",
    "compose",
    "shrink",
    "stack",
]
