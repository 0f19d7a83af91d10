"""Which rows the rungs are fitted on and which they are judged on.

Without a hold-out every row is judged once, by rungs that were fitted on the other folds: random ones, or blocks of
consecutive rows if the table has an order. With one, a file or a column
that marks rows, the rungs are fitted on the other rows and judged on the held-out ones only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import pyarrow as pa

from unbend.data import Rows, Table
from unbend.data.columns import as_text
from unbend.data.folds import fold_of
from unbend.document import number
from unbend.errors import DataError, UsageError
from unbend.pairing import Learning

HELD_OUT = frozenset({"1", "true", "yes", "y", "t", "test", "holdout", "hold-out", "hold_out", "held_out", "held-out"})
FITTED = frozenset({"0", "false", "no", "n", "f", "train", "training", "trained", "fit"})
"""What a hold-out column may say of a row; capitals and blanks around do not matter."""

NEVER = -1
"""The fold of a row that is never judged."""

MOST_FOLDS = 50
"""Each fold is fitted on its own and keeps its own moments; more folds cost more and tell little more."""


@dataclass(frozen=True)
class Split:
    """Rows with their folds, read in blocks.

    Attributes
    ----------
    table : the rows that rungs are fitted on (and judged on, unless `file` is given)
    folds : how many; 1 with a hold-out
    seed : decides the folds
    column : name of the column that marks held-out rows, or None
    file : other rows, all held out, or None
    marked : rows that the column marks
    """

    table: Table
    folds: int
    seed: int
    column: str | None = None
    file: Table | None = None
    marked: int = 0

    @classmethod
    def by_column(cls, table: Table, column: str, seed: int) -> Split:
        """The rows that a column marks are held out; reads the rows once to count them.

        Raises
        ------
        DataError
            If it marks fewer than two rows, or leaves fewer than two, or has other values.
        """
        held = sum(int(marked(block.batch.column(column), column, block.index).sum()) for block in table.blocks())
        for count, what in ((held, "held out"), (table.n - held, "left to fit on")):
            if count < 2:
                raise DataError(
                    f"{column} leaves {count} complete rows {what}: too few",
                    where=f"{table.n} complete rows, {held} of them held out",
                    try_="choose a column that is true where the network has not seen the row, and false elsewhere",
                )
        return cls(table, 1, seed, column=column, marked=held)

    @property
    def fitted_rows(self) -> int:
        """About how many rows each rung is fitted on."""
        if self.file is not None:
            return self.table.n
        return self.table.n - (self.marked if self.column is not None else -(-self.table.n // self.folds))

    @property
    def holdout(self) -> bool:
        """Whether the user said which rows are held out."""
        return self.column is not None or self.file is not None

    @property
    def judged_table(self) -> Table:
        """The table that has the held-out rows."""
        return self.table if self.file is None else self.file

    @property
    def how(self) -> str:
        """Which rows are held out, in words."""
        if self.file is not None:
            return f"the {number(self.file.n)} rows of {self.file.source.name}"
        if self.column is not None:
            return f"the {number(self.marked)} rows that {self.column} marks"
        blocks = "folds" if self.table.order is None else f"blocks in the order of {self.table.order}"
        return f"{number(self.table.n)} rows, each held out once in {self.folds} {blocks}"

    @property
    def learning(self) -> Learning:
        """The rows that a network's scaler and unit may be learned from: all that are not marked as held out."""
        if self.column is None:
            return Learning.everything(self.table)
        column, left = self.column, self.table.n - self.marked
        return Learning(
            self.table,
            left,
            lambda rows: marked(rows.batch.column(column), column, rows.index),
            f"the {number(left)} rows that {column} does not mark",
        )

    def fitting(self, rows: int) -> Iterator[tuple[Rows, np.ndarray]]:
        """Blocks of rows with their folds (n,), `NEVER` for those that are only fitted on."""
        if self.file is None:
            yield from self._folded(rows)
        else:
            for block in self.table.blocks(rows):
                yield block, np.full(len(block.y), NEVER)

    def judging(self, rows: int) -> Iterator[tuple[Rows, np.ndarray]]:
        """Blocks of held-out rows with their folds (n,)."""
        if self.file is not None:
            for block in self.file.blocks(rows):
                yield block, np.zeros(len(block.y), dtype=np.int64)
            return
        for block, fold in self._folded(rows):
            held = fold != NEVER
            if held.any():
                yield (block if held.all() else chosen(block, held)), fold[held]

    def _folded(self, rows: int) -> Iterator[tuple[Rows, np.ndarray]]:
        numbering = _Numbering(self)
        for block in self.table.blocks(rows):
            if self.column is not None:
                held = marked(block.batch.column(self.column), self.column, block.index)
                yield block, np.where(held, 0, NEVER)
            else:
                yield block, numbering.folds(block)


