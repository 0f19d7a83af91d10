"""What bounds on rounding need of a map: its absolute values, and how many roundings an output may take part in.

|fl(W x) − W x| ≤ γ_k |W| |x| with γ_k = k u / (1 − k u), whatever the order in which k products are added up; chains
and sums of maps are bounded by those of their absolute values, |W_2 W_1| ≤ |W_2| |W_1|.

Source: Higham (2002), "Accuracy and Stability of Numerical Algorithms", section 3.1.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import singledispatch

import numpy as np

from unbend.affine.combined import Chain, Sum, Transposed
from unbend.affine.convolution import Convolution
from unbend.affine.dense import Blocks, Dense
from unbend.affine.maps import Diagonal, Identity, LinearMap
from unbend.affine.mixing import Mixing
from unbend.affine.numbers import Stored, Unmade, numbers
from unbend.affine.selection import Selection


def gamma(terms: int, unit: float) -> float:
    """γ_k = k u / (1 − k u); infinite where k u reaches 1."""
    return terms * unit / (1.0 - terms * unit) if terms * unit < 1.0 else math.inf


@singledispatch
def absolute(linear: LinearMap, floor: float = 0.0) -> LinearMap:
    """The map with the absolute values of its coefficients, none of them below `floor`.

    For a chain or a sum that of each of its maps: no smaller than the absolute value of the whole.
    """
    raise TypeError(f"no absolute value is known for {type(linear).__name__}")


@singledispatch
def terms(linear: LinearMap) -> int:
    """The roundings on the way to one output: of its products, and of adding them up."""
    raise TypeError(f"no number of terms is known for {type(linear).__name__}")


@singledispatch
def factors(linear: LinearMap) -> int:
    """How many maps with coefficients follow one another."""
    return 1


def _absolute(stored: Stored, floor: float) -> np.ndarray:
    array = np.abs(numbers(stored) if isinstance(stored, Unmade) else stored)
    return np.maximum(array.astype(np.float64), floor) if floor else array


@absolute.register
def _(linear: Identity, floor: float = 0.0) -> LinearMap:
    return linear


@absolute.register
def _(linear: Selection, floor: float = 0.0) -> LinearMap:
    return linear


@absolute.register
def _(linear: Diagonal, floor: float = 0.0) -> LinearMap:
    return replace(linear, scale=_absolute(linear.scale, floor))


@absolute.register
def _(linear: Dense, floor: float = 0.0) -> LinearMap:
    return replace(linear, stored=_absolute(linear.stored, floor))


@absolute.register
def _(linear: Blocks, floor: float = 0.0) -> LinearMap:
    return replace(linear, weights=_absolute(linear.weights, floor))


@absolute.register
def _(linear: Mixing, floor: float = 0.0) -> LinearMap:
    return replace(linear, weights=np.abs(linear.weights), means=False)


@absolute.register
def _(linear: Convolution, floor: float = 0.0) -> LinearMap:
    return linear.with_kernel(_absolute(linear.stored, floor))


@absolute.register
def _(linear: Chain | Sum, floor: float = 0.0) -> LinearMap:
    return replace(linear, maps=tuple(absolute(one, floor) for one in linear.maps))


@absolute.register
def _(linear: Transposed, floor: float = 0.0) -> LinearMap:
    return Transposed(absolute(linear.of, floor))


@terms.register
def _(linear: Identity | Selection) -> int:
    return 0


@terms.register
def _(linear: Diagonal) -> int:
    return 1


@terms.register
def _(linear: Dense) -> int:
    return linear.stored.shape[1]


@terms.register
def _(linear: Blocks) -> int:
    return linear.weights.shape[-1]


@terms.register
def _(linear: Mixing) -> int:
    return linear.shape[linear.axis]


@terms.register
def _(linear: Convolution) -> int:
    return math.prod(linear.stored.shape[1:])


@terms.register
def _(linear: Chain) -> int:
    return sum(terms(one) for one in linear.maps)


@terms.register
def _(linear: Sum) -> int:
    return max(terms(one) for one in linear.maps) + len(linear.maps) - 1


@terms.register
def _(linear: Transposed) -> int:
    """As many as meet in one column of the map."""
    of = linear.of
    if isinstance(of, Convolution):
        return of.stored.shape[0] // of.groups * math.prod(of.stored.shape[2:])
    return of.out_size


@factors.register
def _(linear: Identity | Selection) -> int:
    return 0


@factors.register
def _(linear: Chain) -> int:
    return sum(factors(one) for one in linear.maps)


@factors.register
def _(linear: Sum) -> int:
    return max(factors(one) for one in linear.maps)
