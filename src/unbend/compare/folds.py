"""Which fold a row is in: from its number and the seed alone, so that it does not depend on how the rows are read.

Rows are taken in groups of as many as there are folds; within each group a hash puts them in random order, and a row's
place in that order is its fold. So folds are random, of equal size, and need no memory.
"""

from __future__ import annotations

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)
SAMPLING = 0x5EED
"""Added to the seed where rows are sampled, so that the sample has nothing to do with the folds."""


def splitmix64(numbers: np.ndarray, seed: int) -> np.ndarray:
    """Output `numbers` (from 0) of the generator splitmix64 with this seed; uint64, any shape.

    Source: Steele, Lea and Flood (2014), OOPSLA, 453-472.

    >>> [hex(z) for z in splitmix64(np.arange(2), 0)]
    ['0xe220a8397b1dcdaf', '0x6e789e6aa1b965f4']
    """
    with np.errstate(over="ignore"):
        z = np.uint64(seed % 2**64) + (numbers.astype(np.uint64) + np.uint64(1)) * GOLDEN
        z = (z ^ (z >> np.uint64(30))) * FIRST
        z = (z ^ (z >> np.uint64(27))) * SECOND
    return z ^ (z >> np.uint64(31))


def fold_of(numbers: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The fold, 0 to `folds` − 1, of each row by its number; (n,) int64.

    Of rows k · folds to k · folds + folds − 1 each is in another fold.
    """
    group, place = np.divmod(numbers, folds)
    keys = splitmix64(group[:, None] * folds + np.arange(folds), seed)
    own = keys[np.arange(len(numbers)), place]
    return (keys < own[:, None]).sum(axis=1)


def sampled(numbers: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Which rows are in a sample of about `share` of all; (n,) bool."""
    return splitmix64(numbers, seed + SAMPLING) < np.uint64(min(share, 1 - 2.0**-53) * 2.0**64)
