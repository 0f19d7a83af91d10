"""The moments of a block or of a table while it was opened, and what is wrong with moments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unbend.data import Table
from unbend.errors import DataError
from unbend.regression.moments import Block, Moments

SMALLEST = 1e-280
"""Smaller sums of squares have lost digits to underflow."""


def block_moments(block: Block, first: Moments | None = None) -> Moments:
    """The moments of a block, about the shift of the first one."""
    with np.errstate(over="ignore", invalid="ignore"):
        return Moments.of_block(block, None if first is None else first.shift)


def rows_are_gone(table: Table) -> DataError:
    """The error for a table that had complete rows when it was opened."""
    return DataError(f"{table.source.name} has no complete rows any more", try_="was the file changed meanwhile?")


def gathered_moments(table: Table) -> Moments | None:
    """What was gathered while the table was opened, if that is moments."""
    found = table.gathered
    return found.total.of_columns(found.columns) if found and isinstance(found.total, Moments) else None


def refuse_unsquarable(moments: Moments, names: tuple[str, ...]) -> None:
    """Raise DataError if the squares of a column's numbers have overflowed or lost digits to underflow."""
    squares = np.diag(moments.products)
    refuse_sizes(squares, (moments.sums != 0) | (squares > 0), names)


def refuse_sizes(squares: np.ndarray, varying: np.ndarray, names: Sequence[str]) -> None:
    """`refuse_unsquarable` for sums of squares (q,) of columns that vary or not (q,)."""
    for wrong, size, unit in (
        (~np.isfinite(squares), "large", "a larger unit (values below 1e150)"),
        (varying & (squares < SMALLEST), "small", "a smaller unit (values above 1e-140)"),
    ):
        if wrong.any():
            name = names[int(np.argmax(wrong))]
            raise DataError(f"the numbers of {name} are too {size} to be squared", try_=f"give {name} in {unit}")
