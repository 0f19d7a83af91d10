"""Columns as numbers: a number stays, yes/no is 0 or 1, a category becomes one 0/1 column a level.

Treatment coding leaves the first level of each category out (it is the base that the others are compared with), so
that the columns and the intercept do not add up to one another; one-hot coding keeps every level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from unbend.data.columns import as_double, as_numbers, as_text, codes
from unbend.errors import DataError
from unbend.exact import Double


@dataclass(frozen=True)
class Term:
    """One coded column.

    `level` is the category's level that it marks with 1, None for a number; `two_valued` says that it takes only two
    values, so its square adds nothing.
    """

    name: str
    column: str
    level: str | None = None
    two_valued: bool = False


@dataclass(frozen=True)
class Coding:
    """The coded columns, and for each category all of its levels (the base included)."""

    terms: tuple[Term, ...]
    levels: Mapping[str, tuple[str, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coded columns, such as `age` and `region=north`."""
        return tuple(term.name for term in self.terms)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of a table that it needs."""
        return tuple(dict.fromkeys(term.column for term in self.terms))

    @property
    def apart(self) -> tuple[bool, ...]:
        """Of each coded column, whether it can move while the others stay as they are; levels of a category can."""
        return (True,) * len(self.terms)

    def encode(self, batch: pa.RecordBatch, start: int | None = None) -> np.ndarray:
        """The coded columns of a batch; (n, len(terms)) float64 in C order, NaN where a value is missing.

        Raises
        ------
        DataError
            If a category has a level that the coding does not know; it names the row if the first one's number is
            given.
        """
        x = np.empty((batch.num_rows, len(self.terms)))
        indicators = self._indicators(batch, start)
        for j, term in enumerate(self.terms):
            x[:, j] = as_numbers(batch.column(term.column)) if term.level is None else indicators(term)
        return x

    def encode_exactly(self, batch: pa.RecordBatch) -> Double:
        """The same in two parts, as the numbers are written; no value may be missing."""
        x = Double.zeros((batch.num_rows, len(self.terms)))
        indicators = self._indicators(batch)
        for j, term in enumerate(self.terms):
            if term.level is None:
                numbers = as_double(batch.column(term.column))
                x.hi[:, j], x.lo[:, j] = numbers.hi, numbers.lo
            else:
                x.hi[:, j] = indicators(term)
        return x

    def _indicators(self, batch: pa.RecordBatch, start: int | None = None) -> Callable[[Term], np.ndarray]:
        """The function that gives the column of a level."""
        used = {term.column for term in self.terms if term.level is not None}
        numbers = {name: level_codes(batch, name, self.levels[name], start) for name in self.levels if name in used}
        return lambda term: indicator(numbers[term.column], self.levels[term.column].index(term.level or ""))


def indicator(numbers: np.ndarray, number: int) -> np.ndarray:
    """1 where `numbers` is `number`, 0 elsewhere, NaN where it is NaN; (n,)."""
    return np.where(np.isnan(numbers), np.nan, numbers == number)


def level_codes(batch: pa.RecordBatch, column: str, levels: tuple[str, ...], start: int | None = None) -> np.ndarray:
    """The number of each row's level, NaN where the value is missing; (n,) float64. The first row is row `start`."""
    texts = as_text(batch.column(column))
    numbers = codes(texts, levels)
    unknown = np.flatnonzero(numbers < 0)
    if len(unknown):
        at = int(unknown[0])
        raise unknown_level(column, texts[at].as_py(), levels, None if start is None else start + at)
    return numbers


def unknown_level(column: str, value: str, levels: tuple[str, ...], row: int | None = None) -> DataError:
    """The error for a level that was not there when the coding was made."""
    place = f"row {row} (the first row is 0); " if row is not None else ""
    return DataError(
        f"{column} has a level that the fitted rows did not have: {value}",
        where=f"{place}the known levels are {', '.join(levels[:20])}",
        try_=f"leave these rows out, or fit on rows that have every level of {column}",
    )


def terms_of(column: str, levels: tuple[str, ...] | None, two_valued: bool = False) -> tuple[Term, ...]:
    """The terms of one column with every level kept; `levels` is None for a number."""
    if levels is None:
        return (Term(column, column, two_valued=two_valued),)
    return tuple(Term(f"{column}={level}", column, level, two_valued=True) for level in levels)
