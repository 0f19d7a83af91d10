"""The rows of a table as a solver asks for them: one block after another, or a sum over all of them.

A sum is made where the rows are: by the cores of this process, or by the workers of Dask that have the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pyarrow as pa

from unbend.data import Source, Table
from unbend.data.distributed import Parts
from unbend.data.parallel import Sum, added
from unbend.data.source import ArrowTable
from unbend.regression.moments import Block
from unbend.regression.quadratic import Quadratic

Blocks = Callable[[], Iterable[Block]]
"""Reads the same rows again."""


@dataclass(frozen=True)
class TableBlocks:
    """The columns of a table (with squares and products if `terms` is given) and its target, without weights."""

    table: Table
    terms: Quadratic | None = None

    def __call__(self) -> Iterator[Block]:
        """Block by block."""
        for rows in self.table.blocks():
            yield Block(rows.x if self.terms is None else self.terms.expand(rows.x), rows.y[:, None])

    def added(self, part: Callable[[Block, Sum | None], Sum], *, shared: bool = False) -> Sum | None:
        """The sum of `part(block, first)` over all blocks, None if there are none.

        With `shared`, `first` is what the first block gave, which got None; without, it may be.
        """
        source = self.table.source
        if not isinstance(source, Parts) or self.table.order is not None:
            return added(part, self())
        here = replace(self.table, source=ArrowTable(source.name, pa.table({})), gathered=None)
        return source.added(partial(_of_part, here, self.terms, part), shared=shared)


def _of_part(
    table: Table, terms: Quadratic | None, part: Callable[[Block, Any], Any], source: Source, first: Any
) -> Any:
    return added(part, TableBlocks(replace(table, source=source), terms)(), first=first)


def summed(blocks: Blocks, part: Callable[[Block, Sum | None], Sum]) -> Sum:
    """The sum of `part(block, None or that of the first block)` over all rows, of which there are some."""
    where_they_are = getattr(blocks, "added", None)
    total = added(part, blocks()) if where_they_are is None else where_they_are(part)
    assert total is not None
    return total
