"""The page and the fragment for notebooks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import unbend
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
    render_html,
    render_page,
    render_text,
)
from unbend.document.formula import Equation, Symbol
from unbend.document.text import flowing, visible

Read = Callable[[str], Any]
NUMBER = re.compile(r"(?<![\w.])−?(?:\d{1,3}(?: \d{3})+|\d+)(?:\.\d+)?(?:e[-+]\d+)?(?![\w])")


def test_the_page_is_whole(every_block: list[Block], read_html: Read) -> None:
    page = read_html(render_page(every_block, "examine model.onnx"))
    assert page.open == []
    tags = [tag for tag, _ in page.elements]
    assert [tags.count(tag) for tag in ("html", "head", "body", "main", "h1")] == [1] * 5
    assert [text for tags, text in page.texts if tags == ("html", "head", "title")] == ["examine model.onnx"]
    meta = {a["name"]: a["content"] for tag, a in page.elements if tag == "meta" and "name" in a}
    assert meta["generator"] == f"unbend {unbend.__version__}"
    assert meta["color-scheme"] == "light dark"


def test_the_page_asks_nothing_of_any_server(every_block: list[Block], read_html: Read) -> None:
    html = render_page(every_block, "title")
    page = read_html(html)
    assert not {"script", "link", "iframe", "object", "img", "base"} & {tag for tag, _ in page.elements}
    names = {name for _, attributes in page.elements for name in attributes}
    assert not {"src", "srcset", "action"} & names
    assert not [name for name in names if name.startswith("on")]
    assert all(a["href"].startswith("#") for _, a in page.elements if "href" in a)
    assert not re.search(r"https?:|@import|url\((?!#)", html)
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "script" not in policy


def test_ids_are_unique_and_the_contents_lead_to_them(every_block: list[Block], read_html: Read) -> None:
    page = read_html(render_page([*every_block, *every_block], "title"))
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for _, a in page.elements if "href" in a} <= set(ids)
    assert {"what-collapses", "what-collapses-2", "what-the-rows-say"} <= set(ids)


@pytest.mark.parametrize(("sections", "listed"), [(2, False), (3, True)])
def test_there_are_contents_where_there_are_several_sections(sections: int, listed: bool) -> None:
    assert ("<nav" in render_page([Heading(f"Part {i}") for i in range(sections)], "title")) is listed


def test_a_page_without_a_title_of_its_own_gets_one(read_html: Read) -> None:
    assert read_html(render_page([Paragraph("text")], "a <b> title")).within("h1") == ["a <b> title"]


def test_the_same_blocks_give_the_same_bytes_in_any_process(picture: Picture) -> None:
    program = (
        "from unbend.document import *\n"
        "import hashlib\n"
        "draw = lambda figure: figure.subplots().scatter([1, 2], [3, 4])\n"
        "b = [Heading('x'), Picture('t', 'l', draw, Table([Column('x')], [(1,)]))]\n"
        "print(hashlib.sha256((render_page(b, 't') + render_html(b)).encode()).hexdigest())"
    )
    environments = [os.environ | {"PYTHONHASHSEED": seed, "MPLBACKEND": "agg"} for seed in ("1", "2")]
    runs = [
        subprocess.run([sys.executable, "-c", program], env=e, check=True, capture_output=True) for e in environments
    ]
    assert runs[0].stdout == runs[1].stdout != b""


def numbers(text: str) -> list[str]:
    return sorted(NUMBER.findall(text.translate({0x202F: " ", 0xA0: " ", 0x2007: None, 0x2008: None})))


def test_text_and_page_show_the_same_numbers(every_block: list[Block], read_html: Read) -> None:
    blocks = [b for b in every_block if not isinstance(b, Picture | Formula)]
    page = read_html(render_html(blocks))
    shown = [text for tags, text in page.texts if "style" not in tags]
    assert numbers("  ".join(shown)) == numbers(render_text(blocks, 100))
    assert len(numbers(render_text(blocks, 100))) > 40


def everywhere(name: str) -> list[Block]:
    """A document in which a name stands wherever one can stand."""
    table = Table([Column(name, "left"), Column(name)], [(name, 1), (name, name)], title=name, note=name)
    picture = Picture(name, name, lambda figure: None, table)
    inside = [Heading(name), Paragraph(name, "bad", name), Bullets([name]), table, Code(name)]
    return [*inside, Formula(Equation((Symbol(name, name), Symbol("y"))), name), picture, Details(name, inside)]


def skeleton(page: Any) -> list[str]:
    """The elements that do not depend on what a name is (a number in an equation, the words of code)."""
    return [tag for tag, _ in page.elements if tag not in ("mi", "mn", "span")]


@settings(max_examples=30)
@given(name=st.text(st.characters(exclude_categories=()), min_size=1, max_size=12))
def test_a_name_is_only_ever_text(name: str, read_html: Read) -> None:
    page = read_html(render_page(everywhere(name), name))
    assert skeleton(page) == skeleton(read_html(render_page(everywhere("x"), "x")))
    assert page.open == []
    assert {a["class"] for _, a in page.elements if "class" in a} <= CLASSES
    assert visible(name) in ["", *page.within("td")]
    assert flowing(name) in ["", *page.within("h2")]


CLASSES = {
    *(
        "unbend",
        "sheet",
        "sheet with-contents",
        "sections",
        "table",
        "scroll",
        "note",
        "bad",
        "sign",
        "code",
        "formula",
    ),
    *(
        "equation",
        "source",
        "more",
        "numbers",
        "scroll picture",
        "matrix",
        "name",
        "number",
        "short",
        "long",
        "prose",
        "stacks",
    ),
    *("grade other", "grade exact", "grade measured", "grade proved"),
}


def test_hostile_names_stay_names(hostile: list[str], read_html: Read) -> None:
    for name in hostile:
        html = render_html(everywhere(name))
        assert "<script>alert" not in html
        assert "\x1b" not in html
        assert unescape(flowing(name)) in read_html(html).within("h2")


def test_a_fragment_has_its_own_styles_and_no_ids_of_headings(every_block: list[Block], read_html: Read) -> None:
    html = render_html(every_block)
    fragment = read_html(html)
    assert html.startswith('<div class="unbend">')
    assert not {"html", "head", "body", "main"} & {tag for tag, _ in fragment.elements}
    assert not [a for tag, a in fragment.elements if tag[0] == "h" and "id" in a]
    rules = re.sub(r"@media[^{]*\{", "", "".join(fragment.within("style"))).split("}")
    selectors = [s.strip() for rule in rules for s in rule.split("{")[0].split(",") if s.strip()]
    assert len(selectors) > 40
    assert [s for s in selectors if ".unbend" not in s] == []


@pytest.mark.parametrize(("tone", "word"), [("good", "fine"), ("warning", "careful"), ("bad", "problem")])
def test_a_tone_is_not_shown_by_colour_alone(tone: Any, word: str, read_html: Read) -> None:
    html = render_html([Paragraph("text", tone)])
    assert f'aria-label="{word}"' in html
    assert read_html(html).within("p")[0] in "✓!✗"
    assert render_text([Paragraph("text", tone)])[0] in "✓!✗"


@pytest.mark.parametrize(
    ("grade", "kind"),
    [
        ("exact", "exact"),
        ("proved on the range", "proved"),
        ("measured on held-out rows", "measured"),
        ("measured on these rows", "measured"),
        ("guessed", "other"),
    ],
)
def test_a_grade_is_a_labelled_chip(grade: str, kind: str) -> None:
    assert f'<span class="grade {kind}">{grade}</span>' in render_html([Paragraph("text", grade=grade)])
    assert render_text([Paragraph("text", grade=grade)]) == f"text [{grade}]\n"


def test_a_picture_has_its_numbers_folded_under_it(picture: Picture, read_html: Read) -> None:
    page = read_html(render_html([picture]))
    assert page.within("figcaption") == [picture.title, " ", picture.look_for]
    assert "−0.9589" in page.within("details")
    assert "… and 4 more rows (all of them in --json)" in page.within("details")


def test_two_pictures_alike_do_not_share_their_ids(picture: Picture, read_html: Read) -> None:
    ids = [a["id"] for _, a in read_html(render_html([picture, picture])).elements if "id" in a]
    assert len(ids) == len(set(ids)) >= 6


def test_code_keeps_its_spaces(read_html: Read) -> None:
    code = "a  --b\n    c\n\nd"
    assert "".join(read_html(render_html([Code(code)])).within("pre")) == code
