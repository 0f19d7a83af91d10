"""Reports as data: blocks, and their renderings as text for a terminal, HTML for a page, and Markdown."""

from unbend.document.blocks import (
    Block,
    Bullets,
    Cell,
    Code,
    Column,
    Details,
    Formula,
    Heading,
    Paragraph,
    Picture,
    Table,
    number,
)
from unbend.document.markdown import render_markdown
from unbend.document.page import render_html, render_page
from unbend.document.terminal import print_blocks, render_text

__all__ = [
    "Block",
    "Bullets",
    "Cell",
    "Code",
    "Column",
    "Details",
    "Formula",
    "Heading",
    "Paragraph",
    "Picture",
    "Table",
    "number",
    "print_blocks",
    "render_html",
    "render_markdown",
    "render_page",
    "render_text",
]
