"""Text from files that nobody has looked at."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbend.document.text import cells, elided, flowing, spelled, verbatim, visible, wrapped

ANY = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("age", "age"),
        ("Größe, 大きさ, 👩‍👧", "Größe, 大きさ, 👩‍👧"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\tb\nc\r", "a\\tb\\nc\\r"),
        ("\u202eevil", "\\u202eevil"),
        ("\ud800", "\\ud800"),
        ("\x00\x7f\x9b", "\\x00\\x7f\\x9b"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("12\u202f340", "12\u202f340"),
        ("\uffff", "\\uffff"),
    ],
)
def test_what_would_be_obeyed_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(ANY)
def test_visible_text_can_only_be_read(text: str) -> None:
    shown = visible(text)
    assert not {unicodedata.category(c) for c in shown if c not in "\u200c\u200d"} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")
    assert visible(shown) == shown


@given(ANY, st.sampled_from(["ascii", "latin-1", "cp1252", "cp437", "utf-8", "no-such-encoding"]))
def test_spelled_text_can_be_printed(text: str, encoding: str) -> None:
    shown = spelled(visible(text), encoding).translate({0x202F: " ", 0xA0: " ", 0x2007: " "})
    shown.encode("ascii" if encoding.startswith("no-such") else encoding)


def test_what_has_a_plain_spelling_gets_it() -> None:
    assert spelled("−1 ≤ x² → ∞ … “é” ✓", "ascii") == '-1 <= x^2 -> inf ... "e" +'
    assert spelled("é – x²", "cp1252") == "é – x²"


def test_running_text_has_single_spaces_and_keeps_a_percent_sign_at_its_number() -> None:
    assert flowing("  98.3 %  of\n what \tit does ") == "98.3\u00a0% of what it does"


def test_verbatim_text_keeps_its_lines() -> None:
    assert verbatim("a\n\tb\x07\r\n") == ["a", "    b\\x07"]


@given(st.text(max_size=60), st.integers(4, 30))
def test_an_elided_name_fits_and_keeps_its_ends(text: str, width: int) -> None:
    text = visible(text)
    shown = elided(text, width)
    assert cells(shown) <= width
    assert shown == text or "…" in shown


@given(st.text(max_size=120), st.integers(4, 40))
def test_wrapping_loses_nothing_but_spaces_at_line_ends(text: str, width: int) -> None:
    text = flowing(text)
    lines = wrapped(text, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(cells(line) <= width or len(line) == 1 for line in lines)


def test_a_level_is_kept_whole_where_there_is_room() -> None:
    assert elided("ShelveLoc=Medium", 12) == "Sh…oc=Medium"
    assert elided("a_long_name=a_very_long_level", 12) == "a_long…level"
    assert elided("=a_very_long_level", 9) == "=a_v…evel"
