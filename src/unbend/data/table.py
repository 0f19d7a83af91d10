"""A table that is ready for a regression: complete rows, coded, in blocks, as often as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from shlex import quote
from typing import Any

import numpy as np
import pyarrow as pa

from unbend.data.coding import Coding, level_codes, terms_of, unknown_level
from unbend.data.columns import (
    as_double,
    as_numbers,
    as_text,
    first_place,
    is_missing,
    kind_of,
    of_numpy,
    row_numbers,
    sorting,
)
from unbend.data.source import Source, as_written, block_rows, slices, with_types
from unbend.data.survey import sortable, survey
from unbend.data.watching import watched
from unbend.errors import DataError
from unbend.exact import Double

ROW_NUMBER = "\0row"
"""Name of the column that carries row numbers through a sort; no header has a NUL in it."""
FEW = 2_000_000
"""So many numbers are read in less than a second, even from text."""


@dataclass(frozen=True)
class Rows:
    """A block of complete rows.

    Attributes
    ----------
    x : (n, p) float64, treatment coding (the first level of each category is left out)
    y : (n,) float64; the number of the class where the target is a class; zeros where there is no target
    index : (n,) int64, the row's number in the source, from 0, counting every row that was read
    batch : the same rows as they are in the source
    x_low, y_low : what the numbers as they are written are above x and y, to about 32 digits in all, if the table was
        opened with `decimals`; else None
    """

    x: np.ndarray
    y: np.ndarray
    index: np.ndarray
    batch: pa.RecordBatch
    x_low: np.ndarray | None = None
    y_low: np.ndarray | None = None

    def where(self, some: np.ndarray) -> Rows:
        """Those of the rows that are marked in `some` (n,) bool."""
        if some.all():
            return self
        low = (None if part is None else part[some] for part in (self.x_low, self.y_low))
        return Rows(self.x[some], self.y[some], self.index[some], self.batch.filter(of_numpy(some)), *low)


@dataclass(frozen=True)
class Gathered:
    """What was made of the numbers while they were surveyed.

    Attributes
    ----------
    total : made of all number columns
    columns : where among these the coded columns are, and the target as the last
    """

    total: Any
    columns: tuple[int, ...]


@dataclass(frozen=True)
class Table:
    """The complete rows of a source: read in blocks, again and again, in constant memory.

    Attributes
    ----------
    source : where the rows come from
    target : name of the target column, "" if there is none
    coding : treatment coding of the features; constant columns are not in it
    features : the feature columns in table order, constant ones included (a network may want them)
    classes : names of the classes if the target is one, else None
    n : complete rows
    n_read : all rows
    missing : number of missing values by column, where there are any
    notes : sentences that say what was done to the data
    order : name of the column that the rows are sorted by, or None
    in_order : whether the source has its rows in that order already (if not, every reading sorts in memory)
    decimals : whether numbers are read as they are written, instead of as the nearest float64
    gathered : what was made of the numbers while they were surveyed, None if nothing was or if columns are text
    zero_or_one : whether the target is a number that is 0 or 1 in every complete row, and both
    """

    source: Source
    target: str
    coding: Coding
    features: tuple[str, ...]
    classes: tuple[str, ...] | None
    n: int
    n_read: int
    missing: Mapping[str, int]
    notes: tuple[str, ...]
    order: str | None = None
    in_order: bool = True
    decimals: bool = False
    gathered: Gathered | None = field(default=None, repr=False)
    zero_or_one: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coded columns."""
        return self.coding.names

    @property
    def p(self) -> int:
        """How many coded columns there are."""
        return len(self.coding.terms)

    @property
    def cheap(self) -> bool:
        """Whether another reading costs little: the rows are in memory, or few."""
        return getattr(self.source, "in_memory", False) or self.n_read * len(self.source.schema) <= FEW

    def blocks(self, rows: int | None = None) -> Iterator[Rows]:
        """The complete rows, at most `rows` at a time (as many as make a block of some 16 MB if None)."""
        rows = rows or block_rows(max(self.p, len(self.source.schema)))
        batches = self._complete(rows) if self.in_order else self._sorted(rows)
        for batch in batches:
            index = row_numbers(batch.column(ROW_NUMBER))
            raw = batch.drop_columns([ROW_NUMBER])
            if self.decimals:
                x, y = self.coding.encode_exactly(raw), self._exact_target(raw)
                yield Rows(x.hi, y.hi, index, raw, x.lo, y.lo)
            else:
                yield Rows(self.coding.encode(raw), self._target(raw), index, raw)

    def load(self) -> Rows:
        """All complete rows at once."""
        blocks = list(self.blocks())
        if not blocks:
            low = (np.empty((0, self.p)), np.empty(0)) if self.decimals else (None, None)
            empty = pa.RecordBatch.from_pylist([], self.source.schema)
            return Rows(np.empty((0, self.p)), np.empty(0), np.empty(0, np.int64), empty, *low)

        def joined(name: str) -> np.ndarray:
            return np.concatenate([getattr(block, name) for block in blocks])

        low = (joined("x_low"), joined("y_low")) if self.decimals else (None, None)
        whole = pa.Table.from_batches([block.batch for block in blocks]).combine_chunks().to_batches()[0]
        return Rows(joined("x"), joined("y"), joined("index"), whole, *low)

    def onehot(self) -> Coding:
        """Every level and every feature kept, in table order: what a network usually gets."""
        return self._coding(self.features)

    def numeric(self) -> Coding:
        """The number and yes/no features only, in table order."""
        return self._coding(tuple(name for name in self.features if name not in self.coding.levels))

    def _coding(self, columns: tuple[str, ...]) -> Coding:
        levels = {name: self.coding.levels[name] for name in columns if name in self.coding.levels}
        two_valued = {term.column for term in self.coding.terms if term.two_valued}
        terms = (terms_of(name, levels.get(name), name in two_valued) for name in columns)
        return Coding(tuple(term for column in terms for term in column), levels)

    def reading(self, data: Any) -> Table:
        """The same columns, coding and classes on other rows, such as a hold-out file.

        Raises
        ------
        DataError
            If a column is missing or of another kind, if a level is unknown, or if no row is complete.
        """
        return with_types(data, self._of)

    def _of(self, other: Source) -> Table:
        self._refuse_other_columns(other)
        texts = dict(self.coding.levels)
        if self.classes:
            texts[self.target] = self.classes
        numbers = [name for name in self._used() if name not in texts and name != self.order]
        found = survey(other, numbers=numbers, texts=tuple(texts), order=self.order)
        for column, levels in texts.items():
            new = sorted(found.texts[column].levels - set(levels))
            if new:
                raise unknown_level(column, new[0], levels, _row_of(other, column, new[0]))
        if found.n == 0:
            raise no_complete_rows(other.name, self.target, found.n_read, found.missing)
        missing = {name: count for name, count in found.missing.items() if count}
        notes = rows_note(found.n, found.n_read, missing)
        return replace(
            self,
            source=other,
            n=found.n,
            n_read=found.n_read,
            missing=missing,
            notes=notes,
            in_order=found.in_order,
            gathered=None,
        )

    def _refuse_other_columns(self, other: Source) -> None:
        refuse_lacking(other, self._used())
        numbers = set(self._used()) - set(self.coding.levels) - {self.target if self.classes else "", self.order}
        for name in sorted(numbers):
            if kind_of(other.schema.field(name).type) not in ("number", "boolean", "empty"):
                raise DataError(
                    f"{name} holds numbers in {self.source.name} but not in {other.name}",
                    where=f"column {name} is {other.schema.field(name).type}",
                    try_="give a table with the same kind of values in each column",
                )

    def _used(self) -> tuple[str, ...]:
        extra = [name for name in (self.target, self.order) if name]
        return (*self.features, *extra)

    def _numbers(self) -> set[str]:
        numbers = {term.column for term in self.coding.terms if term.level is None}
        return numbers | ({self.target} if self.classes is None else set())

    def _complete(self, rows: int) -> Iterator[pa.RecordBatch]:
        start = 0
        source = as_written(self.source, self._numbers()) if self.decimals else self.source
        for batch in watched(source.batches(rows), self.n_read):
            numbered = batch.append_column(ROW_NUMBER, of_numpy(np.arange(start, start + batch.num_rows)))
            start += batch.num_rows
            whole = ~np.any([is_missing(batch.column(name)) for name in self._used()], axis=0)
            if whole.any():
                yield numbered if whole.all() else numbered.filter(of_numpy(whole))

    def _sorted(self, rows: int) -> Iterator[pa.RecordBatch]:
        table = pa.Table.from_batches(self._complete(rows))
        key = sortable(table.column(self.order or "").combine_chunks())
        for batch in table.take(sorting(key)).combine_chunks().to_batches():
            yield from slices(batch, rows)

    def _target(self, batch: pa.RecordBatch) -> np.ndarray:
        if not self.target:
            return np.zeros(batch.num_rows)
        if self.classes is None:
            return as_numbers(batch.column(self.target))
        return level_codes(batch, self.target, self.classes)

    def _exact_target(self, batch: pa.RecordBatch) -> Double:
        if self.target and self.classes is None:
            return as_double(batch.column(self.target))
        return Double.of(self._target(batch))


