"""Blocks as Markdown in GitHub's flavour: tables, folded parts, and equations between double dollars.

Every character of a name that Markdown would obey has a backslash in front of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import singledispatch
from html import escape

from unbend.document.blocks import Block, Bullets, Cell, Code, Details, Formula, Heading, Paragraph, Picture, Table
from unbend.document.cells import cell_text, more_rows, shown_rows
from unbend.document.text import flowing, verbatim

_OBEYED = re.compile(r"[\\`*_{}\[\]<>#|~$&@]|:(?=//)|(?<=www)\.|!(?=\[)")
_OBEYED_AT_START = re.compile(r"^([-+=]|\d+(?=[.)]))")
_SIGNS = {"good": "✓ ", "warning": "**!** ", "bad": "**✗** "}


def render_markdown(blocks: Sequence[Block]) -> str:
    """The blocks as Markdown (GitHub's flavour); the drawing of a picture is left out, its numbers are folded."""
    return "\n\n".join(part for block in blocks for part in _parts(block)) + "\n"


@singledispatch
def _parts(block: Block) -> Iterator[str]:
    """The paragraphs of one block."""
    raise TypeError(f"{type(block).__name__} is not a block")


@_parts.register
def _(block: Heading) -> Iterator[str]:
    yield f"{'#' * block.level} {_escaped(block.text)}"


@_parts.register
def _(block: Paragraph) -> Iterator[str]:
    text = _at_start(_escaped(block.text))
    text = f"**{text}**" if block.tone == "strong" else text
    yield _SIGNS.get(block.tone, "") + text + (f" *\\[{_escaped(block.grade)}\\]*" if block.grade else "")


@_parts.register
def _(block: Bullets) -> Iterator[str]:
    yield "\n".join(f"- {_at_start(_escaped(item))}" for item in block.items)


@_parts.register
def _(block: Table) -> Iterator[str]:
    if block.title:
        yield f"**{_escaped(block.title)}**"
    rule = ["---:" if column.align == "right" else ":---" for column in block.columns]
    lines = [_row([_escaped(column.name) for column in block.columns]), _row(rule)]
    lines += [_row(_texts(block, row)) for row in shown_rows(block)]
    yield "\n".join(lines)
    for remark in filter(None, [more_rows(block), block.note]):
        yield _at_start(_escaped(remark))


@_parts.register
def _(block: Formula) -> Iterator[str]:
    from unbend.document.formula import to_latex

    latex = to_latex(block.expression).replace("<", r"\lt ").replace(">", r"\gt ")
    yield f"$$\n{latex}\n$$"
    if block.label:
        yield f"*{_escaped(block.label)}*"


@_parts.register
def _(block: Code) -> Iterator[str]:
    longest = max(map(len, re.findall("`+", block.text)), default=0)
    fence = "`" * max(longest + 1, 3)
    yield "\n".join([fence, *verbatim(block.text), fence])


@_parts.register
def _(block: Picture) -> Iterator[str]:
    yield f"**{_escaped(block.title)}** {_escaped(block.look_for)}"
    if block.numbers:
        yield from _folded("The numbers in this picture", [block.numbers])


@_parts.register
def _(block: Details) -> Iterator[str]:
    yield from _folded(block.summary, block.blocks)


def _folded(summary: str, blocks: Sequence[Block]) -> Iterator[str]:
    yield f"<details><summary>{escape(flowing(summary))}</summary>"
    for block in blocks:
        yield from _parts(block)
    yield "</details>"


def _texts(table: Table, row: Sequence[Cell]) -> list[str]:
    return [_escaped(cell_text(value, column)) for value, column in zip(row, table.columns, strict=True)]


def _row(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _escaped(text: str) -> str:
    return _OBEYED.sub(lambda match: f"\\{match[0]}", flowing(text))


def _at_start(text: str) -> str:
    """`text` so that it does not begin a list or underline a heading."""
    return _OBEYED_AT_START.sub(lambda m: f"\\{m[0]}" if not m[0][0].isdigit() else f"{m[0]}\\", text)
