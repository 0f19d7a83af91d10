"""The cells of a table as text, the same for every renderer, so that they agree to the digit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real

from unbend.document.blocks import Cell, Column, Table, number
from unbend.document.text import visible

_STRAY = 3
"""Numbers line up on their decimal point unless that would make the column wider by more than this."""


def cell_text(value: Cell, column: Column) -> str:
    """One cell: a number to the digits of its column, a name as it is (made visible)."""
    return visible(value) if isinstance(value, str) else number(value, column.digits, zeros=column.zeros)


def is_number(value: Cell) -> bool:
    """Whether the cell holds a number (or stands for one that is missing)."""
    return value is None or isinstance(value, Real)


def shown_rows(table: Table) -> Sequence[Sequence[Cell]]:
    """The rows that are shown: the first `limit` of them."""
    return table.rows[: table.limit]


def more_rows(table: Table) -> str:
    """The sentence that stands for the rows beyond the limit, or nothing."""
    hidden = len(table.rows) - table.limit
    if hidden <= 0:
        return ""
    return f"… and {number(hidden)} more {'row' if hidden == 1 else 'rows'} (all of them in --json)"


def padding(texts: Sequence[str], numeric: Sequence[bool]) -> list[int]:
    """How many places to leave free after each text, so that the numbers of a column line up on the decimal point.

    All zero where the numbers differ so much in size that lining them up would spread them out.

    >>> padding(["1.25", "12", "age"], [True, True, False])
    [0, 3, 0]
    """
    fractions = [_fraction(text) if is_one else 0 for text, is_one in zip(texts, numeric, strict=True)]
    wholes = [len(text) - n for text, n, is_one in zip(texts, fractions, numeric, strict=True) if is_one]
    widest = max((len(text) for text, is_one in zip(texts, numeric, strict=True) if is_one), default=0)
    longest = max(fractions, default=0)
    if max(wholes, default=0) + longest > widest + _STRAY:
        return [0] * len(texts)
    return [longest - n if is_one else 0 for n, is_one in zip(fractions, numeric, strict=True)]


def blank(text: str, places: int) -> str:
    """Spaces as wide as the decimal point and the digits that `text` has fewer than the longest in its column.

    For fonts in which digits are equally wide and a point is narrower.
    """
    if not places:
        return ""
    return "\u2007" * places if "." in text else "\u2008" + "\u2007" * (places - 1)


def lines_up(value: Cell) -> bool:
    """Whether the cell shows digits, so that it has a decimal point to line up on."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _fraction(text: str) -> int:
    """The length of what follows the whole part: ".0123" in "0.0123", "e-07" in "1e-07"."""
    return len(text) - min((i for i, c in enumerate(text) if c in ".e"), default=len(text))
