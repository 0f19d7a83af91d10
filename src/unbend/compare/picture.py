"""The picture of a comparison: a dot with its interval for every rung."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unbend.document import Column, Picture, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from unbend.compare.comparison import Comparison, Score

LEAST_R2 = -0.5
"""A rung with an R² below this is drawn at the edge, so that the others can be told apart."""


def picture(comparison: Comparison) -> Picture:
    """Scores and intervals, highest rung on top."""
    better = "further right" if comparison.unit == "R²" else "further left"
    far = [score.name for score in comparison.scores if (score.r2 or 0.0) < LEAST_R2]
    at_edge = f" Drawn at the edge, and far worse: {', '.join(far)}." if far else ""
    return Picture(
        title=_title(comparison),
        look_for=f"Does the network stand clearly {better} than the regressions? What decides is the intervals of the "
        f"steps, which compare row by row.{at_edge}",
        draw=lambda figure: _draw(figure, comparison),
        numbers=_numbers(comparison),
        size=(7.0, 0.9 + 0.45 * len(comparison.scores)),
    )


def _title(comparison: Comparison) -> str:
    if comparison.may_flatter:
        return f"The ladder on {comparison.n} rows; the network may have been trained on them"
    return f"The ladder on {comparison.n} held-out rows"


def _draw(figure: Figure, comparison: Comparison) -> None:
    from unbend.document.picture import ACCENT, QUIET, SECOND

    axes = figure.subplots()
    for height, score in enumerate(comparison.scores):
        colour = SECOND if score.name == "network" else ACCENT
        low, high = _ends(score)
        axes.plot([_inside(low, score), _inside(high, score)], [height, height], color=colour)
        axes.plot([_inside(score.value, score)], [height], "o", color=colour)
    axes.axvline(comparison.scores[0].value, color=QUIET, linewidth=0.8)
    axes.set_yticks(range(len(comparison.scores)), [score.name for score in comparison.scores])
    axes.set_ylim(-0.6, len(comparison.scores) - 0.4)
    rows = "these rows (held out from all rungs but the network)" if comparison.may_flatter else "held-out rows"
    axes.set_xlabel(f"R² on {rows}" if comparison.unit == "R²" else f"log-loss on {rows}, nats")


def _ends(score: Score) -> tuple[float, float]:
    if score.interval is None:
        return score.value, score.value
    return score.interval.low, score.interval.high


def _inside(value: float, score: Score) -> float:
    return value if score.r2 is None else max(value, LEAST_R2)


def _numbers(comparison: Comparison) -> Table:
    measure = "R²" if comparison.unit == "R²" else "log-loss"
    rows = [(score.name, score.value, *_ends(score)) for score in comparison.scores]
    return Table([Column("rung", "left"), Column(measure), Column("low"), Column("high")], rows)
