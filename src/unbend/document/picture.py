"""Pictures in the house style, as SVG that stands inside the page and follows its light and dark.

To draw one, write a function that takes an empty matplotlib figure and draws with the colours of this module:

    def draw(figure):
        axes = figure.subplots()
        axes.scatter(fitted, residuals, color=ACCENT, **DOTS)
        axes.axhline(0, color=QUIET)
        axes.set_xlabel(literal(target))

INK, QUIET and GRID are for what surrounds the data, ACCENT for the data, SECOND for what it is compared with; GOOD,
WARNING and BAD only where a verdict is drawn. No titles: the caption stands above. At most 2,000 dots.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from hashlib import sha256
from io import StringIO
from typing import Any
from xml.etree import ElementTree

from cycler import cycler
from matplotlib import style
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from unbend.document.blocks import Picture
from unbend.document.palette import marker, themed
from unbend.document.text import elided, visible

PAPER = marker("paper")
INK = marker("ink")
QUIET = marker("quiet")
GRID = marker("grid")
ACCENT = marker("accent")
SECOND = marker("second")
GOOD = marker("good")
WARNING = marker("warning")
BAD = marker("bad")

DOTS: dict[str, Any] = {"s": 14, "alpha": 0.55, "linewidths": 0}
"""How a cloud of dots is drawn: `axes.scatter(x, y, color=ACCENT, **DOTS)`."""

HOUSE_STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": QUIET,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": QUIET,
    "axes.labelsize": 10.5,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": cycler(color=[ACCENT, SECOND, QUIET]),
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "none",
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "patch.linewidth": 0,
    "svg.fonttype": "none",
    "svg.hashsalt": "unbend",
    "text.color": INK,
    "xtick.color": QUIET,
    "xtick.labelcolor": INK,
    "xtick.major.size": 0,
    "ytick.color": QUIET,
    "ytick.labelcolor": INK,
    "ytick.major.size": 0,
}
"""Text stays text, so that the page's own font shows it and it can be read aloud and searched; matplotlib's own DejaVu
Sans, which is wider than most, measures it, on every machine alike."""

_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}(?![\de])")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def literal(text: str, width: int = 40) -> str:
    r"""`text` for a label, shown as it is: not read as mathematics, on one line, at most `width` characters.

    >>> literal("cost_$_in_$")
    'cost_\\$_in_\\$'
    """
    return elided(visible(text), width).replace("$", r"\$")


def render_svg(picture: Picture, unique: Callable[[str], str] = str) -> str:
    """The picture as an `<svg>` element for a page: themed, titled, with ids made from what it shows.

    The same picture gives the same bytes. `unique` may change the beginning of the ids, where a page has it already.
    """
    with style.context(HOUSE_STYLE, after_reset=True), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure = Figure(figsize=picture.size)
        picture.draw(figure)
        drawn = StringIO()
        FigureCanvasSVG(figure).print_svg(drawn, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = _NOT_XML.sub("", drawn.getvalue())
    name = "pic" + sha256((picture.title + svg).encode("utf-8", "replace")).hexdigest()[:8]
    return _for_page(ElementTree.fromstring(svg), picture, unique(name))


def _for_page(root: ElementTree.Element, picture: Picture, prefix: str) -> str:
    _drop(root)
    _rename(root, prefix)
    _shorten(root)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.attrib |= {
        "role": "img",
        "aria-labelledby": f"{prefix}t {prefix}d",
        "style": "stroke-linejoin:round",
    }
    for i, (tag, suffix, text) in enumerate([("title", "t", picture.title), ("desc", "d", picture.look_for)]):
        element = ElementTree.Element(f"{_SVG}{tag}", {"id": prefix + suffix})
        element.text = visible(text)
        root.insert(i, element)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
    return themed(ElementTree.tostring(root, encoding="unicode"))


def _drop(root: ElementTree.Element) -> None:
    """Take out what has no place inside a page: metadata, and a style that would hold for the whole page."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):
                parent.remove(child)


def _rename(root: ElementTree.Element, prefix: str) -> None:
    """Give what is referred to an id of this picture, take all other ids away, and let the page choose the font."""
    used: dict[str, str] = {}

    def new(match: re.Match[str]) -> str:
        return match[1] + used.setdefault(match[2], f"{prefix}-{len(used)}")

    for element in root.iter():
        if _HREF in element.attrib:
            element.set("href", re.sub("^(#)(.*)$", new, element.attrib.pop(_HREF)))
        for name, value in element.attrib.items():
            element.set(name, re.sub(r"(url\(#)([^)]*)", new, value))
        if "style" in element.attrib:
            element.set("style", re.sub(r"font-family: [^;]*;? ?", "", element.attrib["style"]))
    for element in root.iter():
        name = element.attrib.pop("id", None)
        if name in used:
            element.set("id", used[name])


def _shorten(root: ElementTree.Element) -> None:
    """Round coordinates to a hundredth of a point, and say once what all the dots of a cloud have in common."""
    for element in root.iter():
        for name in element.attrib.keys() & {"d", "x", "y", "points"}:
            element.set(name, _LONG_NUMBER.sub(lambda match: f"{float(match[0]):.2f}", element.attrib[name]))
        styles = {child.attrib.get("style") for child in element if child.tag == f"{_SVG}use"}
        if len(styles) == 1 and len(element) > 1 and all(child.tag == f"{_SVG}use" for child in element):
            for child in element:
                child.attrib.pop("style", None)
            element.set("style", styles.pop() or "")
