"""The rows of a table as a solver asks for them: one block after another, or a sum over all of them.

A sum is made where the rows are: by the cores of this process, or by the workers of Dask that have the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
import pyarrow as pa

from unbend.data import Rows, Source, Table
from unbend.data.columns import as_numbers, kind_of
from unbend.data.distributed import Parts
from unbend.data.parallel import Sum, added
from unbend.data.source import ArrowTable
from unbend.errors import DataError
from unbend.regression.moments import Block
from unbend.regression.polynomial import Terms

Blocks = Callable[[], Iterable[Block]]
"""Reads the same rows again."""


@dataclass(frozen=True)
class TableBlocks:
    """The columns of a table (with squares and products if `terms` is given) and its target.

    `weights` names the column that rows are weighted by, which is none of the features; rows of weight 0 are left out.
    """

    table: Table
    terms: Terms | None = None
    weights: str | None = None

    def __call__(self) -> Iterator[Block]:
        """Block by block."""
        for rows in self.table.blocks():
            block = Block(
                rows.x, rows.y[:, None], None, rows.x_low, None if rows.y_low is None else rows.y_low[:, None]
            )
            if self.terms is not None:
                block = Block(self.terms.expand(rows.x), block.y)
            yield block if self.weights is None else weighted(block, rows, self.weights)

    def added(self, part: Callable[[Block, Sum | None], Sum], *, shared: bool = False) -> Sum | None:
        """The sum of `part(block, first)` over all blocks, None if there are none.

        With `shared`, `first` is what the first block gave, which got None; without, it may be.
        """
        source = self.table.source
        if not isinstance(source, Parts) or self.table.order is not None:
            return added(part, self())
        here = replace(self.table, source=ArrowTable(source.name, pa.table({})), gathered=None)
        return source.added(partial(_of_part, replace(self, table=here), part), shared=shared)


def _of_part(blocks: TableBlocks, part: Callable[[Block, Any], Any], source: Source, first: Any) -> Any:
    return added(part, replace(blocks, table=replace(blocks.table, source=source))(), first=first)


def weighted(block: Block, rows: Rows, column: str) -> Block:
    """The rows of a block whose weight in a column is not 0, with their weights.

    Raises
    ------
    DataError
        If a weight is missing, negative or not finite.
    """
    weights = weights_of(rows, column)
    some = weights > 0
    if some.all():
        return block._replace(weights=weights)
    low = (None if part is None else part[some] for part in (block.x_low, block.y_low))
    return Block(block.x[some], block.y[some], weights[some], *low)


def weights_of(rows: Rows, column: str) -> np.ndarray:
    """The weights of rows, in a column of theirs; (n,).

    Raises
    ------
    DataError
        If a weight is missing, negative or not finite, or no number.
    """
    weights = weights_as_they_are(rows.batch, column)
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        at = int(np.argmax(wrong))
        what = "is missing" if np.isnan(weights[at]) else f"is {weights[at]:g}"
        raise DataError(
            f"a weight in {column} {what}",
            where=f"row {int(rows.index[at])} (the first row is 0)",
            try_="weights are numbers from 0; a row of weight 0 is left out",
        )
    return weights


def weights_as_they_are(batch: pa.RecordBatch, column: str) -> np.ndarray:
    """The same whatever the numbers are, NaN where one is missing."""
    values = batch.column(column)
    if kind_of(values.type) not in ("number", "boolean", "empty"):
        raise DataError(
            f"rows cannot be weighted by {column}: it holds no numbers",
            where=f"column {column} is {values.type}",
            try_="choose a column of numbers from 0: --weights NAME",
        )
    return as_numbers(values)


def kept(blocks: Blocks) -> Blocks:
    """The same rows, kept when they are first read."""
    rows = cache(lambda: list(blocks()))
    return lambda: iter(rows())


def added_where_they_are(
    blocks: Blocks, part: Callable[[Block, Sum | None], Sum], *, shared: bool = False
) -> Sum | None:
    """The sum of `part(block, first)` over all rows, None if there are none; see `TableBlocks.added`."""
    where_they_are = getattr(blocks, "added", None)
    return added(part, blocks()) if where_they_are is None else where_they_are(part, shared=shared)


def summed(blocks: Blocks, part: Callable[[Block, Sum | None], Sum]) -> Sum:
    """The sum of `part(block, None or that of the first block)` over all rows, of which there are some."""
    total = added_where_they_are(blocks, part)
    assert total is not None
    return total
