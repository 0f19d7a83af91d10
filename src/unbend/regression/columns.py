"""The moments of columns that lie apart, as in Arrow: put side by side a few thousand rows at a time, in cache."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unbend.regression.moments import Moments, rounded_mean

IN_CACHE = 86_000
"""Numbers that are worked on at a time: 0.7 MB."""
FEWEST_ROWS = 1024
"""Fewer rows would make slow products of many columns."""


def column_moments(columns: Sequence[np.ndarray], first: Moments | None = None) -> Moments:
    """The moments of columns (n,), the target last, about the shift of the `first` moments, or one of their own.

    Equivalent to `Moments.of(np.column_stack(columns), shift)`.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        shift = first.shift if first else np.concatenate([rounded_mean(column[:, None]) for column in columns])
        sums, products = _shifted(columns, shift)
    n = len(columns[0])
    return Moments(n, float(n), shift, sums, products)


def _shifted(columns: Sequence[np.ndarray], shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums (q,) and cross products (q, q) of columns less a shift."""
    q, n = len(columns), len(columns[0])
    size = min(max(IN_CACHE // q, FEWEST_ROWS), n)
    moved, sums, products = np.empty((q, size)), np.zeros(q), np.zeros((q, q))
    for start in range(0, n, size):
        part = moved[:, : min(size, n - start)]
        for column, by, out in zip(columns, shift, part, strict=True):
            np.subtract(column[start : start + size], by, out=out)
        sums += part.sum(axis=1)
        products += part @ part.T
    return sums, products
