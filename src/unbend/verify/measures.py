"""Three measures of one affine piece, by the same walk through its nodes.

`Values` computes y = W x + b in float64. `Magnitudes` computes |W_n| … |W_1| x + |b| for x ≥ 0: what the numbers are
that are added up, whatever cancels. `Norms` bounds the Euclidean norm of each row of W: with independent signs r,
|Σ E_j r_j| exceeds t ‖E‖ with a probability below 2 exp(-t²/2) only (Hoeffding), so that a sum of many roundings is
held against the root of their number and not against their number.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

Apply = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Coefficients and an array to Σ coefficient · number: linear in both."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """A value that varies with the sources.

    `terms` counts the roundings on the longest way from a source, `products` the products with coefficients on it, and
    `work` the multiplications that it took; `apart` says that no two of its numbers come from one number of a source.
    """

    array: np.ndarray
    terms: int = 0
    products: int = 0
    apart: bool = False
    work: int = 0


Operand = Tensor | np.ndarray
"""What a node reads: a value that varies, or a constant."""


class Measure(ABC):
    """What is computed of a piece."""

    @abstractmethod
    def scaled(self, apply: Apply, coefficients: np.ndarray, x: Tensor, terms: int, *, once: bool = True) -> Tensor:
        """Σ coefficient · x, `terms` of them for each number; `once` says that none of them has the same x twice."""

    @abstractmethod
    def shifted(self, x: Tensor, offset: np.ndarray) -> Tensor:
        """X + offset."""

    @abstractmethod
    def still(self, offset: np.ndarray) -> Tensor:
        """A value that does not vary, of which products are added to one that does."""

    def multiplied(self, coefficients: np.ndarray, x: Tensor) -> Tensor:
        """Coefficient · x, number by number, broadcast."""
        product = self.scaled(np.multiply, coefficients, x, 1)
        return replace(product, apart=x.apart and product.array.shape == x.array.shape)

    def added(self, terms: Sequence[Tensor]) -> Tensor:
        """The sum of several values, broadcast."""
        total = terms[0].array
        for term in terms[1:]:
            total = total + term.array
        longest = max(term.terms for term in terms) + len(terms) - 1
        return Tensor(total, longest, max(term.products for term in terms), work=sum(term.work for term in terms))

    def moved(self, move: Callable[[np.ndarray], np.ndarray], x: Tensor, *, once: bool = True) -> Tensor:
        """The numbers of x at other places; `once` says that none stands at two."""
        return replace(x, array=move(x.array), apart=x.apart and once)


def _counted(x: Tensor, array: np.ndarray, terms: int) -> Tensor:
    return Tensor(array, x.terms + terms + 1, x.products + 1, work=x.work + array.size * terms)


class Values(Measure):
    """W x + b."""

    def scaled(self, apply: Apply, coefficients: np.ndarray, x: Tensor, terms: int, *, once: bool = True) -> Tensor:  # noqa: D102
        return _counted(x, apply(coefficients, x.array), terms)

    def shifted(self, x: Tensor, offset: np.ndarray) -> Tensor:  # noqa: D102
        return replace(x, array=x.array + offset, terms=x.terms + 1)

    def still(self, offset: np.ndarray) -> Tensor:  # noqa: D102
        return Tensor(offset)


@dataclass(frozen=True)
class Magnitudes(Measure):
    """|W| x + |b|, step by step; no coefficient, nor what is added to a product, is taken for less than `floor`."""

    floor: float = 0.0

    def scaled(self, apply: Apply, coefficients: np.ndarray, x: Tensor, terms: int, *, once: bool = True) -> Tensor:  # noqa: D102
        product = apply(np.maximum(np.abs(coefficients), self.floor), x.array)
        return _counted(x, product + self.floor if self.floor else product, terms)

    def shifted(self, x: Tensor, offset: np.ndarray) -> Tensor:  # noqa: D102
        return replace(x, array=x.array + np.abs(offset), terms=x.terms + 1)

    def still(self, offset: np.ndarray) -> Tensor:  # noqa: D102
        return Tensor(np.abs(offset))


@dataclass(frozen=True)
class Norms(Measure):
    """An upper bound of the norm of each row of W: exact for the first product, by the triangle inequality after it.

    No coefficient is taken for less than `floor`.
    """

    floor: float = 0.0

    def scaled(self, apply: Apply, coefficients: np.ndarray, x: Tensor, terms: int, *, once: bool = True) -> Tensor:  # noqa: D102
        size = np.maximum(np.abs(coefficients), self.floor)
        if x.apart and once:
            return _counted(x, np.sqrt(apply(size**2, x.array**2)), terms)
        return _counted(x, apply(size, x.array), terms)

    def shifted(self, x: Tensor, offset: np.ndarray) -> Tensor:  # noqa: D102
        shape = np.broadcast_shapes(x.array.shape, offset.shape)
        apart = x.apart and shape == x.array.shape
        return replace(x, array=np.broadcast_to(x.array, shape), terms=x.terms + 1, apart=apart)

    def still(self, offset: np.ndarray) -> Tensor:  # noqa: D102
        return Tensor(np.zeros_like(offset))
