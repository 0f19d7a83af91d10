"""How wide a certificate may state its bound: no wider than the roundings that the checker counts itself.

A product of numbers of which each is off by at most u is off by (1 − u)⁻ᵐ − 1 for m of them in a row. In half precision
a stored number may be the neighbour on the other side, which is off by 2 u. An offset is rounded once more, and may
differ from place to place by what `PLACES` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import ml_dtypes
import numpy as np

from unbend.verify.certificate import Stated
from unbend.verify.measures import Tensor

FINE = float(np.finfo(np.float64).eps) / 2
"""The unit roundoff of float64, in which weights are composed and the checker computes."""

LOOSE = 8.0
"""Roundings of float64 may be counted this many times: another order of sums has more of them."""

PLACES = 8.0
"""An offset that an exporter rounded at each place is taken for one number if it is within so many roundings."""

HALF = 1e-6
"""A type with a larger unit in the last place is half precision: float16, bfloat16."""


def gamma(terms: int, unit: float) -> float:
    """γ_k = k u / (1 - k u)."""
    return terms * unit / (1.0 - terms * unit) if terms * unit < 1.0 else np.inf


def unit_of(arrays: Sequence[np.ndarray]) -> float:
    """The unit roundoff of the coarsest type that some numbers are stored in."""
    return max((float(ml_dtypes.finfo(one.dtype).eps) for one in arrays), default=2 * FINE) / 2


def floor_of(arrays: Sequence[np.ndarray]) -> float:
    """The largest of the smallest normal numbers of their types: a smaller one is rounded as that is, or to zero."""
    return max((float(ml_dtypes.finfo(one.dtype).smallest_normal) for one in arrays), default=0.0)


def is_half(unit: float) -> bool:
    """Whether a type with this unit roundoff is half precision."""
    return 2 * unit > HALF


def too_wide(bound: Stated, original: Sequence[Tensor], collapsed: Sequence[Tensor], unit: float) -> Iterator[str]:
    """What a certificate states too wide to say anything, in sentences; the tensors are the outputs of both sides."""
    maps = max(tensor.products for tensor in collapsed) + 1
    terms = max(tensor.terms for tensor in (*original, *collapsed)) + 1
    each = 1.0 - (2.0 if is_half(unit) else 1.0) * unit
    fine = LOOSE * gamma(terms, FINE)
    limits = {
        "of the collapsed weights": (bound.collapsed, each**-maps - 1.0 + fine),
        "of the offsets": (bound.offset, each ** -(maps + 1) - 1.0 + fine),
        "of the original": (bound.original, fine),
        "of settled offsets": (bound.settled, 0.0 if is_half(unit) else PLACES * unit),
    }
    for name, (stated, limit) in limits.items():
        if not 0.0 <= stated <= limit:
            yield f"the bound {name}, {stated:.2g}, is wider than rounding explains, {limit:.2g}"
