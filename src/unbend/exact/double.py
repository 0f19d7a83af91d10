"""Arrays of numbers in two parts, hi + lo: 106 bits, about 32 decimal digits.

Source: Joldes, Muller and Popescu (2017), Tight and rigorous error bounds for basic building blocks of double-word
arithmetic, ACM TOMS 44(2):15: the relative error of + is at most 3 u², of × 5 u², of / 10 u², with u = 2⁻⁵³.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from unbend.exact.error_free import fast_two_sum, two_prod, two_sum


@dataclass(frozen=True, eq=False)
class Double:
    """Numbers hi + lo with |lo| at most half a unit in the last place of hi.

    `+ − * /` take another `Double`, an array or a number, and broadcast as NumPy does.

    Attributes
    ----------
    hi, lo : float64, of one shape

    Examples
    --------
    >>> third = Double.of(1.0) / 3
    >>> float(third.hi), float(third.lo)
    (0.3333333333333333, 1.850371707708594e-17)
    >>> abs(float(third.fractions().item() * 3 - 1)) < 2.0**-105
    True
    """

    hi: np.ndarray
    lo: np.ndarray

    __array_ufunc__ = None  # so that array + Double is Double.__radd__

    @classmethod
    def of(cls, values: ArrayLike | Double, low: ArrayLike | None = None) -> Double:
        """Numbers as they are (whole numbers of 64 bits exactly), or the sum of two arrays of one shape."""
        if isinstance(values, Double):
            return values
        values = np.asarray(values)
        hi = values.astype(np.float64)
        if low is not None:
            return cls(*two_sum(hi, low))
        if values.dtype.kind not in "iu":
            return cls(hi, np.zeros_like(hi))
        return cls(*two_sum((values >> 32).astype(np.float64) * 2.0**32, (values & 0xFFFFFFFF).astype(np.float64)))

    @classmethod
    def zeros(cls, shape: int | tuple[int, ...]) -> Double:
        """Zeros."""
        return cls(np.zeros(shape), np.zeros(shape))

    @classmethod
    def stack(cls, numbers: Sequence[Double], axis: int = 0) -> Double:
        """Several of one shape along a new axis, at least one."""
        return cls(np.stack([one.hi for one in numbers], axis), np.stack([one.lo for one in numbers], axis))

    @classmethod
    def from_fractions(cls, values: Any) -> Double:
        """Rational numbers (`Fraction`, `Decimal`, int, float; one, a list or an array of them), rounded."""
        exact = np.asarray(values, dtype=object)
        hi = np.asarray(np.vectorize(float, otypes=[float])(exact) if exact.size else np.zeros(exact.shape))
        left = [float(Fraction(value) - Fraction(part)) for value, part in zip(exact.flat, hi.flat, strict=True)]
        return cls(hi, np.array(left, dtype=np.float64).reshape(hi.shape))

    def fractions(self) -> np.ndarray:
        """Exactly the same numbers as an array of `Fraction`."""
        exact = [Fraction(hi) + Fraction(lo) for hi, lo in zip(self.hi.flat, self.lo.flat, strict=True)]
        return np.array([*exact, None], dtype=object)[:-1].reshape(self.hi.shape)

    def to_float(self) -> np.ndarray:
        """Rounded to float64."""
        return self.hi + self.lo

    def __add__(self, other: ArrayLike | Double) -> Double:
        other = Double.of(other)
        total, error = two_sum(self.hi, other.hi)
        low, below = two_sum(self.lo, other.lo)
        total, error = fast_two_sum(total, error + low)
        return Double(*fast_two_sum(total, error + below))

    def __mul__(self, other: ArrayLike | Double) -> Double:
        other = Double.of(other)
        product, error = two_prod(self.hi, other.hi)
        return Double(*fast_two_sum(product, error + (self.hi * other.lo + self.lo * other.hi)))

    def __truediv__(self, other: ArrayLike | Double) -> Double:
        other = Double.of(other)
        first = self.hi / other.hi
        left = self - other * first
        second = left.hi / other.hi
        third = (left - other * second).hi / other.hi
        return Double(*fast_two_sum(first, second)) + third

    def __neg__(self) -> Double:
        return Double(-self.hi, -self.lo)

    def __abs__(self) -> Double:
        sign = np.where(self.hi < 0, -1.0, 1.0)
        return Double(sign * self.hi, sign * self.lo)

    def __sub__(self, other: ArrayLike | Double) -> Double:
        return self + -Double.of(other)

    def __radd__(self, other: ArrayLike) -> Double:
        return self + other

    def __rsub__(self, other: ArrayLike) -> Double:
        return -self + other

    def __rmul__(self, other: ArrayLike) -> Double:
        return self * other

    def __rtruediv__(self, other: ArrayLike) -> Double:
        return Double.of(other) / self

    def sqrt(self) -> Double:
        """Square root; NaN below 0."""
        root = np.sqrt(self.hi)
        left = (self - Double(*two_prod(root, root))).hi
        return Double(*fast_two_sum(root, left / np.where(root > 0, 2 * root, 1.0)))

    def sum(self, axis: int = 0) -> Double:
        """The sum along an axis, pair by pair: as accurate as the parts allow, 0 of nothing."""
        hi, lo = np.moveaxis(self.hi, axis, 0), np.moveaxis(self.lo, axis, 0)
        if len(hi) == 0:
            return Double.zeros(hi.shape[1:])
        while len(hi) > 1:
            half = len(hi) // 2
            total, error = two_sum(hi[:half], hi[half : 2 * half])
            low = lo[:half] + lo[half : 2 * half] + error
            hi, lo = np.concatenate([total, hi[2 * half :]]), np.concatenate([low, lo[2 * half :]])
        return Double(*two_sum(hi[0], lo[0]))

    def __getitem__(self, at: Any) -> Double:
        return Double(np.asarray(self.hi[at]), np.asarray(self.lo[at]))

    def __len__(self) -> int:
        return len(self.hi)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""
        return self.hi.shape

    @property
    def T(self) -> Double:
        """Transposed."""
        return Double(self.hi.T, self.lo.T)

    def reshape(self, *shape: int) -> Double:
        """The same numbers in another shape."""
        return Double(self.hi.reshape(shape), self.lo.reshape(shape))
