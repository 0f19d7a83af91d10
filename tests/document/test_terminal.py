"""What people read in a terminal."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbend.document import (
    Block,
    Code,
    Column,
    Details,
    Heading,
    Paragraph,
    Picture,
    Table,
    number,
    print_blocks,
    render_text,
)
from unbend.document.text import cells

Golden = Callable[[str, str], None]
NAMES = st.text(st.characters(exclude_categories=()), max_size=30)
CELLS = st.none() | st.floats() | st.integers(-(10**12), 10**12) | NAMES


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def printed(blocks: list[Block], encoding: str) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    print_blocks(blocks, stream)
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("name", "width", "encoding"),
    [("wide.txt", 100, None), ("plain.txt", 80, None), ("narrow.txt", 40, None), ("ascii.txt", 80, "ascii")],
)
def test_the_whole_document_reads_as_stored(
    every_block: list[Block], golden: Golden, name: str, width: int, encoding: str | None
) -> None:
    text = render_text(every_block, width, encoding)
    code = "unbend examine model.onnx"
    assert all(cells(line) <= width for line in text.splitlines() if code not in line)
    assert text == "\n".join(line.rstrip() for line in text.split("\n"))
    golden(name, text)


def test_hostile_names_read_as_stored(hostile: list[str], golden: Golden) -> None:
    table = Table([Column(hostile[0], "left"), *map(Column, hostile[1:])], [[name, 1, 2, 3, 4, 5] for name in hostile])
    blocks = [Heading(hostile[1]), Paragraph(" ".join(hostile), grade=hostile[2]), table, Code("\n".join(hostile))]
    golden("hostile.txt", render_text(blocks))


def test_a_log_gets_what_render_text_gives(every_block: list[Block]) -> None:
    assert printed(every_block, "utf-8") == render_text(every_block, 80)
    assert printed(every_block, "ascii") == render_text(every_block, 80, "ascii")


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "cp437", "koi8-r", "utf-16"])
def test_no_encoding_makes_it_fail(every_block: list[Block], encoding: str) -> None:
    assert "98.3 %" in printed(every_block, encoding)


def test_colour_adds_nothing_but_colour(every_block: list[Block], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "90")
    stream = Terminal()
    print_blocks(every_block, stream)
    text = stream.getvalue()
    assert "\x1b[1m" in text
    assert "\x1b[32m✓ " in text
    bare = "\n".join(line.rstrip() for line in re.sub(r"\x1b\[[\d;]*m", "", text).split("\n"))
    assert bare == render_text(every_block, 90)


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_can_be_declined(
    every_block: list[Block], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    for other in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv(name, value)
    stream = Terminal()
    print_blocks(every_block, stream)
    assert not re.search(r"\x1b\[[\d;]*3[0-7]", stream.getvalue())


def test_a_wide_terminal_is_not_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    stream = Terminal()
    print_blocks([Paragraph("word " * 200)], stream)
    assert max(map(len, stream.getvalue().splitlines())) <= 100


def test_names_are_not_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_blocks([Paragraph("[red]x[/red] :smile: [/] \x1b[31m")])
    assert capsys.readouterr().out == "[red]x[/red] :smile: [/] \\x1b[31m\n"


@given(st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), max_size=4), st.integers(40, 100))
def test_no_number_is_ever_cut(rows: list[tuple[object, ...]], width: int) -> None:
    table = Table([Column("name", "left"), Column("a"), Column("b", digits=7), Column("c")], rows)  # pyright: ignore[reportArgumentType]
    text = render_text([table], width)
    assert all(cells(line) <= width for line in text.splitlines())
    for row in rows:
        for value, digits in zip(row, (4, 4, 7, 4), strict=True):
            if not isinstance(value, str):
                assert number(value, digits).replace("\u202f", " ") in text  # pyright: ignore[reportArgumentType]


def test_numbers_of_similar_size_line_up_on_the_point() -> None:
    text = render_text([Table([Column("x")], [(12.5,), (-0.125,), (3,), (104.25,)])])
    assert text.splitlines()[2:] == ["   12.5", "   −0.125", "    3", "  104.2"]


def test_numbers_of_very_different_size_do_not() -> None:
    text = render_text([Table([Column("x")], [(1.5e-7,), (1234567890,)])])
    assert text.splitlines()[2:] == ["        1.5e-07", "  1 234 567 890"]


def test_rows_beyond_the_limit_are_counted() -> None:
    rows = [(i,) for i in range(352)]
    assert "… and 312 more rows (all of them in --json)" in render_text([Table([Column("i")], rows)])
    assert "… and 1 more row (" in render_text([Table([Column("i")], rows, limit=351)])
    assert "more" not in render_text([Table([Column("i")], rows, limit=352)])


def test_a_table_without_rows_or_columns_is_shown() -> None:
    assert render_text([Table([Column("name", "left")], [])]) == "  name\n  ────\n"
    assert render_text([Table([], [])]) == ""


def test_what_is_for_the_page_only_is_left_out(picture: Picture) -> None:
    blocks = [Paragraph("before"), picture, Details("folded", [Paragraph("inside")]), Paragraph("after")]
    assert render_text(blocks) == "before\n\nafter\n"
    shown = Picture(picture.title, picture.look_for, picture.draw, picture.numbers, in_terminal=True)
    assert "sin x" in render_text([shown])


def test_what_is_no_block_is_refused() -> None:
    with pytest.raises(TypeError, match="str is not a block"):
        render_text(["text"])  # pyright: ignore[reportArgumentType]
