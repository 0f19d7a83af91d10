"""Blocks as text: 80 columns, right without colour, in a pipe, in a log.

The blocks become lines of styled spans once; `render_text` drops the styles, `print_blocks` lets rich show them where
the output can. So what is read does not depend on whether there is colour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import singledispatchmethod
from typing import IO

from unbend.document.blocks import Block, Bullets, Code, Details, Formula, Heading, Paragraph, Picture, Table
from unbend.document.cells import more_rows
from unbend.document.grid import grids
from unbend.document.text import cells, flowing, plain_spaces, spelled, verbatim, wrapped

Line = list[tuple[str, str]]
"""Spans of text and the name of their style ("" for none)."""

_WIDEST = 100
_STYLES = {"title": "bold", "strong": "bold", "quiet": "dim", "good": "green", "warning": "yellow", "bad": "bold red"}
_SIGNS = {"good": "✓ ", "warning": "! ", "bad": "✗ "}
_RULES = {1: "═", 2: "─"}
_NO_BREAK = "\u00a0"


def render_text(blocks: Sequence[Block], width: int = 80, encoding: str | None = None) -> str:
    """The blocks as plain text of at most `width` columns, without colour, in characters that `encoding` can carry.

    Only code, and a number that is wider than the whole width, are ever longer than a line.
    """
    return "".join(f"{_plain(line)}\n" for line in _Layout(width, encoding).lines(blocks))


def print_blocks(blocks: Sequence[Block], file: IO[str] | None = None) -> None:
    """Print the blocks to `file` (standard output if None), up to 100 columns wide, in colour where it shows colours.

    NO_COLOR, TERM=dumb, pipes and files without a Unicode encoding are respected.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(file=file, highlight=False, markup=False, emoji=False, force_jupyter=False)
    layout = _Layout(min(console.width, _WIDEST), getattr(console.file, "encoding", None))
    for line in layout.lines(blocks):
        text = Text(end="\n")
        for span, style in line:
            text.append(plain_spaces(span), _STYLES.get(style))
        text.rstrip()
        console.print(text, soft_wrap=True)


def _plain(line: Line) -> str:
    return plain_spaces("".join(span for span, _ in line)).rstrip()


@dataclass(frozen=True)
class _Layout:
    """Turns blocks into lines, one method a kind of block."""

    width: int
    encoding: str | None

    def spell(self, text: str) -> str:
        return spelled(text, self.encoding)

    def lines(self, blocks: Sequence[Block]) -> Iterator[Line]:
        """The lines of all blocks, with an empty one between them."""
        close = True
        for block in blocks:
            lines = list(self.block(block))
            if lines and not close:
                yield []
            yield from lines
            close = not lines and close

    @singledispatchmethod
    def block(self, block: Block) -> Iterator[Line]:
        raise TypeError(f"{type(block).__name__} is not a block")

    @block.register
    def _(self, block: Heading) -> Iterator[Line]:
        lines = wrapped(self.spell(flowing(block.text)), self.width)
        yield from ([(line, "title")] for line in lines)
        if block.level in _RULES:
            yield [(self.spell(_RULES[block.level]) * max(map(cells, lines)), "quiet")]

    @block.register
    def _(self, block: Paragraph) -> Iterator[Line]:
        sign = self.spell(_SIGNS.get(block.tone, ""))
        grade = f"[{flowing(block.grade)}]".replace(" ", _NO_BREAK) if block.grade else ""
        text = " ".join(filter(None, [flowing(block.text), grade]))
        yield from self.hanging(sign, text, block.tone, self.spell(grade))

    @block.register
    def _(self, block: Bullets) -> Iterator[Line]:
        for item in block.items:
            yield from self.hanging(self.spell("  • "), flowing(item))

    @block.register
    def _(self, block: Code) -> Iterator[Line]:
        yield from ([(f"    {self.spell(line)}", "")] for line in verbatim(block.text))

    @block.register
    def _(self, block: Table) -> Iterator[Line]:
        yield from self.hanging("", flowing(block.title), "strong") if block.title else ()
        for number, (head, body) in enumerate(grids(block, self.width - 2, self.spell)):
            yield from [[]] if number else []
            yield from ([("  " + line, "quiet")] for line in head)
            yield from ([("  " + line, "")] for line in body)
        for remark in filter(None, [more_rows(block), flowing(block.note)]):
            yield from self.hanging("  ", remark, "quiet")

    @block.register
    def _(self, block: Formula) -> Iterator[Line]:
        from unbend.document.formula import to_text

        text = to_text(block.expression, self.width - 4, self.encoding)
        yield from ([("    " + line, "")] for line in text.split("\n"))
        if block.label:
            yield from self.hanging("    ", f"({flowing(block.label)})", "quiet")

    @block.register
    def _(self, block: Picture) -> Iterator[Line]:
        if block.in_terminal and block.numbers:
            yield from self.hanging("", flowing(block.title), "strong")
            yield from self.hanging("", flowing(block.look_for), "quiet")
            yield from self.block(block.numbers)

    @block.register
    def _(self, block: Details) -> Iterator[Line]:
        if block.in_terminal:
            yield from self.hanging("", flowing(block.summary), "strong")
            inner = replace(self, width=self.width - 2)
            yield from ([("  ", ""), *line] if line else line for line in inner.lines(block.blocks))

    def hanging(self, lead: str, text: str, tone: str = "", quiet_end: str = "") -> Iterator[Line]:
        """`text` wrapped behind `lead`; the following lines are indented under it, and `quiet_end` is set in grey."""
        style = tone if tone in _STYLES else ""
        for i, line in enumerate(wrapped(self.spell(text), self.width - cells(lead))):
            first = lead if i == 0 else " " * cells(lead)
            if quiet_end and line.endswith(quiet_end):
                yield [(first, style), (line.removesuffix(quiet_end), style), (quiet_end, "quiet")]
            else:
                yield [(first, style), (line, style)]