class _Numbering:
    """Folds by row number; for classes by the number within the class, so that each fold has its share of each.

    Rows that have an order are cut into as many blocks of consecutive rows: neighbours are alike, and a row whose
    neighbours were fitted is not quite held out.
    """

    def __init__(self, split: Split) -> None:
        self.split, self.read = split, 0
        self.seen = np.zeros(len(split.table.classes or ()), dtype=np.int64)

    def folds(self, rows: Rows) -> np.ndarray:
        split = self.split
        if split.table.order is not None:
            place = self.read + np.arange(len(rows.y))
            self.read += len(rows.y)
            return place * split.folds // split.table.n
        if split.table.classes is None:
            return fold_of(rows.index, split.folds, split.seed)
        fold = np.empty(len(rows.y), dtype=np.int64)
        for label in np.unique(rows.y).astype(int).tolist():
            of_class = np.flatnonzero(rows.y == label)
            numbers = self.seen[label] + np.arange(len(of_class))
            fold[of_class] = fold_of(numbers, split.folds, split.seed + label)
            self.seen[label] += len(of_class)
        return fold


def chosen(rows: Rows, mask: np.ndarray) -> Rows:
    """The rows where `mask` (n,) is true."""
    return Rows(rows.x[mask], rows.y[mask], rows.index[mask], rows.batch.filter(pa.array(mask)))


def marked(values: pa.Array, column: str, index: np.ndarray) -> np.ndarray:
    """Which rows a hold-out column marks as held out; (n,) bool.

    Raises
    ------
    DataError
        If a value is missing or is none of the known words.
    """
    words = [None if word is None else word.strip().casefold() for word in as_text(values).to_pylist()]
    for i, word in enumerate(words):
        if word not in HELD_OUT and word not in FITTED:
            said = "is missing" if word is None else f"is {values[i].as_py()}"
            raise DataError(
                f"{column} {said} in row {index[i]}, which does not say whether the row is held out",
                where=f"column {column}, row {index[i]} (the first row is 0)",
                try_="write 1, true, yes or test where the network has not seen the row, and 0, false, no or train\n"
                "where it has",
            )
    return np.array([word in HELD_OUT for word in words], dtype=bool)


def refuse_folds(folds: int, n: int, name: str) -> None:
    """Raise unless every fold gets two rows or more.

    Raises
    ------
    UsageError
        If the number of folds is not a whole number from 2 to 50, or too large for the rows.
    DataError
        If there are too few rows for two folds.
    """
    if isinstance(folds, bool) or not isinstance(folds, Integral) or not 2 <= folds <= MOST_FOLDS:
        raise UsageError(f"folds must be a whole number from 2 to {MOST_FOLDS}, not {folds}", try_="--folds 5")
    if n < 4:
        raise DataError(
            f"{name} has {n} complete rows: too few to hold any out",
            where="two folds of two rows are the least",
            try_="give a table with more rows",
        )
    if n < 2 * folds:
        raise UsageError(
            f"{folds} folds need {2 * folds} rows or more; {name} has {n}",
            try_=f"--folds {n // 2}",
        )
