"""What columns explain beyond those that are there already, from sums over rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STRAIGHT = 1e-10
"""If no more than this share of an added column is left once the others are taken out of it, it says nothing new (the
square of a column with two values is a straight line of that column)."""


@dataclass(frozen=True)
class Added:
    """A sum of squares that is explained, and how many independent columns explain it."""

    explained: float
    rank: int


def added(products: np.ndarray, present: np.ndarray, along: np.ndarray) -> Added:
    """What k more columns A explain of a residual e, besides orthonormal columns Q to which e is orthogonal.

    `products` is AᵀA (k, k), `present` QᵀA (q, k), `along` Aᵀe (k,). Equivalent to the drop in the residual sum of
    squares when A is added to a regression on Q.
    """
    size = np.sqrt(np.diag(products))
    size = np.where(size > 0, size, 1.0)
    left = (products - present.T @ present) / np.outer(size, size)
    values, vectors = np.linalg.eigh(left)
    kept = values > STRAIGHT
    shares = (vectors[:, kept].T @ (along / size)) ** 2 / values[kept]
    return Added(float(shares.sum()), int(kept.sum()))
