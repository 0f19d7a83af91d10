"""Markdown, read back by a parser of GitHub's flavour."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from unbend.document import (
    Block,
    Bullets,
    Code,
    Column,
    Details,
    Formula,
    Heading,
    Paragraph,
    Picture,
    Table,
    render_markdown,
)
from unbend.document.formula import Equation, Symbol
from unbend.document.text import flowing, visible


def html_of(markdown: str) -> str:
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)


def text_of(html: str) -> str:
    return unescape(re.sub(r"<[^>]*>", "", html))


def test_every_block_has_its_form(every_block: list[Block]) -> None:
    markdown = render_markdown(every_block)
    html = html_of(markdown)
    assert html.count("<h1>") == 1
    assert html.count("<h2>") == 3
    assert html.count("<table>") == 5
    assert html.count("<li>") == 2
    assert html.count("<pre><code>") == 1
    assert markdown.count("\n$$\n") == 4
    assert markdown.count("<details>") == markdown.count("</details>") == 3
    assert "98.3 % of what the network does on your 4\u202f884 rows.</strong>" in html.replace("\u00a0", " ")
    assert "… and 348 more rows" in html


@pytest.mark.parametrize(
    "name",
    [
        "a_b_c",
        "*x*",
        "`y`",
        "<b>",
        "&lt;",
        "[a](http://b.c)",
        "a|b",
        "1. x",
        "- x",
        "+ x",
        "# x",
        "> x",
        "===",
        "~~z~~",
        "\\",
    ],
)
def test_a_name_is_not_markup(name: str) -> None:
    table = Table([Column(name, "left")], [[name]], title=name, note=name)
    html = html_of(render_markdown([Heading(name), Paragraph(name), Bullets([name]), table, Code(name)]))
    assert text_of(html).split("\n") == html_of_plain(name)


def html_of_plain(name: str) -> list[str]:
    """What remains of the same document with a harmless name, that name exchanged."""
    table = Table([Column("zz", "left")], [["zz"]], title="zz", note="zz")
    html = html_of(render_markdown([Heading("zz"), Paragraph("zz"), Bullets(["zz"]), table, Code("zz")]))
    return [line.replace("zz", name) for line in text_of(html).split("\n")]


@given(st.text(st.characters(exclude_categories=()), min_size=1, max_size=30))
def test_any_cell_reads_back_as_it_was(name: str) -> None:
    html = html_of(render_markdown([Table([Column("c", "left"), Column("d")], [[name, 1.5]])]))
    cell, number = re.findall(r"<td[^>]*>(.*?)</td>", html, re.DOTALL)
    assert unescape(cell) == flowing(visible(name)).strip()
    assert number == "1.5"


def test_code_that_holds_a_fence_gets_a_longer_one() -> None:
    assert render_markdown([Code("```\nx\n```")]) == "````\n```\nx\n```\n````\n"


def test_an_equation_holds_no_tag() -> None:
    markdown = render_markdown([Formula(Equation((Symbol("<script>"), Symbol("a$$b"))), "label")])
    assert markdown == "$$\n\\mathrm{\\lt script\\gt } = \\mathrm{a\\$\\$b}\n$$\n\n*label*\n"


def test_a_folded_summary_is_escaped() -> None:
    assert "<summary>&lt;b&gt;</summary>" in render_markdown([Details("<b>", [])])


def test_the_numbers_of_a_picture_are_folded(picture: Picture) -> None:
    assert "| 11 | −1 |" not in render_markdown([picture])
    assert "| 5 | −0.9589 |" in render_markdown([picture])
