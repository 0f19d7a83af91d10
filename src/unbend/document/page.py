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

from unbend.document.blocks import Block, Formula, Heading, Picture, Table
from unbend.document.cells import cell_text, is_number, lines_up, more_rows, padding, shown_rows
from unbend.document.palette import declarations
from unbend.document.text import flowing, verbatim, visible

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_CONTENTS_FROM = 3
"""A table of contents from this many sections on."""

_PROSE = 40
"""A cell longer than this is text to read: it gets room for it."""

_GRADES = {"exact": "exact", "proved": "proved", "measured": "measured"}
_SIGNS = {"good": ("✓", "fine"), "warning": ("!", "careful"), "bad": ("✗", "problem")}


def render_html(blocks: Sequence[Block]) -> str:
    """The blocks as an HTML fragment with its own styles, for notebooks; it follows their light or dark theme."""
    styles = _template("fragment.css.j2").render(light=declarations("light"), dark=declarations("dark"))
    return f'<div class="unbend">\n<style>\n{styles}</style>\n{_Writer(anchors=False).html(blocks)}</div>\n'


def render_page(blocks: Sequence[Block], title: str) -> str:
    """The blocks as one self-contained HTML page. The first heading of level 1, else `title`, stands at its top."""
    from unbend import __version__

    titled = any(isinstance(block, Heading) and block.level == 1 for block in blocks)
    writer = _Writer()
    body = writer.html(blocks if titled else [Heading(title, 1), *blocks])
    return _template("page.html.j2").render(
        title=visible(title),
        version=__version__,
        light=declarations("light"),
        dark=declarations("dark"),
        contents=writer.sections if len(writer.sections) >= _CONTENTS_FROM else [],
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


def _head(table: Table) -> list[_Cell]:
    return [_Cell(flowing(column.name), "name" if column.align == "left" else "number") for column in table.columns]


def _body(table: Table) -> list[list[_Cell]]:
    rows = shown_rows(table)
    columns = [_column(table, i) for i in range(len(table.columns))]
    return [[column[i] for column in columns] for i in range(len(rows))]


def _column(table: Table, i: int) -> list[_Cell]:
    column = table.columns[i]
    values = [row[i] for row in shown_rows(table)]
    texts = [cell_text(value, column) for value in values]
    if column.align == "right":
        room = padding(texts, [lines_up(value) for value in values])
        texts = [text + _blank(text, n) for text, n in zip(texts, room, strict=True)]
    return [_Cell(text, _kind(column.align, value, text)) for text, value in zip(texts, values, strict=True)]


def _kind(align: str, value: object, text: str) -> str:
    if align == "right":
        return "number"
    return "prose" if len(text) > _PROSE and not is_number(value) else "name"  # pyright: ignore[reportArgumentType]


def _blank(text: str, places: int) -> str:
    """Spaces as wide as the point and the digits that `text` has fewer than the longest fraction."""
    if not places:
        return ""
    return "\u2007" * places if "." in text else "\u2008" + "\u2007" * (places - 1)


def _mathml(formula: Formula) -> Any:
    from markupsafe import Markup

    from unbend.document.formula import to_mathml

    return Markup(to_mathml(formula.expression))


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
