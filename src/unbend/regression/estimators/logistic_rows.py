"""Rows and their classes as `LogisticRegression` gets them, with no more readings than it takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.utils.multiclass import check_classification_targets

from unbend.regression.estimators.sample import Sample
from unbend.regression.moments import Block

STRETCHES = 16
"""Pieces that a sample of the rows is of, so that it has some of each part of rows that are sorted."""
SPAN = 1 << 16
"""Whole numbers of which the largest is no farther from the smallest are counted instead of sorted."""


@dataclass(frozen=True, eq=False)
class SampleRows:
    """The rows of a sample again and again, or some from all over."""

    sample: Sample

    def __call__(self) -> Iterator[Block]:
        """All rows in blocks."""
        return self.sample.blocks()

    def some(self, rows: int) -> Iterator[Block]:
        """About so many rows, in stretches that are equally far apart."""
        size = max(1, rows // STRETCHES)
        for start in np.linspace(0, len(self.sample.x) - size, max(1, rows // size)).astype(int):
            yield self.sample.rows.part(slice(start, start + size))


def numbered(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The classes (K,) that occur in y (n,), in order, and the number of each row's class (n,).

    Raises
    ------
    ValueError
        If y holds numbers that are not whole, in scikit-learn's words.
    """
    if y.dtype.kind in "biufU" and (classes := _two(y)) is not None:
        check_classification_targets(classes)
        return classes, y == classes[-1] if len(classes) == 2 else np.zeros(len(y))
    if y.dtype.kind in "iu" and int(y.max()) - int(y.min()) < SPAN:
        return _counted(y)
    check_classification_targets(y)
    return np.unique(y, return_inverse=True)


def _two(y: np.ndarray) -> np.ndarray | None:
    """The one or two values of y; None if there are more."""
    is_first = y == y[0]
    other = y[np.argmin(is_first)]
    return np.unique(np.array([y[0], other])) if (is_first | (y == other)).all() else None


def _counted(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    least = y.min()
    moved = (y - least).view(f"u{y.dtype.itemsize}")  # what is too large for y's type wraps, and wraps back below
    seen = np.bincount(moved.astype(np.intp)) > 0
    return np.flatnonzero(seen).astype(y.dtype) + least, (np.cumsum(seen) - 1)[moved]
