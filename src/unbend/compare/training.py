"""What a rung may see before it is judged on a fold: the moments, the class counts and a sample of all other rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from unbend.compare.expansion import Expansion
from unbend.regression import Moments


class LeftOutError(Exception):
    """A rung cannot be fitted; the text is the reason, for the reader."""


@dataclass(frozen=True, eq=False)
class Training:
    """The rows that are not in one fold.

    Attributes
    ----------
    names : of the p coded columns
    expansion : squares and products
    n : rows
    moments : of [columns | squares and products | target]; None for a target of classes
    counts : (classes,) rows of each class; empty for a number
    x, y : a sample of the rows in memory, (m, p) and (m,); empty if no rung needs it
    seed : for whatever is random
    """

    names: tuple[str, ...]
    expansion: Expansion
    n: int
    moments: Moments | None
    counts: np.ndarray
    x: np.ndarray
    y: np.ndarray
    seed: int

    @property
    def classes(self) -> int:
        """How many classes the target has, 0 for a number."""
        return len(self.counts)

    @property
    def quadratic_moments(self) -> Moments:
        """Of [columns | squares and products | target]."""
        assert self.moments is not None  # rungs for numbers are only fitted to numbers
        return self.moments

    @cached_property
    def linear_moments(self) -> Moments:
        """Of [columns | target]."""
        whole = self.quadratic_moments
        kept = np.append(np.arange(len(self.names)), len(whole.shift) - 1)
        products = whole.products[np.ix_(kept, kept)]
        return Moments(whole.n, whole.weight, whole.shift[kept], whole.sums[kept], products)
