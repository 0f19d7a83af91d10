"""The numbers of a map: as a file stores them, or still to be made.

What a product costs follows from shapes alone, so a map can be priced, and refused, before a number of it is
multiplied. A map therefore holds its weights as an array of any type, or as `Unmade`: a shape and how to make the
numbers. The algebra is done in float64, whatever the weights are stored as, and nothing is kept in float64 that nobody
asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

DEEP = 64
"""Products of products nest no deeper than this before their factors are made."""


class Unmade:
    """Numbers of a known shape that are made from others when they are asked for, and kept from then on."""

    def __init__(self, shape: tuple[int, ...], function: Callable[..., np.ndarray], *factors: Stored) -> None:
        self.shape = shape
        self._recipe: tuple[Callable[..., np.ndarray], tuple[Stored, ...]] | None = (function, factors)
        self._made: np.ndarray | None = None
        self.depth = 1 + max((factor.depth for factor in factors if isinstance(factor, Unmade)), default=0)
        if self.depth > DEEP:
            self.numbers(keep=True)

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    def numbers(self, *, keep: bool) -> np.ndarray:
        """The numbers in float64; kept for the next time, or made from what they are made of each time."""
        if self._recipe is None:
            assert self._made is not None
            return self._made
        function, factors = self._recipe
        made = function(*(numbers(factor) for factor in factors))
        assert made.shape == self.shape
        if keep:
            self._made, self._recipe, self.depth = made, None, 0
        return made


Stored = np.ndarray | Unmade


def numbers(stored: Stored, *, keep: bool = False) -> np.ndarray:
    """Weights as an array of float64; with `keep`, those that had to be made are kept."""
    if isinstance(stored, Unmade):
        return stored.numbers(keep=keep)
    return np.asarray(stored, dtype=np.float64)
