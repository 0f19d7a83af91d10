"""Error-free transformations: a rounded result and exactly what was rounded off.

Source: Ogita, Rump and Oishi (2005), Accurate sum and dot product, SIAM J. Sci. Comput. 26, 1955-1988.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

Pair = tuple[np.ndarray, np.ndarray]
SPLITTER = 134217729.0
"""2²⁷ + 1, which cuts a number of 53 bits into two of 26 (Dekker 1971; Veltkamp)."""
LARGE = 2.0**990
"""Larger numbers are scaled down before they are cut, or times `SPLITTER` they would overflow."""


def two_sum(a: ArrayLike, b: ArrayLike) -> Pair:
    """s + e = a + b exactly, s = a + b rounded.

    >>> [float(part) for part in two_sum(1.0, 1e-30)]
    [1.0, 1e-30]
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    total = a + b
    of_b = total - a
    return total, (a - (total - of_b)) + (b - of_b)


def fast_two_sum(a: np.ndarray, b: np.ndarray) -> Pair:
    """`two_sum` where |a| ≥ |b| or a = 0."""
    total = a + b
    return total, b - (total - a)


def two_prod(a: ArrayLike, b: ArrayLike) -> Pair:
    """p + e = a · b exactly, p = a · b rounded; if e does not underflow (|a · b| above 1e-290 or 0).

    >>> [part.hex() for part in two_prod(1 + 2.0**-30, 1 + 2.0**-30)]
    ['0x1.0000000800000p+0', '0x1.0000000000000p-60']
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    product = a * b
    (a1, a2), (b1, b2) = _split(a), _split(b)
    return product, a2 * b2 - (((product - a1 * b1) - a2 * b1) - a1 * b2)


def _split(a: np.ndarray) -> Pair:
    """Two parts of at most 26 bits, the second with a sign."""
    large = np.abs(a) > LARGE
    if large.any():
        scale = np.where(large, 2.0**-60, 1.0)
        high, low = _split(a * scale)
        return high / scale, low / scale
    moved = SPLITTER * a
    high = moved - (moved - a)
    return high, a - high
