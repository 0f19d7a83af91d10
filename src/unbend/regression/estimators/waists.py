"""What each width of a waist costs a linear network, in words and a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unbend.document import Block, Bullets, Cell, Column, Heading, Paragraph, Table, number
from unbend.result import Result


@dataclass(frozen=True)
class Trained:
    """A trained network beside the optimum of its waist: its loss, by what share that is above the least, and the root
    mean square of the difference of the predictions."""

    loss: float
    excess: float
    distance: float


@dataclass(frozen=True, eq=False)
class Waists(Result):
    """The least loss of linear networks by the width of their waist.

    Attributes
    ----------
    n, p, q : rows, columns, targets
    rank : the waist that was asked for
    losses : (m + 1,) least sum of squared residuals, over all targets, with a waist of 0, 1, … m units
    r2 : (m + 1,) share of the sum of squares about the means that each explains
    unique : whether the optimum of `rank` is the only one
    trained : a network that was given, None without
    """

    verb: ClassVar[str] = "fit"

    n: int
    p: int
    q: int
    rank: int
    losses: np.ndarray
    r2: np.ndarray
    unique: bool
    trained: Trained | None

    def document(self) -> list[Block]:
        """Heading, the waist that was asked for, the table of all widths, and the network."""
        rows = f"{number(self.n)} rows, {_count(self.p, 'column')}, {_count(self.q, 'target')}."
        about = (
            f"{rows} The loss of a width is the least of any linear network whose narrowest layer has so many units."
        )
        return [
            Heading("Linear networks by the width of their waist", 1),
            Paragraph(about, grade="measured on these rows"),
            Paragraph(self._plain_words(), tone="strong"),
            self._table(),
            Bullets(self._notes()),
        ]

    def _plain_words(self) -> str:
        share, most = (number(100 * self.r2[k], 4) for k in (self.rank, -1))
        text = f"A waist of {_count(self.rank, 'unit')} explains {share} % of the variance of the targets"
        if self.rank == len(self.losses) - 1:
            return f"{text}, as much as any linear network: it is no waist."
        return f"{text}; a network without one {most} %."

    def _table(self) -> Table:
        whole = self.r2[-1] if self.r2[-1] > 0 else np.nan
        cells: list[list[Cell]] = [
            [k, float(loss), float(r2), float(100 * r2 / whole)]
            for k, (loss, r2) in enumerate(zip(self.losses, self.r2, strict=True))
        ]
        columns = [Column("units"), Column("sum of squares"), Column("R²"), Column("% of the best", digits=4)]
        return Table(columns, cells, title="Least loss of every width")

    def _notes(self) -> list[str]:
        notes = ["Sums of squares are over all targets in their units: standardise targets that differ in theirs."]
        if not self.unique:
            notes.append(f"There are several optima with a waist of {self.rank}: singular values are equal at the cut.")
        if self.trained is not None:
            notes.insert(0, self._of_network(self.trained))
        return notes

    def _of_network(self, trained: Trained) -> str:
        above = f"{number(100 * trained.excess, 3)} % above" if trained.excess > 1e-12 else "which is"
        return (
            f"The network's loss is {number(trained.loss)}, {above} the least of its waist of {self.rank}; its "
            f"predictions are {number(trained.distance, 3)} away from the optimum's (root mean square)."
        )


def _count(many: int, what: str) -> str:
    return f"{many} {what}" if many == 1 else f"{many} {what}s"
