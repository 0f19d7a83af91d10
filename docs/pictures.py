"""Draws the README's picture: `python docs/pictures.py` writes docs/ladder.svg.

Three networks, one for each case of `unbend demo`, beside the regressions on the same held-out rows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unbend.compare import Comparison, compare
from unbend.demo import CASES, demo
from unbend.document import Picture
from unbend.document.palette import declarations
from unbend.document.picture import ACCENT, QUIET, SECOND, render_svg

HERE = Path(__file__).parent
RUNGS = ("linear", "quadratic", "network")
ANSWERS = {
    "diabetes": "Progression of diabetes:\na linear regression is enough",
    "nuclei": "Area of cell nuclei:\na quadratic is enough",
    "terrain": "Height of terrain:\nit needs the bends",
}
LOOK_FOR = "On the left the three rungs lie level; on the right only the network reaches the heights."


def main() -> None:
    """Run the three cases and draw what they answer."""
    with tempfile.TemporaryDirectory() as folder:
        answers = [judge(name, Path(folder, name)) for name in CASES]
    title = "What a network adds to a regression"
    picture = Picture(title, LOOK_FOR, lambda figure: draw(figure, answers), size=(9, 3))
    HERE.joinpath("ladder.svg").write_text(standalone(render_svg(picture)), encoding="utf-8")


def judge(name: str, folder: Path) -> Comparison:
    """The ladder of one case of the demo."""
    left = demo(name, folder)
    return compare(left.data, CASES[name].target, left.model, holdout_column="held_out")


def draw(figure: Figure, answers: Sequence[Comparison]) -> None:
    """One panel a case: R² on held-out rows, with its interval, for each rung."""
    panels = figure.subplots(1, len(answers), sharey=True)
    for axes, name, answer in zip(panels, CASES, answers, strict=True):
        draw_panel(axes, answer)
        axes.set_xlabel(ANSWERS[name])
    panels[0].set_ylabel("R² on held-out rows")


def draw_panel(axes: Axes, answer: Comparison) -> None:
    """The rungs of one case, the network in the second colour."""
    for place, name in enumerate(RUNGS):
        score = answer.score(name)
        colour = SECOND if name == "network" else ACCENT
        if score.interval is not None:
            axes.vlines(place, score.interval.low, score.interval.high, color=colour)
        axes.plot([place], [score.value], "D" if name == "network" else "o", color=colour)
        axes.annotate(f"{score.value:.3f}", (place, score.value), (9, 0), textcoords="offset points", va="center")
    axes.axhline(0, color=QUIET, linewidth=0.8)
    axes.set_xticks(range(len(RUNGS)), RUNGS)
    axes.set_xlim(-0.4, len(RUNGS) - 0.3)
    axes.set_ylim(0, 1.05)
    axes.grid(axis="x", visible=False)


def standalone(svg: str) -> str:
    """The picture of a page as a file of its own, light or dark with the reader's setting."""
    colours = f"svg{{{declarations('light')}font-family:sans-serif}}"
    dark = f"@media (prefers-color-scheme:dark){{svg{{{declarations('dark')}}}}}"
    opening = '<svg xmlns="http://www.w3.org/2000/svg"'
    start, rest = svg.replace("<svg", opening, 1).split(">", 1)
    return f"{start}><style>{colours}{dark}</style>{rest}\n"


if __name__ == "__main__":
    main()
