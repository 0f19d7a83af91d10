"""Which bends do anything on these rows?"""

from __future__ import annotations

from matplotlib.figure import Figure

from unbend.bends import Bend, Bends
from unbend.bends.activity import bend_blocks
from unbend.document import Block, Paragraph, Picture, number
from unbend.report.answer import Answer
from unbend.report.sections import section

MOST_BARS = 24
"""Bends in the picture; the table beside it has all of them."""


@section(30, "Which bends do anything on these rows?")
def which(answer: Answer) -> list[Block]:
    """The table of bends and a picture of their units."""
    if answer.bends is None:
        return [Paragraph(f"Not asked: {answer.unasked.get('bends', 'the network could not be run')}.", "warning")]
    blocks = bend_blocks(answer.bends)
    sided = [bend for bend in answer.bends.bends if bend.both is not None and bend.units]
    return [*blocks, _picture(sided, left_out(answer.bends))] if sided else blocks


def left_out(found: Bends) -> str:
    """The sentence, after a space, that says which bends have no bar; nothing if all have one."""
    smooth = [bend.op_type for bend in found.bends if bend.both is None]
    if not smooth:
        return ""
    count = "1 bend" if len(smooth) == 1 else f"{number(len(smooth))} bends"
    return f" Not shown, since no sides of their units were counted: {count} ({', '.join(dict.fromkeys(smooth))})."


def _picture(found: list[Bend], also: str) -> Picture:
    shown = found[:MOST_BARS]

    def draw(figure: Figure) -> None:
        from unbend.document.picture import ACCENT, GRID, QUIET, literal

        axes = figure.subplots()
        names = [literal(bend.name) for bend in shown][::-1]
        start = [0.0] * len(shown)
        parts = (("switch", ACCENT, "both"), ("always on", QUIET, "always_on"), ("always off", GRID, "always_off"))
        for label, colour, key in parts:
            shares = [100 * (getattr(bend, key) or 0) / bend.units for bend in shown][::-1]
            axes.barh(names, shares, left=start, color=colour, label=label, height=0.6)
            start = [a + b for a, b in zip(start, shares, strict=True)]
        axes.set_xlim(0, 100)
        middle, tall = (len(shown) - 1) / 2, max(len(shown), 2) / 2
        axes.set_ylim(middle - tall, middle + tall)
        axes.set_xlabel("% of units")
        axes.grid(axis="y", visible=False)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.0 + 0.5 / max(len(shown), 2)), ncols=3)

    return Picture(
        title="What the units of each bend do",
        look_for="Of the bends shown, only the units that switch bend anything on these rows; their other units could "
        f"be written as part of a linear layer.{also}",
        draw=draw,
        size=(7.0, 1.3 + 0.32 * len(shown)),
    )
