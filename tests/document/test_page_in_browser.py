"""The page as a browser shows it: nothing sticks out, light and dark, on paper, and it asks for nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from unbend.document import Block, Column, Heading, Paragraph, Table, render_html, render_page

pytestmark = pytest.mark.browser

OVERFLOW = """[...document.querySelectorAll("main *, footer")]
    .filter(e => !e.closest(".scroll, svg, pre, math"))
    .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
    .map(e => e.outerHTML.slice(0, 80))"""
STYLE = """(style => JSON.stringify([...style].map(name => [name, style[name]])))
    (getComputedStyle(document.getElementById("mine")))"""


@pytest.fixture
def page(every_block: list[Block], hostile: list[str], tmp_path: Path) -> Path:
    names = Table([Column(hostile[0], "left"), *map(Column, "abcdefghij")], [[n, *range(10)] for n in hostile])
    unbroken = [Heading("W" * 200), Paragraph("/path/" + "x" * 300), names]
    file = tmp_path / "page.html"
    file.write_text(render_page([*every_block, *unbroken], "A page"), encoding="utf-8")
    return file


@pytest.mark.parametrize("width", [320, 360, 768, 1200, 1920])
def test_the_page_is_never_wider_than_its_window(browser: Any, page: Path, width: int) -> None:
    browser.open(page, width)
    assert browser.ask("document.documentElement.scrollWidth") == width
    assert browser.ask(OVERFLOW) == []


def test_wide_tables_scroll_in_their_own_box(browser: Any, page: Path) -> None:
    browser.open(page, 360)
    wider = "[...document.querySelectorAll('.table .scroll')].filter(e => e.scrollWidth > e.clientWidth).length"
    assert browser.ask(wider) >= 2


@pytest.mark.parametrize("width", [375, 400])
def test_a_picture_and_a_caption_fit_on_a_telephone(browser: Any, page: Path, width: int) -> None:
    browser.open(page, width)
    widths = "[...document.querySelectorAll('.picture svg, caption')].map(e => e.getBoundingClientRect().width)"
    assert browser.ask(f"Math.max(...{widths})") < width
    wide = "[...document.querySelectorAll('.picture')].filter(e => e.scrollWidth > e.clientWidth).length"
    assert browser.ask(wide) == 0


def test_a_table_of_sentences_is_read_downwards_where_it_is_narrow(browser: Any, page: Path) -> None:
    cell = "document.querySelector('td.prose').getBoundingClientRect().left"
    name = "document.querySelector('.stacks tbody th').getBoundingClientRect().left"
    browser.open(page, 360)
    assert browser.ask(cell) == browser.ask(name)
    browser.open(page, 1200)
    assert browser.ask(cell) > browser.ask(name)


def test_light_and_dark_differ_and_pictures_follow(browser: Any, page: Path) -> None:
    seen = []
    for dark in (False, True):
        browser.open(page, 1200, dark=dark)
        paper = browser.ask("getComputedStyle(document.body).backgroundColor")
        line = browser.ask("getComputedStyle(document.querySelector('figure svg path[style*=second]')).stroke")
        seen.append((paper, line, browser.screenshot()))
    assert seen[0][:2] == ("rgb(255, 254, 251)", "rgb(184, 86, 11)")
    assert seen[1][:2] == ("rgb(23, 25, 28)", "rgb(240, 163, 94)")
    assert seen[0][2] != seen[1][2]


def test_it_requests_nothing_and_nothing_is_refused(browser: Any, page: Path) -> None:
    browser.open(page, 1200)
    browser.requests.clear()
    browser.complaints.clear()
    browser.open(page, 1200)
    browser.ask("document.fonts.size")
    assert browser.requests == [page.as_uri()]
    assert browser.complaints == []


def test_what_is_folded_is_open_on_paper(browser: Any, page: Path) -> None:
    height = "document.querySelector('details.numbers table').getBoundingClientRect().height"
    seen = "document.querySelector('details.numbers td').checkVisibility({contentVisibilityAuto: true})"
    browser.open(page, 700)
    assert browser.ask(seen) is False
    browser.open(page, 700, dark=True, media="print")
    assert browser.ask(seen) is True
    assert browser.ask(height) > 100
    assert browser.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 254, 251)"


def test_numbers_line_up_on_the_point(browser: Any, tmp_path: Path) -> None:
    file = tmp_path / "points.html"
    file.write_text(render_page([Table([Column("x")], [(12.5,), (-0.125,), (3,), (104.25,)])], "x"), encoding="utf-8")
    browser.open(file, 800)
    point = """[...document.querySelectorAll("td")].map(cell => {
        const text = cell.firstChild, range = document.createRange(), at = text.data.search(/[.\\u2008]/);
        range.setStart(text, at); range.setEnd(text, at + 1);
        return range.getBoundingClientRect().left;
    })"""
    places = browser.ask(point)
    assert max(places) - min(places) < 1.5


def test_a_fragment_leaves_its_page_alone(browser: Any, every_block: list[Block], tmp_path: Path) -> None:
    file = tmp_path / "notebook.html"
    bare = "<!doctype html><meta charset=utf-8><body data-jp-theme-light='{}'><p id=mine>mine</p>{}"
    seen = []
    for html in ("", render_html(every_block)):
        file.write_text(bare.format("true", html), encoding="utf-8")
        browser.open(file, 900, dark=True)
        seen.append(browser.ask(STYLE))
    assert seen[0] == seen[1]
    assert browser.ask("getComputedStyle(document.querySelector('.unbend')).backgroundColor") == "rgb(255, 254, 251)"
