"""The first reading: moments and class counts of every fold, and rows in memory for the rungs that need them.

Moments and counts add up, so one reading gives them for every fold's other rows. Rungs that cannot be fitted from
moments get all rows up to a limit, else a random sample, the same in every reading.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from unbend.compare.expansion import Expansion
from unbend.compare.split import Split
from unbend.compare.training import Training
from unbend.data import Rows
from unbend.data.folds import sampled
from unbend.errors import DataError
from unbend.regression import Moments

IN_MEMORY = 20_000
"""Rows that a network or a logistic regression is fitted on at most: seconds, not hours, on two cores."""

NUMBERS_IN_BLOCK = 1 << 23
"""Numbers of a block with its squares and products: 64 MB."""

BLOCK = 65_536


@dataclass
class _Part:
    """What was read of one fold."""

    n: int = 0
    moments: Moments | None = None
    counts: np.ndarray | int = 0

    def __add__(self, other: _Part) -> _Part:
        moments = [part.moments for part in (self, other) if part.moments is not None]
        total = moments[0] + moments[1] if len(moments) == 2 else next(iter(moments), None)
        return _Part(self.n + other.n, total, self.counts + other.counts)


@dataclass(frozen=True, eq=False)
class Gathered:
    """The first reading: by fold, and the sample."""

    split: Split
    expansion: Expansion
    parts: dict[int, _Part]
    x: np.ndarray
    y: np.ndarray
    fold: np.ndarray
    zero_or_one: bool

    def training(self, fold: int) -> Training:
        """All rows but those of `fold`."""
        part = _total(part for number, part in sorted(self.parts.items()) if number != fold)
        kept = self.fold != fold
        table = self.split.table
        return Training(
            names=table.names,
            expansion=self.expansion,
            n=part.n,
            moments=part.moments,
            counts=np.asarray(part.counts) if table.classes else np.empty(0),
            x=self.x[kept],
            y=self.y[kept],
            seed=self.split.seed + max(fold, 0),
        )

    def everything(self) -> _Part:
        """All rows that were read."""
        return _total(part for _, part in sorted(self.parts.items()))

    @property
    def is_sample(self) -> bool:
        """Whether only some of the rows are in memory."""
        return 0 < len(self.y) < sum(part.n for part in self.parts.values())


def block_rows(columns: int) -> int:
    """Rows in a block of so many columns."""
    return int(np.clip(NUMBERS_IN_BLOCK // max(columns, 1), 64, BLOCK))


def gather(split: Split, expansion: Expansion, in_memory: bool) -> Gathered:
    """Read the rows once.

    Raises
    ------
    DataError
        If squares of the numbers overflow.
    """
    reading = _Reading(split, expansion, in_memory)
    for rows, fold in split.fitting(block_rows(len(expansion.names(split.table.names)))):
        reading.see(rows, fold)
    return reading.gathered()


class _Reading:
    """Takes in the blocks of the first reading."""

    def __init__(self, split: Split, expansion: Expansion, in_memory: bool) -> None:
        self.split, self.expansion = split, expansion
        self.share = IN_MEMORY / split.table.n if in_memory else 0.0
        self.parts: dict[int, _Part] = {}
        self.kept: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.shift: np.ndarray | None = None
        self.zero_or_one = True

    def see(self, rows: Rows, fold: np.ndarray) -> None:
        """One block of rows with their folds."""
        with np.errstate(over="ignore", invalid="ignore"):  # refused at the end, by name
            z = None if self.split.table.classes else np.column_stack([self.expansion.expand(rows.x), rows.y])
            for number in np.unique(fold).tolist():
                here = fold == number
                part = self._class_counts(rows.y[here]) if z is None else self._moments(z, here)
                self.parts[number] = self.parts.get(number, _Part()) + part
        if self.share:
            here = np.ones(len(fold), bool) if self.share >= 1 else sampled(rows.index, self.share, self.split.seed)
            self.kept.append((rows.x[here], rows.y[here], fold[here]))
        self.zero_or_one = self.zero_or_one and bool(np.isin(rows.y, (0.0, 1.0)).all())

    def _class_counts(self, y: np.ndarray) -> _Part:
        return _Part(len(y), counts=np.bincount(y.astype(int), minlength=len(self.split.table.classes or ())))

    def _moments(self, z: np.ndarray, here: np.ndarray) -> _Part:
        if self.shift is None:
            self.shift = Moments.of(z).shift
        return _Part(int(here.sum()), Moments.of(z[here], self.shift))

    def gathered(self) -> Gathered:
        p = self.split.table.p
        none = (np.empty((0, p)), np.empty(0), np.empty(0, dtype=np.int64))
        x, y, fold = (np.concatenate(parts) for parts in zip(none, *self.kept, strict=True))
        found = Gathered(self.split, self.expansion, self.parts, x, y, fold, self.zero_or_one)
        _refuse_overflow(found)
        return found


def _total(parts: Iterable[_Part]) -> _Part:
    total = _Part()
    for part in parts:
        total = total + part
    return total


def _refuse_overflow(found: Gathered) -> None:
    moments = found.everything().moments
    if moments is None:
        return
    too_large = np.flatnonzero(~np.isfinite(np.diag(moments.products)))
    if len(too_large):
        table = found.split.table
        names = (*found.expansion.names(table.names), table.target)
        raise DataError(
            f"the numbers of {names[int(too_large[0])]} are too large to be squared",
            try_="give the column in a larger unit, or leave it out with --exclude",
        )
