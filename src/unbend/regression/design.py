"""What a regression is on: rows of columns and targets, or powers and products of the columns, as often as it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from unbend.data.parallel import added
from unbend.regression.least_squares import Readings, least_squares
from unbend.regression.moments import Block, Moments
from unbend.regression.ordinary import Collinear
from unbend.regression.polynomial import Polynomial
from unbend.regression.solution import Solution


@dataclass(frozen=True, eq=False)
class Design:
    """Rows that are read again and again.

    Attributes
    ----------
    rows : reads the blocks of columns and targets
    names : of the columns of the regression
    terms : the powers and products of the columns that these are, None for the columns themselves
    intercept : whether there is one
    """

    rows: Callable[[], Iterable[Block]]
    names: tuple[str, ...]
    terms: Polynomial | None = None
    intercept: bool = True

    @classmethod
    def of_powers(cls, rows: Callable[[], Iterable[Block]], terms: Polynomial, intercept: bool = True) -> Design:
        """Powers and products of the columns about the middle of the first rows."""
        first = next(iter(rows()), None)
        centred = terms if first is None else terms.centred_on(np.asarray(first.x, dtype=np.float64), intercept)
        return cls(rows, terms.names, centred, intercept)

    def blocks(self) -> Iterator[Block]:
        """The rows, powers and products in two parts."""
        for block in self.rows():
            if self.terms is None:
                yield block
            else:
                x = self.terms.exactly(block.x, block.x_low)
                yield block._replace(x=x.hi, x_low=x.lo)

    def moments(self) -> Moments | None:
        """Of [x | targets]; None if there are no rows."""
        return added(self._part, self.rows())

    def _part(self, block: Block, first: Moments | None) -> Moments:
        if self.terms is not None:
            block = block._replace(x=self.terms.expand(block.x))
        with np.errstate(over="ignore", invalid="ignore"):
            if not self.intercept:
                return Moments.about_origin(block)
            return Moments.of_block(block, None if first is None else first.shift)

    def solve(
        self,
        moments: Moments,
        *,
        collinear: Collinear = "error",
        optional: Sequence[bool] | None = None,
        readings: Readings = "as many as it takes",
    ) -> tuple[tuple[Solution, ...], Polynomial | None]:
        """Least squares for every target, and the powers and products that the solutions are for.

        The arguments are those of `least_squares`.
        """
        found = least_squares(
            moments,
            self.names,
            self.blocks,
            collinear=collinear,
            optional=optional,
            intercept=self.intercept,
            readings=readings,
            terms=self.terms,
        )
        if self.terms is None or not self.terms.mixes(found[0].dropped):
            return found, self.terms
        as_they_are = replace(self, terms=self.terms.uncentred)
        again = as_they_are.moments()
        assert again is not None  # there were rows before
        return as_they_are.solve(again, collinear=collinear, optional=optional, readings=readings)
