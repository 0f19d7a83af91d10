"""Pictures that stand inside a page."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from unbend.document import Picture
from unbend.document.palette import COLOURS
from unbend.document.picture import ACCENT, literal, render_svg


def draws(*labels: str) -> Picture:
    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [1, 0], color=ACCENT)
        for place, label in enumerate(labels):
            axes.text(0, place, label)

    return Picture("A title", "Look here.", draw)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter("text")]


def test_it_has_a_name_and_no_size(picture: Picture) -> None:
    root = ElementTree.fromstring(render_svg(picture))
    assert root.attrib["role"] == "img"
    assert root.attrib["viewBox"] == "0 0 504 230.4"
    assert not {"width", "height"} & root.attrib.keys()
    described = [root.find(f"*[@id='{name}']") for name in root.attrib["aria-labelledby"].split()]
    assert [element.text for element in described if element is not None] == [picture.title, picture.look_for]


def test_every_colour_follows_light_and_dark(picture: Picture) -> None:
    svg = render_svg(picture)
    assert set(re.findall(r"var\(--unbend-(\w+)\)", svg)) >= {"accent", "second", "ink", "quiet", "grid"}
    assert not re.findall(r"#[0-9a-f]{6}", svg)


def test_all_ids_belong_to_the_picture(picture: Picture) -> None:
    svg = render_svg(picture, lambda name: "mine")
    ids = re.findall(r'\bid="([^"]*)"', svg)
    assert len(ids) == len(set(ids))
    assert all(name.startswith("mine") for name in ids)
    assert set(re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', svg)) <= {(i, "") for i in ids} | {("", i) for i in ids}


def test_nothing_holds_beyond_the_picture(picture: Picture) -> None:
    svg = render_svg(picture)
    assert not re.search(r"<style|<metadata|font-family|https?:|xmlns", svg)


def test_the_same_picture_gives_the_same_bytes(picture: Picture) -> None:
    assert render_svg(picture) == render_svg(picture)
    assert render_svg(picture) != render_svg(replace(picture, title="Another"))


def test_the_bytes_do_not_depend_on_the_users_settings(picture: Picture) -> None:
    with mpl.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.facecolor": "red"}):
        styled = render_svg(picture)
        assert mpl.rcParams["font.size"] == 30
    assert styled == render_svg(picture)


@pytest.mark.parametrize(
    "label", ["cost_$_in_$", r"\$x\$", "$", "$$", r"\alpha", "<script>&\"'", "日本", "a\nb", "\x1b[0m", "]]>"]
)
def test_a_label_is_shown_as_it_is(label: str) -> None:
    from unbend.document.text import visible

    assert texts(render_svg(draws(literal(label))))[-1] == visible(label)


@settings(max_examples=25)
@given(st.text(st.characters(exclude_categories=()), min_size=1, max_size=20))
@example("$" * 5)
@example("\\" * 3 + "$a$")
def test_any_name_can_be_a_label(name: str) -> None:
    from unbend.document.text import visible

    shown = texts(render_svg(draws("first", literal(name))))
    assert shown[-1] in (visible(name), "first") or not name.strip()


def test_a_label_that_nobody_made_literal_does_no_harm() -> None:
    assert "\x1b" not in render_svg(draws("\x1b[31m<b>"))


def test_a_long_label_is_shortened() -> None:
    assert literal("x" * 100) == "x" * 20 + "…" + "x" * 19


def test_two_thousand_dots_are_not_a_large_picture() -> None:
    x = np.linspace(0, 1, 2000)
    dots = Picture("Dots", "", lambda figure: figure.subplots().scatter(x, x**2, color=ACCENT))
    svg = render_svg(dots)
    assert svg.count("<use ") >= 2000
    assert len(svg) < 150_000


def contrast(one: str, other: str) -> float:
    """The contrast of two colours as WCAG 2 defines it."""
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_colour_of_text_can_be_read(scheme: str) -> None:
    colours = {colour.name: getattr(colour, scheme) for colour in COLOURS}
    for name in ("ink", "quiet", "accent", "second", "good", "warning", "bad"):
        assert contrast(colours[name], colours["paper"]) >= 4.5
        assert contrast(colours[name], colours["raised"]) >= 4.3


def test_matplotlib_is_loaded_only_for_a_picture() -> None:
    program = (
        "import sys, unbend.document as d; d.render_text([d.Heading('x')]); d.render_page([d.Heading('x')], 'x');"
        "assert not {'matplotlib', 'numpy'} & sys.modules.keys()"
    )
    bare = "import sys, unbend.document; assert not {'rich', 'jinja2', 'markupsafe', 'numpy'} & sys.modules.keys()"
    for text in (program, bare):
        subprocess.run([sys.executable, "-c", text], check=True)
