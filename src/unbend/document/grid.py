"""A table as lines of text.

Numbers are never cut. Where a table is too wide its longest names give way first: headings and names wrap, a single
long word loses its middle; and when even that is not enough the columns continue below, under the first one again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from unbend.document.blocks import Cell, Column, Table
from unbend.document.cells import cell_text, is_number, lines_up, padding, shown_rows
from unbend.document.text import cells, elided, flowing, wrapped

Spell = Callable[[str], str]
"""Writes a text in the characters that the output can carry."""

_GAP = 2
_NAME_AT_LEAST = 12
_NAME_EASY = 24
_LINES_AT_MOST = 12


@dataclass(frozen=True)
class _Strip:
    """One column: its heading and cells as text, and how far it can be squeezed."""

    heading: str
    texts: Sequence[str]
    left: bool
    widest: int
    least: int
    dots: str

    def lines(self, text: str, width: int) -> list[str]:
        """`text` in at most `width` cells a line, words kept whole where they fit."""
        if cells(text) <= width:
            return [text]
        lines = wrapped(" ".join(elided(word, width, self.dots) for word in text.split(" ")), width)
        if len(lines) > _LINES_AT_MOST:
            lines = [*lines[: _LINES_AT_MOST - 2], self.dots, lines[-1]]
        return lines

    def placed(self, text: str, width: int) -> str:
        room = " " * max(width - cells(text), 0)
        return text + room if self.left else room + text


def grids(table: Table, width: int, spell: Spell) -> Iterator[tuple[list[str], list[str]]]:
    """Heads and bodies of the parts that `table` has to be shown in, each within `width` cells."""
    strips = [_strip(column, [row[i] for row in shown_rows(table)], spell) for i, column in enumerate(table.columns)]
    for part in filter(None, _parts(strips, width)):
        widths = _squeezed(part, width)
        rule = spell("─") * (sum(widths) + _GAP * (len(part) - 1))
        head = _row(part, widths, [strip.heading for strip in part], bottom=True)
        body = [_row(part, widths, [strip.texts[i] for strip in part]) for i in range(len(shown_rows(table)))]
        yield [*head, rule], [line for row in body for line in row]


def _strip(column: Column, values: Sequence[Cell], spell: Spell) -> _Strip:
    texts = [spell(cell_text(value, column)) for value in values]
    if column.align == "right":
        room = padding(texts, [lines_up(value) for value in values])
        texts = [text + " " * n for text, n in zip(texts, room, strict=True)]
    heading = spell(flowing(column.name))
    figures = [cells(text) for text, value in zip(texts, values, strict=True) if is_number(value)]
    names = [cells(text) for text, value in zip(texts, values, strict=True) if not is_number(value)]
    words = max(map(cells, heading.split(" ")))
    return _Strip(
        heading,
        texts,
        left=column.align == "left",
        widest=max([cells(heading), *figures, *names]),
        least=max([min(words, _NAME_AT_LEAST), *figures, min(max(names, default=0), _NAME_AT_LEAST)]),
        dots=spell("…"),
    )


def _parts(strips: Sequence[_Strip], width: int) -> Iterator[list[_Strip]]:
    """The columns in groups that can be squeezed into `width`; a first column of names stands in front of each."""
    names = [strip for strip in strips[:1] if strip.left]
    part = list(names)
    for strip in strips[len(names) :]:
        if len(part) > len(names) and sum(s.least + _GAP for s in [*part, strip]) - _GAP > width:
            yield part
            part = list(names)
        part.append(strip)
    yield part


def _squeezed(strips: Sequence[_Strip], width: int) -> list[int]:
    """The width of each column: as wide as it likes, and where that is too much the widest give way first.

    Long names give way until they are still easy to read, then headings over numbers wrap, then names give way again.
    """
    widths = [strip.widest for strip in strips]
    easy = [min(strip.widest, _NAME_EASY) if strip.left else strip.widest for strip in strips]
    figures = [width if strip.left else strip.least for strip, width in zip(strips, easy, strict=True)]
    excess = sum(widths) + _GAP * (len(strips) - 1) - width
    for floors in (easy, figures, [strip.least for strip in strips]):
        while excess > 0 and any(w > floor for w, floor in zip(widths, floors, strict=True)):
            i = max(range(len(strips)), key=lambda i: (widths[i] > floors[i], widths[i]))
            widths[i] -= 1
            excess -= 1
    return widths


def _row(strips: Sequence[_Strip], widths: Sequence[int], texts: Sequence[str], bottom: bool = False) -> list[str]:
    """One row of the table, of as many lines as its longest cell."""
    columns = [strip.lines(text, width) for strip, text, width in zip(strips, texts, widths, strict=True)]
    if bottom:
        tallest = max(map(len, columns))
        columns = [[""] * (tallest - len(lines)) + lines for lines in columns]
    lines = []
    for pieces in zip_longest(*columns, fillvalue=""):
        placed = [s.placed(piece, width) for s, piece, width in zip(strips, pieces, widths, strict=True)]
        lines.append((" " * _GAP).join(placed).rstrip())
    return lines