def refuse_lacking(source: Source, columns: Sequence[str]) -> None:
    """Raise DataError if a source has not all columns that were fitted."""
    lacking = [name for name in columns if name not in source.schema.names]
    if lacking:
        raise DataError(
            f"{source.name} lacks {len(lacking)} of the columns that were fitted: {', '.join(lacking)}",
            where=f"it has {', '.join(source.schema.names)}",
            try_="give a table with the same columns",
        )


def _row_of(source: Source, column: str, level: str) -> int | None:
    start = 0
    for batch in source.batches():
        at = first_place(as_text(batch.column(column)), level)
        if at >= 0:
            return start + at
        start += batch.num_rows
    return None


def no_complete_rows(name: str, target: str, n_read: int, missing: Mapping[str, int]) -> DataError:
    """The error for a table in which no row can be used."""
    if n_read == 0:
        return DataError(f"{name} has no rows", try_="give a table with at least one row")
    worst = sorted((column for column in missing if missing[column]), key=lambda column: -missing[column])[:5]
    return DataError(
        f"no row of {name} is complete: each of its {n_read} rows has a missing value",
        where="missing values: " + ", ".join(f"{column} {missing[column]}" for column in worst),
        try_="choose a target that has values" if worst[0] == target else f"leave it out: --exclude {quote(worst[0])}",
    )


def rows_note(n: int, n_read: int, missing: Mapping[str, int]) -> tuple[str, ...]:
    """The sentence that says how many rows were left out and why; none if all were used."""
    if n == n_read:
        return ()
    counts = sorted(missing.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{column} {count}" for column, count in counts[:5])
    more = f" and {len(counts) - 5} more columns" if len(counts) > 5 else ""
    done = "has a missing value and is" if n_read - n == 1 else "have a missing value and are"
    return (f"{n_read - n} of {n_read} rows {done} left out (missing: {shown}{more}).",)
