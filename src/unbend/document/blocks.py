"""What can stand in a report: a handful of blocks without any colour, width or markup.

A cell or a word that comes from the user (a column's name, a path) is plain text here; escaping is the renderers'.
Numbers stay numbers until they are rendered: both renderers show them through `number`, so they agree to the digit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from unbend.document.formula import Expression

Tone = Literal["plain", "strong", "quiet", "good", "warning", "bad"]
Cell = str | float | int | None


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the title of the page, 2 a section, 3 a part of one."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """One or more sentences. `tone` is never shown by colour alone: `warning` and `bad` also get a word or a sign.

    `grade` (see `unbend.findings`) is shown after the text.
    """

    text: str
    tone: Tone = "plain"
    grade: str = ""


@dataclass(frozen=True)
class Bullets:
    """Short statements, one a line."""

    items: Sequence[str]


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, and how many significant digits its numbers show, `zeros` at the end too."""

    name: str
    align: Literal["left", "right"] = "right"
    digits: int = 4
    zeros: bool = False


@dataclass(frozen=True)
class Table:
    """A table. `rows` hold numbers or text; `limit` is how many rows are shown before "… and n more"."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    note: str = ""
    limit: int = 40


@dataclass(frozen=True)
class Formula:
    """An equation, kept as a tree so that text, LaTeX and MathML come from one place."""

    expression: Expression
    label: str = ""


@dataclass(frozen=True)
class Code:
    """Something to type or to copy, as it is."""

    text: str


@dataclass(frozen=True)
class Picture:
    """A drawing for the page (left out in a terminal, where `numbers` may be shown instead).

    `draw` draws on an empty matplotlib figure; `look_for` tells the reader what to look for; `numbers` is the table of
    what is drawn, folded under the picture.
    """

    title: str
    look_for: str
    draw: Callable[[Figure], None] = field(compare=False)
    numbers: Table | None = None
    size: tuple[float, float] = (7.0, 3.2)
    in_terminal: bool = False


@dataclass(frozen=True)
class Details:
    """Blocks that a reader opens at will: folded on the page, left out in a terminal unless `in_terminal`."""

    summary: str
    blocks: Sequence[Block]
    in_terminal: bool = False


Block = Heading | Paragraph | Bullets | Table | Formula | Code | Picture | Details


def number(value: float | int | None, digits: int = 4, *, zeros: bool = False) -> str:
    """`value` as people write it, with `digits` significant digits: 0.0123, 12 340, 1.2e-07.

    Below 10¹⁰ no digit before the decimal point is lost, so counts stay whole; zeros at the end of a fraction are left
    out, unless `zeros` says that they are digits too; "–" stands for None and NaN, "yes" and "no" for booleans. The
    minus sign is U+2212, and a narrow space at which no line breaks (U+202F) separates groups of three digits; a
    terminal gets a plain space. At most 14 characters for up to 7 digits.

    >>> [number(x) for x in (-0.01234, 12.5, 0.5, 1e-12, None, float("-inf"))]
    ['−0.01234', '12.5', '0.5', '1e-12', '–', '−∞']
    >>> [number(x).replace("\u202f", " ") for x in (1234567.0, 1234567.8, 12_340, 2.5e11)]
    ['1 234 567', '1 234 568', '12 340', '2.5e+11']
    >>> [number(x, zeros=True) for x in (0.25, 2.0, 3e-9)]
    ['0.2500', '2.000', '3.000e-09']
    """
    value = getattr(value, "item", lambda: value)()
    if value is None or value != value:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    sign = "−" if value < 0 else ""
    return sign + _magnitude(abs(value), digits, zeros)


_SMALL = 1e-4
_LARGE = 10**10
"""Between these, numbers are written out; outside them with a power of ten, so that none is long."""


def _magnitude(value: float | int, digits: int, zeros: bool) -> str:
    if value == float("inf"):
        return "∞"
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}") if value < 10**digits else round(value)
    if not _SMALL <= rounded < _LARGE:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa if zeros else _without_zeros(mantissa)}e{exponent}"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u202f")
    places = max(digits - 1 - math.floor(math.log10(rounded)), 0)
    text = f"{rounded:,.{places}f}"
    return (text if zeros else _without_zeros(text)).replace(",", "\u202f")


def _without_zeros(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
