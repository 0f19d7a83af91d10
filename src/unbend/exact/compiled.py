"""The compiled passes where the package was built with them, and arrays as they read them."""

from __future__ import annotations

import numpy as np

try:
    from unbend.exact import _passes as passes
except ImportError:  # built without a C compiler, or for a processor that has none of the kernels
    passes = None

COMPILED = passes is not None


def readable(values: np.ndarray) -> np.ndarray:
    """Native float64 or float32 as it is, in any order; all else as float64.

    What came from another process may lie across the words of memory (NumPy calls it not aligned): it is copied.
    """
    native = values.dtype.char in "df" and values.dtype.isnative and values.flags.aligned
    return values if native else values.astype(values.dtype.char if values.dtype.char in "df" else np.float64)


def contiguous(values: np.ndarray) -> np.ndarray:
    """float64 in C order, aligned."""
    return np.require(values, np.float64, ["C", "ALIGNED"])
