"""The colours of pages and pictures: each has a role, and one value for light and one for dark.

A picture is drawn once, in marker colours; on the page these become CSS variables, so that it follows light and dark
with the text around it. One accent; the second colour tells a second series apart also for the colour-blind (blue and
orange). All text colours have a contrast of at least 4.5 to the paper.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Colour:
    """A role: the marker it is drawn in, and what it is on light and on dark paper."""

    name: str
    marker: str
    light: str
    dark: str

    @property
    def css(self) -> str:
        """The CSS variable that holds the colour."""
        return f"var(--unbend-{self.name})"


COLOURS = (
    Colour("paper", "#f0e0d1", "#fffefb", "#17191c"),
    Colour("raised", "#f0e0d2", "#f6f4ee", "#1f2226"),
    Colour("shade", "#f0e0d3", "#1c1d1f26", "#00000099"),
    Colour("ink", "#100e01", "#1c1d1f", "#e9e6df"),
    Colour("quiet", "#100e02", "#66645e", "#a09d96"),
    Colour("grid", "#100e03", "#e3dfd5", "#34373c"),
    Colour("accent", "#100e04", "#1d5c8f", "#84bdea"),
    Colour("second", "#100e05", "#b8560b", "#f0a35e"),
    Colour("good", "#100e06", "#2c6e49", "#86cfa3"),
    Colour("warning", "#100e07", "#8a5a00", "#e6b94f"),
    Colour("bad", "#100e08", "#a8281f", "#f4948b"),
)

_BY_MARKER = {colour.marker: colour for colour in COLOURS}
_ANY_MARKER = re.compile("|".join(_BY_MARKER))


def marker(name: str) -> str:
    """The colour to draw in where the page is to show the colour of that name."""
    return next(colour.marker for colour in COLOURS if colour.name == name)


def themed(text: str) -> str:
    """`text` (of an SVG) with the CSS variables in place of the marker colours."""
    return _ANY_MARKER.sub(lambda match: _BY_MARKER[match[0]].css, text)


def declarations(scheme: str) -> str:
    """The CSS declarations of all colours for "light" or "dark"."""
    values = (f"--unbend-{colour.name}:{getattr(colour, scheme)};" for colour in COLOURS)
    return f"color-scheme:{scheme};" + "".join(values)
