"""Equations as aligned plain text: matrices in brackets of several lines, side by side on one base line.

An equation that is too wide goes on below its first equals sign: it breaks at "=", then at "+", then between factors. A
matrix that is too wide loses the columns in its middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unbend.document.blocks import number
from unbend.document.cells import padding
from unbend.document.formula.tree import (
    Apply,
    Expression,
    Group,
    Matrix,
    Symbol,
    entries,
    is_number,
    parts,
)
from unbend.document.text import cells, elided, plain_spaces, spelled, visible

_ROWS = 10
_COLUMNS = 40
_INDENT = 12
"""Rows that go on begin under the first equals sign, if that is no further right than this."""


def to_text(expression: Expression, width: int = 80, encoding: str | None = None) -> str:
    """The equation as lines of at most `width` columns, in characters that `encoding` can carry (None: Unicode).

    Numbers are never cut: two columns of a matrix, and the dots between them, are the least that it shows.

    >>> import numpy as np
    >>> from unbend.document.formula import Matrix, Product
    >>> a, b = np.array([[1, 0.5], [2, -1]]), np.array([2.0, 4])
    >>> print(to_text(Product((Matrix(a), Matrix(b)))))
    ⎡1   0.5⎤ ⎡2⎤
    ⎣2  −1  ⎦ ⎣4⎦
    """
    rows = _Rows(width, encoding)
    rows.place(expression, "")
    return rows.text()


@dataclass(frozen=True)
class _Box:
    """A rectangle of text; `base` is the line that stands on the base line of the equation."""

    lines: Sequence[str]
    base: int = 0

    @property
    def width(self) -> int:
        return cells(self.lines[0])


def _beside(boxes: Sequence[_Box]) -> _Box:
    above = max(box.base for box in boxes)
    below = max(len(box.lines) - box.base for box in boxes)
    columns = []
    for box in boxes:
        empty = " " * box.width
        before, after = above - box.base, below - len(box.lines) + box.base
        columns.append([empty] * before + list(box.lines) + [empty] * after)
    return _Box(["".join(pieces) for pieces in zip(*columns, strict=True)], above)


def _fenced(box: _Box, fences: Sequence[str]) -> _Box:
    """The box between tall brackets; a fence is what to use for one line, the top, the middle and the bottom."""
    height = len(box.lines)
    sides = [
        _Box([one] if height == 1 else [top, *[middle] * (height - 2), bottom], box.base)
        for one, top, middle, bottom in fences
    ]
    return _beside([sides[0], box, sides[1]])


class _Rows:
    """The rows of one equation, filled from left to right."""

    def __init__(self, width: int, encoding: str | None) -> None:
        self.width = width
        self.encoding = encoding
        self.rows: list[list[_Box]] = [[]]
        self.indent = 0

    def text(self) -> str:
        boxes = [_beside(row) for row in self.rows if row]
        apart = "\n\n" if any(len(box.lines) > 1 for box in boxes) and len(boxes) > 1 else "\n"
        return apart.join("\n".join(line.rstrip() for line in box.lines) for box in boxes)

    def place(self, expression: Expression, joint: str) -> None:
        """Put the expression behind `joint` at the end: on this row, on a new one, or in parts over several."""
        box = self.whole(expression)
        if box.width > self.room(joint):
            pieces = parts(expression)
            if pieces and (box.width > self.fresh_room(joint) or not self.rows[-1]):
                (first_joint, first), *others = pieces
                for part_joint, part in [(joint + first_joint, first), *others]:
                    self.place(part, part_joint)
                return
            if self.rows[-1] and (pieces or box.width <= self.fresh_room(joint) or self.room(joint) < self.width // 2):
                self.rows.append([])
            box = self.squeezed(expression, self.room(joint))
        self.put(joint, box)

    def put(self, joint: str, box: _Box) -> None:
        row = self.rows[-1]
        if not row and len(self.rows) > 1:
            lead = self.indent + 2 * (joint.strip() != "=")
            row.append(_Box([" " * lead]))
            joint = joint if joint.strip() else " · "
        if not self.indent and joint == " = ":
            self.indent = self.used() if self.used() <= _INDENT else 2
        row.append(_Box([self.spell(joint)]))
        row.append(box)

    def used(self) -> int:
        return sum(box.width for box in self.rows[-1])

    def room(self, joint: str) -> int:
        return self.width - self.used() - len(joint) if self.rows[-1] else self.fresh_room(joint)

    def fresh_room(self, joint: str) -> int:
        return self.width - self.indent - max(len(joint), 3) - 2 if self.rows[0] else self.width

    def spell(self, text: str) -> str:
        return plain_spaces(spelled(visible(text), self.encoding))

    def whole(self, expression: Expression) -> _Box:
        """The expression in one row, as wide as it is."""
        match expression:
            case Symbol(name, subscript):
                return _Box([self.spell(f"{name}_{subscript}" if subscript else name)])
            case Matrix():
                return self.matrix(expression, _COLUMNS)
            case Group(inner):
                return self.parentheses(self.whole(inner))
            case Apply(function, argument):
                return _beside([_Box([self.spell(function)]), self.parentheses(self.whole(argument))])
        pieces = []
        for joint, part in parts(expression):
            pieces += [_Box([self.spell(joint)]), self.whole(part)]
        return _beside(pieces)

    def squeezed(self, expression: Expression, room: int) -> _Box:
        """The expression in at most `room` columns: what cannot be broken into parts is shortened or folded."""
        match expression:
            case Symbol():
                return _Box([elided(self.whole(expression).lines[0], room, self.spell("…"))])
            case Matrix():
                most = _COLUMNS
                while (box := self.matrix(expression, most)).width > room and most > 3:
                    most -= 1
                return box
            case Group(inner):
                return self.parentheses(self.folded(inner, room - 2))
            case Apply(function, argument):
                name = _Box([self.spell(function)])
                return _beside([name, self.parentheses(self.folded(argument, room - 2 - name.width))])
        return self.folded(expression, room)

    def folded(self, expression: Expression, room: int) -> _Box:
        rows = _Rows(room, self.encoding)
        rows.place(expression, "")
        lines = rows.text().split("\n")
        widest = max(map(cells, lines))
        return _Box([line + " " * (widest - cells(line)) for line in lines], (len(lines) - 1) // 2)

    def matrix(self, matrix: Matrix, most_columns: int) -> _Box:
        if is_number(matrix):
            return _Box([self.spell(number(matrix.values.item(), matrix.digits))])
        grid = [[self.spell(text) for text in row] for row in entries(matrix, _ROWS, most_columns)]
        columns = [_column(texts) for texts in zip(*grid, strict=True)]
        lines = ["  ".join(row) for row in zip(*columns, strict=True)] or [""]
        return _fenced(_Box(lines, (len(lines)) // 2), [self.spell("[⎡⎢⎣"), self.spell("]⎤⎥⎦")])

    def parentheses(self, box: _Box) -> _Box:
        return _fenced(box, [self.spell("(⎛⎜⎝"), self.spell(")⎞⎟⎠")])


def _column(texts: Sequence[str]) -> list[str]:
    room = padding(texts, [True] * len(texts))
    padded = [text + " " * n for text, n in zip(texts, room, strict=True)]
    widest = max(map(cells, padded))
    return [" " * (widest - cells(text)) + text for text in padded]
