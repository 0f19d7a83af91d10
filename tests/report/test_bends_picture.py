"""The picture of bends: its sentence says what has a bar, and one bar is no block."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from matplotlib.figure import Figure

from unbend.bends import Bend, Bends
from unbend.bends.activity import summary
from unbend.report.bends import which


def bend(name: str, op: str = "Relu", both: int | None = 2) -> Bend:
    reach = "point" if both is None else "region"
    return Bend(name, op, reach, 4, both and 1, both and 1, both, -1.0, 1.0)


def picture(*found: Bend) -> Any:
    return which(SimpleNamespace(bends=Bends("m", "d", 40, found, ()), unasked={}))[-1]  # pyright: ignore[reportArgumentType]


def test_it_says_which_bends_have_no_bar():
    said = picture(bend("a"), bend("b", "Gelu", both=None), bend("c", "Gelu", both=None)).look_for
    assert said.startswith("Of the bends shown, only the units that switch")
    assert said.endswith(" Not shown, since no sides of their units were counted: 2 bends (Gelu).")
    assert "Not shown" not in picture(bend("a")).look_for


def test_one_bend_is_a_bar_and_not_a_block():
    figure = Figure()
    picture(bend("a")).draw(figure)
    axes = figure.axes[0]
    low, high = axes.get_ylim()
    assert axes.patches[0].get_height() / (high - low) < 0.4  # pyright: ignore[reportAttributeAccessIssue]


def test_one_bend_without_sides_is_one():
    said = summary(Bends("m", "d", 40, (bend("a"), bend("b", "Gelu", both=None)), ()))
    assert said.endswith(" 1 bend more has no two sides to count.")
