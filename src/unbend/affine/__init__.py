"""Affine maps as values: y = W x + b in structured forms, closed under what networks do with them.

Three lines of algebra: (W_2, b_2) ∘ (W_1, b_1) = (W_2 W_1, W_2 b_1 + b_2); (V, c) + (W, b) = (V + W, c + b); and a
form that has no closed product with another stays a chain. Arrays only: nothing here knows a network or a file.
"""

from unbend.affine import rules  # noqa: F401  the rules register themselves
from unbend.affine.add import add, stack
from unbend.affine.affine import Affine
from unbend.affine.along import along, is_means, means, total
from unbend.affine.border import Border, OnOnes
from unbend.affine.combined import Chain, Sum, Transposed
from unbend.affine.compose import compose
from unbend.affine.convolution import Convolution, Pads
from unbend.affine.dense import Blocks, Dense
from unbend.affine.maps import Cost, Diagonal, Identity, LinearMap, Shape, shrink
from unbend.affine.mixing import Mixing
from unbend.affine.selection import Selection

__all__ = [
    "Affine",
    "Blocks",
    "Border",
    "Chain",
    "Convolution",
    "Cost",
    "Dense",
    "Diagonal",
    "Identity",
    "LinearMap",
    "Mixing",
    "OnOnes",
    "Pads",
    "Selection",
    "Shape",
    "Sum",
    "Transposed",
    "add",
    "along",
    "compose",
    "is_means",
    "means",
    "shrink",
    "stack",
    "total",
]
