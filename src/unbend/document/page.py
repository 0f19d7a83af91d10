"""Blocks as HTML: a fragment for notebooks, and a page that is one file, asks no server and needs no script.

What a block looks like is in blocks.html.j2 and blocks.css; the frame of a page in page.html.j2 and page.css. Jinja
escapes everything; only MathML and SVG, which are built escaped, are let through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from unbend.document.blocks import Block, Cell, Column, Formula, Heading, Picture, Table
from unbend.document.cells import blank, cell_text, lines_up, more_rows, padding, shown_rows
from unbend.document.palette import declarations
from unbend.document.text import flowing, verbatim, visible

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_CONTENTS_FROM = 3
"""A table of contents from this many sections on."""

_PROSE = 40
"""A cell longer than this is text to read: it gets room for it."""

_LONG_WORD = 18
"""A longer word may be broken anywhere, shorter cells never."""

_GRADES = {"exact": "exact", "proved": "proved", "measured": "measured"}
_SIGNS = {"good": ("✓", "fine"), "warning": ("!", "careful"), "bad": ("✗", "problem")}


def render_html(blocks: Sequence[Block]) -> str:
    """The blocks as an HTML fragment with its own styles, for notebooks; it follows their light or dark theme."""
    styles = _template("fragment.css.j2").render(light=declarations("light"), dark=declarations("dark"))
    return f'<div class="unbend">\n<style>\n{styles}</style>\n{_Writer(anchors=False).html(blocks)}</div>\n'


def render_page(blocks: Sequence[Block], title: str) -> str:
    """The blocks as one self-contained HTML page. The first heading of level 1, else `title`, stands at its top."""
    from importlib.metadata import version

    titled = any(isinstance(block, Heading) and block.level == 1 for block in blocks)
    blocks = blocks if titled else [Heading(title, 1), *blocks]
    first = next((i for i, block in enumerate(blocks) if isinstance(block, Heading) and block.level == 2), len(blocks))
    writer = _Writer()
    opening, body = writer.html(blocks[:first]), writer.html(blocks[first:])
    return _template("page.html.j2").render(
        title=visible(title),
        version=version("unbend"),
        light=declarations("light"),
        dark=declarations("dark"),
        contents=writer.sections if len(writer.sections) >= _CONTENTS_FROM else [],
        opening=opening,
        body=body,
    )


@dataclass
class _Writer:
    """Writes blocks, and keeps the ids and the sections of one page."""

    anchors: bool = True
    sections: list[tuple[str, str]] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    def html(self, blocks: Sequence[Block]) -> Any:
        """The blocks as escaped markup."""
        module: Any = _template("blocks.html.j2").module
        return module.show(blocks, self)

    def unique(self, name: str) -> str:
        """`name`, or `name` with a number where the page has that id already."""
        candidate, number = name, 1
        while candidate in self.taken:
            number += 1
            candidate = f"{name}-{number}"
        self.taken.add(candidate)
        return candidate

    def anchor(self, heading: Heading) -> str:
        """The id of a heading, "" in a fragment; a section is noted for the table of contents."""
        if not self.anchors:
            return ""
        text = flowing(heading.text)
        anchor = self.unique(re.sub(r"[\W_]+", "-", text.lower()).strip("-") or "section")
        if heading.level == 2:
            self.sections.append((anchor, text))
        return anchor

    def svg(self, picture: Picture) -> Any:
        """The picture as inline SVG."""
        from markupsafe import Markup

        from unbend.document.picture import render_svg

        return Markup(render_svg(picture, self.unique))


@dataclass(frozen=True)
class _Cell:
    text: str
    kind: str


def _kinds(table: Table) -> list[str]:
    """How wide each column may be: a class for its cells."""
    return [_kind(column, [row[i] for row in shown_rows(table)]) for i, column in enumerate(table.columns)]


def _kind(column: Column, values: Sequence[Cell]) -> str:
    if column.align == "right":
        return "number"
    texts = [value for value in values if isinstance(value, str)]
    longest = max(map(len, texts), default=0)
    if max((len(word) for text in texts for word in text.split()), default=0) > _LONG_WORD:
        return "long"
    return "prose" if longest > _PROSE else "name" if longest > _LONG_WORD else "short"


def _head(table: Table) -> list[_Cell]:
    return [_Cell(flowing(c.name), kind) for c, kind in zip(table.columns, _kinds(table), strict=True)]


def _body(table: Table) -> list[list[_Cell]]:
    kinds = _kinds(table)
    columns = [[_Cell(text, kind) for text in _texts(table, i)] for i, kind in enumerate(kinds)]
    return [[column[i] for column in columns] for i in range(len(shown_rows(table)))]


def _texts(table: Table, i: int) -> list[str]:
    column = table.columns[i]
    values = [row[i] for row in shown_rows(table)]
    texts = [cell_text(value, column) for value in values]
    if column.align == "left":
        return texts
    room = padding(texts, [lines_up(value) for value in values])
    return [text + blank(text, n) for text, n in zip(texts, room, strict=True)]


def _mathml(formula: Formula) -> Any:
    from markupsafe import Markup

    from unbend.document.formula import to_mathml_pieces

    return Markup(" ".join(to_mathml_pieces(formula.expression)))


def _latex(formula: Formula) -> str:
    from unbend.document.formula import to_latex

    return to_latex(formula.expression)


def _kind_of_grade(grade: str) -> str:
    return _GRADES.get(grade.split(" ")[0], "other")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("unbend.document", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    filters: dict[str, Callable[..., Any]] = {
        "body": _body,
        "flowing": flowing,
        "head": _head,
        "kind": lambda block: type(block).__name__,
        "kind_of_grade": _kind_of_grade,
        "latex": _latex,
        "mathml": _mathml,
        "more_rows": more_rows,
        "verbatim": verbatim,
    }
    environment.filters |= filters
    environment.globals["signs"] = _SIGNS
    return environment


@cache
def _template(name: str) -> Template:
    return _environment().get_template(name)
