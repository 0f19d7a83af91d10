"""The rows that pairing learns from: all of a table, or those that are not held out.

What is learned from rows (the scaler's figures, the target's unit, which order and which scaling) is part of what is
judged on held-out rows, so it must not come from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from unbend.data import Rows, Table
from unbend.document import number


@dataclass(frozen=True, eq=False)
class Learning:
    """Rows of a table that something may be learned from.

    Attributes
    ----------
    table : the rows
    n : how many of them may be learned from
    held_out : from a block to the rows (n,) that may not be learned from; None where all may
    which : the rows in words
    """

    table: Table
    n: int
    held_out: Callable[[Rows], np.ndarray] | None
    which: str

    @classmethod
    def everything(cls, table: Table) -> Learning:
        """All rows."""
        return cls(table, table.n, None, f"all {number(table.n)} rows of {table.source.name}")

    def blocks(self) -> Iterator[Rows]:
        """The rows, block by block; no block is empty."""
        for rows in self.table.blocks():
            kept = rows if self.held_out is None else only(rows, ~self.held_out(rows))
            if len(kept.index):
                yield kept


def only(rows: Rows, kept: np.ndarray) -> Rows:
    """The rows where `kept` (n,) is true."""
    return Rows(rows.x[kept], rows.y[kept], rows.index[kept], rows.batch.filter(pa.array(kept)))
