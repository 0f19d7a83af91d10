"""The rows of a table as a solver asks for them: one block after another, or a sum over all of them.

A sum is made where the rows are: by the cores of this process, or by the workers of Dask that have the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import pyarrow as pa

from unbend.data import Source, Table
from unbend.data.distributed import Parts
from unbend.data.parallel import Sum, added
from unbend.data.source import ArrowTable
from unbend.data.table import FEW
from unbend.regression.moments import Block
from unbend.regression.polynomial import Terms
from unbend.regression.weighting import weighted

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


def kept_if_few(blocks: TableBlocks) -> Blocks:
    """The same rows; those that are few, and in this process, are kept when they are first read."""
    table = blocks.table
    if table.n_read * (table.p + 1) > FEW or isinstance(table.source, Parts):
        return blocks
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
