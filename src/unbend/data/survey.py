"""The first reading of a table: what is in each column, and which rows are complete.

Missing values and infinities are counted over all rows, levels and constants over the complete ones, since only those
are used. Each column has a tally that sees it block by block in constant memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from shlex import quote
from typing import Any

import numpy as np
import pyarrow as pa

from unbend.data.columns import as_numbers, as_text, ascending, distinct, is_missing, matches, of_numpy
from unbend.data.distributed import Parts
from unbend.data.parallel import added
from unbend.data.source import Source, block_rows, rows_of
from unbend.data.watching import watched
from unbend.errors import DataError

LEVELS = 200
"""A text column with more levels than this is taken for an identifier."""
MOSTLY_NUMBERS = 0.9
"""A text column of which at least this share reads as numbers was meant to be one."""
LARGELY_NUMBERS = 0.7
"""So was one with this share, if it has too many values for a category or if its other values stand for nothing."""
CATEGORIES = 20
"""More levels than these, most of them numbers, are not a category."""
NOTHING = r"(?i)^\s*([?.*_–—-]+|n/?a|nan|null|none|nil|unknown|missing)\s*$"
"""What people write for a value that is not there."""
NUMBER = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"
NUMBER_OTHERWISE = (
    r"^\s*[€$£]?\s*[-+]?\d{1,3}([\s\x{a0}\x{202f}.,'’]?\d{3})*([.,]\d+)?[\s\x{a0}]*(%|€|\$|£|EUR|USD|GBP)?\s*$"
)
"""Numbers as people write them: thousands apart, a decimal comma, a currency or a percent sign."""

Gather = Callable[[Sequence[np.ndarray], Any], Any]
"""Takes the numbers of complete rows, column by column, and what it made of the first ones (None for these); what it
returns is added up."""


@dataclass
class NumberTally:
    """A column of numbers: its smallest and largest value, which do not matter any more once there is one between."""

    low: float = np.inf
    high: float = -np.inf
    between: bool = False

    def see(self, values: np.ndarray) -> None:
        """Take in the values of complete rows."""
        if len(values) == 0 or self.between:
            return
        ends = {self.low, self.high, float(values.min()), float(values.max())} - {np.inf, -np.inf}
        self.low, self.high = min(ends), max(ends)
        self.between = len(ends) > 2 or bool(np.any((values != self.low) & (values != self.high)))

    def __add__(self, other: NumberTally) -> NumberTally:
        ends = {self.low, self.high, other.low, other.high} - {np.inf, -np.inf}
        between = self.between or other.between or len(ends) > 2
        return NumberTally(min(ends, default=np.inf), max(ends, default=-np.inf), between)

    @property
    def constant(self) -> bool:
        """Whether every value is the same."""
        return self.low == self.high

    @property
    def two_valued(self) -> bool:
        """Whether there are exactly two different values."""
        return self.low < self.high and not self.between


@dataclass
class TextTally:
    """A column of text: its levels in the complete rows, up to one more than `LEVELS`."""

    levels: set[str] = field(default_factory=set)

    def see(self, values: pa.Array) -> None:
        """Take in the values of complete rows."""
        if len(self.levels) <= LEVELS:
            self.levels.update(distinct(values))

    def __add__(self, other: TextTally) -> TextTally:
        return TextTally(self.levels | other.levels)

    @property
    def constant(self) -> bool:
        """Whether there is only one level."""
        return len(self.levels) == 1


@dataclass
class SpellingTally:
    """A column of text: how many of all its values read as numbers, and the first that does not."""

    numbers: int = 0
    numbers_otherwise: int = 0
    values: int = 0
    nothing: int = 0
    first: tuple[int, str] | None = None

    def see(self, values: pa.Array, row: int) -> None:
        """Take in all values of a block whose first row is `row`."""
        plain = matches(values, NUMBER)
        self.values += len(values) - values.null_count
        self.numbers += int(plain.sum())
        self.numbers_otherwise += int((plain | matches(values, NUMBER_OTHERWISE)).sum())
        self.nothing += int((matches(values, NOTHING) & ~plain).sum())
        other = np.flatnonzero(~(plain | is_missing(values)))
        if self.first is None and len(other):
            self.first = (row + int(other[0]), values[int(other[0])].as_py())

    def followed_by(self, other: SpellingTally, row: int) -> SpellingTally:
        """With the values of another tally, whose first row is `row` here."""
        return SpellingTally(
            self.numbers + other.numbers,
            self.numbers_otherwise + other.numbers_otherwise,
            self.values + other.values,
            self.nothing + other.nothing,
            self.first or (other.first and (row + other.first[0], other.first[1])),
        )

    def meant_as_numbers(self, levels: int) -> bool:
        """Whether a column with so many levels holds numbers but for a few values."""
        if self.numbers_otherwise >= MOSTLY_NUMBERS * self.values:
            return True
        sure = levels > CATEGORIES or self.numbers_otherwise + self.nothing == self.values
        return sure and self.numbers_otherwise >= LARGELY_NUMBERS * self.values

    def refuse_nearly_numbers(self, column: str, levels: int) -> None:
        """Raise if the column was meant to hold numbers but some of its values are not written as one."""
        if self.first is None or not self.meant_as_numbers(levels):
            return
        row, value = self.first
        shown = value if value.strip() else repr(value)
        rest = self.values - self.numbers
        said = f"{rest} of its {self.values} values {'is' if rest == 1 else 'are'} not written as one"
        raise DataError(
            f"{column} looks like numbers, but {said}: {shown}",
            where=f"first at row {row} (the first row is 0), column {column}",
            try_="write every value as a plain number such as 1200.5, and leave the cell empty where it is missing\n"
            f"or leave the column out, if it is not the target: --exclude {quote(column)}",
        )


@dataclass
class OrderTally:
    """Whether the rows come in the order of a column already."""

    in_order: bool = True
    last: pa.Array | None = None

    def see(self, values: pa.Array) -> None:
        """Take in the values of complete rows."""
        values = sortable(values)
        if len(values) == 0 or not self.in_order:
            return
        if self.last is not None:
            values = pa.concat_arrays([self.last, values])
        self.in_order = ascending(values)
        self.last = values[-1:]


def sortable(values: pa.Array) -> pa.Array:
    """Values that Arrow can compare."""
    return as_text(values) if pa.types.is_dictionary(values.type) else values


@dataclass
class Survey:
    """What one reading finds: tallies by column, rows, missing values by column, and what was gathered of numbers."""

    numbers: Mapping[str, NumberTally]
    texts: Mapping[str, TextTally]
    spelling: Mapping[str, SpellingTally]
    order: str | None
    sorting: OrderTally
    missing: dict[str, int]
    n: int = 0
    n_read: int = 0
    gathered: Any = None

    @property
    def in_order(self) -> bool:
        """Whether the complete rows come sorted by `order`."""
        return self.sorting.in_order

    def constant(self, column: str) -> bool:
        """Whether a surveyed column has one value only in the complete rows."""
        return (self.numbers.get(column) or self.texts[column]).constant

    def see(self, batch: pa.RecordBatch) -> list[np.ndarray]:
        """Take in the next rows; returns the numbers of the complete ones, column by column."""
        numbers = [as_numbers(batch.column(name)) for name in self.numbers]
        texts = [as_text(batch.column(name)) for name in self.texts]
        whole = self._complete(batch, numbers)
        kept = None if whole is None else of_numpy(whole)
        if whole is not None:
            numbers = [values[whole] for values in numbers]
        for tally, values in zip(self.numbers.values(), numbers, strict=True):
            tally.see(values)
        for (name, tally), values in zip(self.texts.items(), texts, strict=True):
            self.spelling[name].see(values, self.n_read)
            tally.see(values if kept is None else values.filter(kept))
        if self.order:
            order = batch.column(self.order)
            self.sorting.see(order if kept is None else order.filter(kept))
        self.n += batch.num_rows if whole is None else int(whole.sum())
        self.n_read += batch.num_rows
        return numbers

    def __add__(self, other: Survey) -> Survey:
        """With the rows of a survey of the same columns, which come after these; whether they are in order is lost."""
        missing = {name: count + other.missing[name] for name, count in self.missing.items()}
        parts = [one.gathered for one in (self, other) if one.gathered is not None]
        return Survey(
            {name: tally + other.numbers[name] for name, tally in self.numbers.items()},
            {name: tally + other.texts[name] for name, tally in self.texts.items()},
            {name: tally.followed_by(other.spelling[name], self.n_read) for name, tally in self.spelling.items()},
            self.order,
            OrderTally(self.order is None),
            missing,
            self.n + other.n,
            self.n_read + other.n_read,
            parts[0] + parts[1] if len(parts) > 1 else next(iter(parts), None),
        )

    def _complete(self, batch: pa.RecordBatch, numbers: Sequence[np.ndarray]) -> np.ndarray | None:
        """Which rows are complete, None for all of them; counts what is missing."""
        whole: np.ndarray | None = None
        for name, lacking in self._lacking(batch, numbers):
            self.missing[name] += int(lacking.sum())
            whole = ~lacking if whole is None else whole & ~lacking
        return whole

    def _lacking(self, batch: pa.RecordBatch, numbers: Sequence[np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
        """Where values are missing, for the columns that lack any; raises at an infinite number."""
        for name, values in zip(self.numbers, numbers, strict=True):
            if not np.isfinite(values).all():
                refuse_infinite(values, name, self.n_read)
                yield name, np.isnan(values)
        for name in self.missing.keys() - self.numbers.keys():
            lacking = is_missing(batch.column(name))
            if lacking.any():
                yield name, lacking


def survey(
    source: Source,
    *,
    numbers: Sequence[str],
    texts: Sequence[str],
    order: str | None = None,
    gather: Gather | None = None,
) -> Survey:
    """Read a source once; `gather` gets the numbers of the complete rows meanwhile.

    Raises
    ------
    DataError
        At the first infinite number, and if a text column is nearly all numbers.
    """
    step = partial(_one_source, tuple(numbers), tuple(texts), order, gather)
    found = step(source) if not isinstance(source, Parts) else source.added(step, shared=gather is not None)
    assert found is not None  # every part has one, if of no rows
    for name, tally in found.spelling.items():
        tally.refuse_nearly_numbers(name, len(found.texts[name].levels))
    return found


def _one_source(
    numbers: Sequence[str],
    texts: Sequence[str],
    order: str | None,
    gather: Gather | None,
    source: Source,
    first: Survey | None = None,
) -> Survey:
    """The survey of rows that are read here; `first` is that of the first rows of all, if these are but a part."""
    found = Survey(
        numbers={name: NumberTally() for name in numbers},
        texts={name: TextTally() for name in texts},
        spelling={name: SpellingTally() for name in texts},
        order=order,
        sorting=OrderTally(),
        missing=dict.fromkeys([*numbers, *texts, *([order] if order else [])], 0),
    )
    batches = watched(source.batches(block_rows(len(source.schema))), rows_of(source))
    try:
        blocks = (found.see(batch) for batch in batches)
        if gather is None or texts or not numbers:
            deque(blocks, maxlen=0)
        else:
            found.gathered = added(gather, (block for block in blocks if len(block[0])), first=first and first.gathered)
    except InfiniteNumber as error:
        if (place := getattr(source, "place", None)) is None:
            raise
        raise InfiniteNumber.of(error.column, error.row, place(error.row)) from None
    return found


class InfiniteNumber(DataError):
    """An infinite number in a row of a source."""

    column: str
    row: int

    @classmethod
    def of(cls, column: str, row: int, place: str = "") -> InfiniteNumber:
        """The error, with the place of the row in words where it is not the row itself."""
        error = cls(
            f"{column} is infinite in row {row}",
            where=f"column {column}, {place or f'row {row}'} (the first row is 0)",
            try_="an infinity is often a division by zero or an overflow: correct it, or leave the cell empty",
        )
        error.column, error.row = column, row
        return error


def refuse_infinite(values: np.ndarray, column: str, row: int) -> None:
    """Raise at the first infinite value; the first of `values` is in row `row`."""
    infinite = np.isinf(values)
    if infinite.any():
        raise InfiniteNumber.of(column, row + int(np.argmax(infinite)))
