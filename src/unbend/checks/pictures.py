"""Three pictures: residuals against predictions, against the normal distribution, and in their order."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from unbend.checks.sample import Sample
from unbend.document import Column, Picture, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BANDS = 10


def pictures(sample: Sample, target: str, order: str | None) -> list[Picture]:
    """The pictures of one fit; the last only if the rows have an order."""
    shown = [against_fitted(sample, target), against_normal(sample)]
    return [*shown, in_order(sample, order)] if order is not None else shown


def against_fitted(sample: Sample, target: str) -> Picture:
    """Residuals over predictions."""
    look_for = f"The line should be flat and the cloud equally tall from left to right. {sample.drawn}"
    cloud = partial(_cloud, sample.fitted, sample.residual, "prediction of ", target)
    numbers = _band_table(sample.fitted, sample.residual, "prediction")
    return Picture("Residuals against predictions", look_for, cloud, numbers)


def in_order(sample: Sample, order: str) -> Picture:
    """Residuals in the order of the rows."""
    place = sample.positions.astype(float)
    look_for = f"Neighbouring residuals should have nothing to do with each other: no waves, no drift. {sample.drawn}"
    cloud = partial(_cloud, place, sample.residual, "row, by ", order)
    return Picture("Residuals in order", look_for, cloud, _band_table(place, sample.residual, "row"))


def against_normal(sample: Sample) -> Picture:
    """Studentised residuals over the quantiles of the normal distribution."""
    values = np.sort(sample.studentised)
    expected = ndtri((np.arange(len(values)) + 0.5) / len(values))

    def draw(figure: Figure) -> None:
        from unbend.document.picture import ACCENT, DOTS, QUIET

        axes = figure.subplots()
        ends = [expected[0], expected[-1]]
        axes.plot(ends, ends, color=QUIET, linewidth=1)
        axes.scatter(expected, values, color=ACCENT, **DOTS)
        axes.set_xlabel("normal distribution")
        axes.set_ylabel("studentised residual")

    shares = np.array([0.01, 0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975, 0.99])
    numbers = Table(
        (Column("share %", digits=3), Column("normal", digits=3), Column("residuals", digits=3)),
        [tuple(map(float, row)) for row in zip(100 * shares, ndtri(shares), np.quantile(values, shares), strict=True)],
        title="Quantiles of the studentised residuals",
    )
    look_for = "Normal errors lie along the line; ends above or below it are long tails or skewness."
    return Picture("Residuals against the normal distribution", f"{look_for} {sample.drawn}", draw, numbers)


def _cloud(place: np.ndarray, residual: np.ndarray, label: str, name: str, figure: Figure) -> None:
    """Residuals over their place, with the mean of each tenth."""
    from unbend.document.picture import ACCENT, DOTS, QUIET, SECOND, literal

    axes = figure.subplots()
    axes.axhline(0, color=QUIET, linewidth=1)
    axes.scatter(place, residual, color=ACCENT, **DOTS)
    centres, means, _ = _bands(place, residual)
    axes.plot(centres, means, color=SECOND, marker="o", markersize=4)
    axes.set_xlabel(label + literal(name))
    axes.set_ylabel("residual")


def _band_table(place: np.ndarray, residual: np.ndarray, name: str) -> Table:
    columns = (Column(name), Column("mean residual"), Column("standard deviation"))
    rows = [tuple(map(float, row)) for row in zip(*_bands(place, residual), strict=True)]
    return Table(columns, rows, title="Residuals from the first tenth to the last")


def _bands(place: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean place, mean and standard deviation of the value, in up to ten bands of equally many rows, (bands,)."""
    bands = np.array_split(np.argsort(place, kind="stable"), min(BANDS, len(place)))
    numbers = np.array([(place[band].mean(), value[band].mean(), value[band].std()) for band in bands])
    return numbers[:, 0], numbers[:, 1], numbers[:, 2]
