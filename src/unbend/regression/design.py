"""What a regression is on: rows of columns and targets, or powers and products of the columns, as often as it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from unbend.data import Table
from unbend.data.parallel import Sum
from unbend.regression.least_squares import Readings, least_squares
from unbend.regression.moments import Block, Moments
from unbend.regression.ordinary import Collinear
from unbend.regression.polynomial import Polynomial
from unbend.regression.reading import block_moments, gathered_moments, refuse_unsquarable, rows_are_gone
from unbend.regression.rows import Blocks, added_where_they_are
from unbend.regression.solution import Solution
from unbend.regression.weighting import no_weight


@dataclass(frozen=True, eq=False)
class Powers:
    """Powers and products of the columns of some rows, in two parts."""

    rows: Blocks
    terms: Polynomial

    def __call__(self) -> Iterator[Block]:
        """Block by block."""
        return map(self.terms.of_block, self.rows())

    def added(self, part: Callable[[Block, Sum | None], Sum], *, shared: bool = False) -> Sum | None:
        """The sum of `part(block, first)` over all rows, where they are; see `unbend.regression.rows`."""
        return added_where_they_are(self.rows, partial(_of_powers, self.terms.of_block, part), shared=shared)


def _of_powers(
    expanded: Callable[[Block], Block], part: Callable[[Block, Sum | None], Sum], block: Block, first: Sum | None = None
) -> Sum:
    return part(expanded(block), first)


def _about_origin(block: Block, first: Moments | None = None) -> Moments:
    with np.errstate(over="ignore", invalid="ignore"):
        return Moments.about_origin(block)


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

    rows: Blocks
    names: tuple[str, ...]
    terms: Polynomial | None = None
    intercept: bool = True

    @classmethod
    def of_powers(cls, rows: Blocks, terms: Polynomial, intercept: bool = True) -> Design:
        """Powers and products of the columns about the middle of the first rows."""
        first = next(iter(rows()), None)
        centred = terms if first is None else terms.centred_on(np.asarray(first.x, dtype=np.float64), intercept)
        return cls(rows, terms.names, centred, intercept)

    @property
    def blocks(self) -> Blocks:
        """Reads the columns of the regression, powers and products in two parts."""
        return self.rows if self.terms is None else Powers(self.rows, self.terms)

    def moments(self) -> Moments | None:
        """Of [x | targets]; None if there are no rows."""
        part = block_moments if self.intercept else _about_origin
        if self.terms is not None:
            part = partial(_of_powers, self.terms.of_rounded, part)
        return added_where_they_are(self.rows, part, shared=self.intercept)

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


def design_moments(table: Table, design: Design, weights: str | None, *, plain: bool) -> Moments:
    """The moments of the rows of a table, which may have been gathered while it was opened.

    `plain` says whether the columns are those of the table as they are.

    Raises
    ------
    DataError
        If there are no rows any more, or none of a weight; if squares of the numbers overflow or vanish.
    """
    gathered = gathered_moments(table) if plain and design.intercept and weights is None else None
    moments = gathered or design.moments()
    if moments is None:
        raise rows_are_gone(table)
    if moments.n == 0 and weights is not None:
        raise no_weight(table, weights)
    refuse_unsquarable(moments, (*design.names, table.target))
    return moments
