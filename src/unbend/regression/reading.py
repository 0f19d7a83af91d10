"""From a table to moments, and where moments do not carry the digits, to the triangular factor of its rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from unbend.data import Table
from unbend.errors import DataError
from unbend.regression.moments import Block, Moments
from unbend.regression.quadratic import Quadratic

SMALLEST = 1e-280
"""Smaller sums of squares have lost digits to underflow."""


def design_blocks(table: Table, terms: Quadratic | None = None) -> Iterator[Block]:
    """The columns (with squares and products if `terms` is given) and the target, block by block, without weights."""
    for rows in table.blocks():
        yield Block(rows.x if terms is None else terms.expand(rows.x), rows.y[:, None])


def table_moments(table: Table, terms: Quadratic | None = None) -> Moments:
    """One reading of a table.

    Raises
    ------
    DataError
        If squares of the numbers overflow or vanish.
    """
    total: Moments | None = None
    with np.errstate(over="ignore", invalid="ignore"):
        for block in design_blocks(table, terms):
            part = Moments.of_block(block, None if total is None else total.shift)
            total = part if total is None else total + part
    if total is None:
        raise DataError(f"{table.source.name} has no complete rows any more", try_="was the file changed meanwhile?")
    refuse_unsquarable(total, (*(table.names if terms is None else terms.names), table.target))
    return total


def refuse_unsquarable(moments: Moments, names: tuple[str, ...]) -> None:
    """Raise DataError if the squares of a column's numbers have overflowed or lost digits to underflow."""
    squares = np.diag(moments.products)
    varying = (moments.sums != 0) | (squares > 0)
    for wrong, size, unit in (
        (~np.isfinite(squares), "large", "a larger unit (values below 1e150)"),
        (varying & (squares < SMALLEST), "small", "a smaller unit (values above 1e-140)"),
    ):
        if wrong.any():
            name = names[int(np.argmax(wrong))]
            raise DataError(f"the numbers of {name} are too {size} to be squared", try_=f"give {name} in {unit}")
