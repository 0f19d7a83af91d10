"""Powers and products of columns up to a degree, kept away from cancellation, and the way back to the columns' units.

What is regressed on are the monomials of (x − centre) / unit, which are far less alike than those of x where a column's
mean is large beside its spread: the years 1950 to 2020, say. They are formed in numbers of two parts, so no digit is
lost where powers are rounded. Their span is that of the monomials of x, and the coefficients of these follow by the
binomial theorem, in rational arithmetic.

Left out are powers of columns with two values (a power is the column again, up to scale and a constant) and products of
two levels of one category (always 0).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import product
from math import comb, prod

import numpy as np
from scipy.sparse import coo_array, csr_array

from unbend.data import Coding, Term
from unbend.errors import DataError, UsageError
from unbend.exact import Double
from unbend.regression.moments import Block, rounded_mean
from unbend.regression.quadratic import Quadratic
from unbend.regression.rank import PART, Relation, tidy
from unbend.regression.triangle import power_of_two

MOST = 3000
"""More columns than this are refused: their cross products alone take 72 MB and their factor minutes."""
BITS = 960
"""Powers of two that are farther than this from 1 leave no room in a float64 for what is made of them."""
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, eq=False)
class Polynomial:
    """Monomials of columns, by degree and then in the order of the columns.

    Attributes
    ----------
    names : of the q monomials, such as `age²·bmi`
    powers : (q, p) of each column in each
    centre, unit : (p,) what is taken off each column, and by what power of two it is divided
    """

    names: tuple[str, ...]
    powers: np.ndarray
    centre: np.ndarray
    unit: np.ndarray

    @property
    def p(self) -> int:
        """Columns."""
        return self.powers.shape[1]

    @property
    def degree(self) -> int:
        """The highest."""
        return int(self.powers.sum(axis=1).max(initial=1))

    def centred_on(self, x: np.ndarray, intercept: bool = True) -> Polynomial:
        """The same monomials about the middle of rows x (n, p) and in units of their spread.

        Without an intercept nothing may be taken off; columns that have no power of their own are left as they are.
        """
        if not len(x):
            return self
        curved = (self.powers > 1).any(axis=0)
        centre = np.where(curved & intercept, rounded_mean(x), 0.0)
        unit = np.where(curved, power_of_two(np.abs(x - centre).max(axis=0)), 1.0)
        self._refuse(np.abs(self.powers @ np.log2(unit)) > BITS)
        return replace(self, centre=centre, unit=unit)

    def _refuse(self, wrong: np.ndarray) -> None:
        """Raise DataError if one of the monomials is wrong (q,): it, or its coefficient, has no place in a float64."""
        if wrong.any():
            name = self.names[int(np.argmax(wrong))]
            raise DataError(
                f"{name} or its coefficient is too large or too small for a number of 64 bits",
                try_="give the columns and the target in units in which they are about 1, or take a lower degree",
            )

    @property
    def uncentred(self) -> Polynomial:
        """The same monomials of the columns as they are, but for their units."""
        return replace(self, centre=np.zeros(self.p))

    def mixes(self, dropped: Sequence[str]) -> bool:
        """Whether without these monomials the others are not the same span as those of the columns as they are."""
        out = {self.names.index(name) + 1 for name in dropped}
        kept = [way for j, way in enumerate(self._ways) if j not in out]
        return any(i in out for way in kept for i, _ in way)

    def expand(self, x: np.ndarray) -> np.ndarray:
        """The monomials at rows x (n, p), each rounded; (n, q)."""
        moved = np.asarray((x - self.centre) / self.unit, order="F")
        found = np.empty((len(x), len(self.powers)), order="F")
        for j, (one, k) in enumerate(self._steps):
            found[:, j] = moved[:, k] if one < 0 else found[:, one] * moved[:, k]
        return np.ascontiguousarray(found)

    def of_block(self, block: Block) -> Block:
        """A block with the monomials for columns, in two parts."""
        x = self.exactly(block.x, block.x_low)
        return block._replace(x=x.hi, x_low=x.lo)

    def of_rounded(self, block: Block) -> Block:
        """A block with the monomials for columns, each rounded."""
        return block._replace(x=self.expand(block.x), x_low=None)

    def exactly(self, x: np.ndarray, x_low: np.ndarray | None = None) -> Double:
        """The monomials at rows x + x_low (n, p) in two parts; (n, q)."""
        moved = Double.of(np.asarray(x, dtype=np.float64).T, None if x_low is None else x_low.T) - self.centre[:, None]
        moved = Double(moved.hi / self.unit[:, None], moved.lo / self.unit[:, None])
        hi, lo = np.empty((2, len(self.powers), len(x)))
        for j, (one, k) in enumerate(self._steps):
            part = moved[k] if one < 0 else Double(hi[one], lo[one]) * moved[k]
            hi[j], lo[j] = part.hi, part.lo
        return Double(np.ascontiguousarray(hi.T), np.ascontiguousarray(lo.T))

    @cached_property
    def _steps(self) -> list[tuple[int, int]]:
        """For each monomial the earlier one that it is a multiple of, −1 for a constant, and the column it is times."""
        place = {tuple(row): j for j, row in enumerate(self.powers.tolist())}
        steps = []
        for row in self.powers.tolist():
            k = max(i for i, power in enumerate(row) if power)
            row[k] -= 1
            steps.append((place.get(tuple(row), -1), k))
        return steps

    @cached_property
    def _ways(self) -> list[list[tuple[int, Fraction]]]:
        """What each monomial, the constant first, is in terms of those of x: places and factors."""
        place = {tuple(row): j + 1 for j, row in enumerate(self.powers.tolist())} | {(0,) * self.p: 0}
        return [[(0, Fraction(1))], *([*self._way(row, place)] for row in self.powers.tolist())]

    def _way(self, row: list[int], place: dict[tuple[int, ...], int]) -> Iterator[tuple[int, Fraction]]:
        taking_part = [k for k, power in enumerate(row) if power]
        centre = [Fraction(float(self.centre[k])) for k in taking_part]
        scale = prod((Fraction(float(self.unit[k])) ** row[k] for k in taking_part), start=Fraction(1))
        for lower in product(*(range(row[k] + 1) if self.centre[k] else [row[k]] for k in taking_part)):
            factor = Fraction(1) / scale
            full = [0] * self.p
            for k, c, low in zip(taking_part, centre, lower, strict=True):
                factor *= comb(row[k], low) * (-c) ** (row[k] - low)
                full[k] = low
            yield place[tuple(full)], factor

    @cached_property
    def back(self) -> csr_array:
        """(1 + q, 1 + q) from the coefficients of these monomials to those of x, the intercept first, rounded."""
        places = [(i, j, float(factor)) for j, way in enumerate(self._ways) for i, factor in way]
        rows, columns, factors = zip(*places, strict=True)
        size = 1 + len(self.powers)
        return coo_array((factors, (rows, columns)), shape=(size, size)).tocsr()

    def back_exactly(self) -> Double:
        """`back` in two parts, as a full matrix."""
        size = 1 + len(self.powers)
        full = Double.zeros((size, size))
        for j, way in enumerate(self._ways):
            at = [i for i, _ in way]
            factors = Double.from_fractions([factor for _, factor in way])
            full.hi[at, j], full.lo[at, j] = factors.hi, factors.lo
        return full

    def coefficients(self, found: Double) -> Double:
        """The coefficients of the monomials of x, from those of these; (1 + q,), the intercept first."""
        total = [Fraction(0)] * (1 + len(self.powers))
        for number, way in zip(found.fractions().tolist(), self._ways, strict=True):
            for i, factor in way if number else ():
                total[i] += number * factor
        sizes = [abs(one.numerator).bit_length() - one.denominator.bit_length() for one in total]
        self._refuse(np.array([one != 0 and abs(size) > BITS for one, size in zip(total, sizes, strict=True)][1:]))
        return Double.from_fractions(total)

    def relation(self, found: Relation) -> Relation:
        """What a relation between these monomials is between those of x."""
        column = found.column + 1
        total = {i: -factor for i, factor in self._ways[column]}
        own = -total.pop(column)
        known = [
            (0, found.constant),
            *((k + 1, w) for k, w in zip(found.others.tolist(), found.weights.tolist(), strict=True)),
        ]
        sizes = dict.fromkeys(total, Fraction(0)) | {i: abs(factor) for i, factor in total.items()}
        for j, weight in known:
            for i, factor in self._ways[j]:
                total[i] = total.get(i, Fraction(0)) + Fraction(weight) * factor
                sizes[i] = sizes.get(i, Fraction(0)) + abs(Fraction(weight) * factor)
        kept = sorted(i for i in total if abs(total[i]) > Fraction(PART) * sizes[i])
        weights = {i: float(tidy(np.asarray(float(total[i] / own)))) for i in kept}
        constant = weights.pop(0, 0.0)
        others = np.array([i - 1 for i in weights], dtype=int)
        return Relation(found.column, others, np.array([*weights.values()], dtype=float), constant)


Terms = Polynomial | Quadratic
"""What columns are expanded to."""


def polynomial(coding: Coding | Sequence[str], degree: int, *, products_only: bool = False) -> Polynomial:
    """All monomials of coded columns, or of plain numeric columns given by name, up to a degree.

    `products_only` leaves powers out.

    Raises
    ------
    UsageError
        If the degree is not a whole number from 1, or if there would be more than 3 000 columns.
    """
    if not isinstance(degree, (int, np.integer)) or degree < 1:
        raise UsageError(f"the degree must be a whole number from 1, not {degree}")
    terms = coding.terms if isinstance(coding, Coding) else tuple(Term(name, name) for name in coding)
    found: list[tuple[int, ...]] = []
    last: list[tuple[int, ...]] = [()]
    for _ in range(degree):
        last = [(*one, j) for one in last for j in range(one[-1] if one else 0, len(terms)) if _new(one, j, terms)]
        last = [one for one in last if not (products_only and len(set(one)) < len(one))]
        found += last
        if len(found) > MOST:
            raise UsageError(
                f"{len(terms)} columns have more than {MOST} powers and products up to degree {degree}",
                try_="leave columns out, or take a lower degree",
            )
    powers = np.zeros((len(found), len(terms)), dtype=int)
    for row, one in zip(powers, found, strict=True):
        np.add.at(row, list(one), 1)
    names = tuple(_name([term.name for term in terms], row) for row in powers.tolist())
    return Polynomial(names, powers, np.zeros(len(terms)), np.ones(len(terms)))


def _new(one: tuple[int, ...], j: int, terms: Sequence[Term]) -> bool:
    """Whether a product of columns times column j is neither 0 nor a power of a column with two values."""
    if one and one[-1] == j:
        return not terms[j].two_valued
    return all(terms[i].level is None or terms[i].column != terms[j].column for i in one)


def _name(names: Sequence[str], powers: Sequence[int]) -> str:
    return "·".join(names[j] + (str(k).translate(RAISED) if k > 1 else "") for j, k in enumerate(powers) if k)
