"""The regression that a network is at a row: what `near` returns, and how it reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unbend.document import Block, Cell, Column, Heading, Paragraph, Table, number
from unbend.findings import Grade
from unbend.result import Result

MOST_NAMED = 4


@dataclass(frozen=True)
class Coefficient:
    """One column of the local regression: its value at the row, its coefficient for each output, and the range of the
    column, alone, on which this regression is the network (None where that is not known, infinite where it has no
    end)."""

    name: str
    value: float
    weights: tuple[float, ...]
    low: float | None
    high: float | None


@dataclass(frozen=True)
class LocalRegression(Result):
    """The regression that a network is at a row.

    Attributes
    ----------
    name, data, row : the network, the table and the row's number
    outputs : names of the outputs
    coefficients : one a column
    intercept, prediction : one number for each output
    exact : whether the regression is the network on a whole piece around the row, not only tangent to it
    walls : how many units could switch
    bends : the nodes because of which it is not known how far it holds
    grade : `exact` where the network has no bend before these outputs, `proved on the range` where the coefficients
        say how far the regression is the network, else `exact at this row`
    what : what the outputs are
    notes : how the columns were matched
    """

    verb: ClassVar[str] = "near"

    name: str
    data: str
    row: int
    outputs: tuple[str, ...]
    coefficients: tuple[Coefficient, ...]
    intercept: tuple[float, ...]
    prediction: tuple[float, ...]
    exact: bool
    walls: int
    bends: tuple[str, ...]
    grade: Grade
    what: str
    notes: tuple[str, ...]

    @property
    def weight(self) -> np.ndarray:
        """W, (outputs, columns)."""
        return np.array([c.weights for c in self.coefficients]).T

    def document(self) -> list[Block]:
        """The answer and a row for each column."""
        return [
            Heading(f"{self.name} at row {self.row} of {self.data}", 1),
            Paragraph(sentence(self), "strong", self.grade),
            coefficients(self),
            *(Paragraph(note, "quiet") for note in self.notes),
        ]


def coefficients(found: LocalRegression) -> Table:
    """A row for each column: its value, its coefficients, and the range on which they hold where that is limited."""
    limited, several = found.grade == "proved on the range", len(found.outputs) > 1
    columns = [Column("column", "left"), Column("value")]
    columns += [Column(name) for name in found.outputs] if several else [Column("coefficient"), Column("contribution")]
    columns += [Column("holds from"), Column("to")] if limited else []
    rows = [_row(c, several, limited) for c in found.coefficients]
    intercept = found.intercept if several else (found.intercept[0], found.intercept[0])
    rows.append(("(intercept)", None, *intercept, *((None, None) if limited else ())))
    note = "Holds from … to: the range of this column, the others fixed, on which the network is this regression."
    return Table(columns, rows, note=note if limited else "")


def _row(c: Coefficient, several: bool, limited: bool) -> tuple[Cell, ...]:
    own = c.weights if several else (c.weights[0], c.weights[0] * c.value)
    return (c.name, c.value, *own, *((c.low, c.high) if limited else ()))


def sentence(found: LocalRegression) -> str:
    """What the regression is, and its prediction."""
    pairs = list(zip(found.outputs, found.prediction, strict=True))
    values = ", ".join(f"{name} = {number(value)}" for name, value in pairs[: MOST_NAMED + 1])
    if found.grade == "exact":
        return f"The network is this one linear regression everywhere ({found.what}): {values}."
    if found.grade == "proved on the range":
        return f"Near this row the network is this linear regression ({found.what}): {values}."
    if found.exact:
        near = f"Near this row the network is this linear regression ({found.what}): {values}."
        return f"{near} How far that holds is not known, because of {_named(found.bends)}."
    at = f"At this row this linear regression is tangent to the network ({found.what}): {values}."
    return f"{at} Away from it the network bends at {_named(found.bends)}."


def _named(bends: Sequence[str]) -> str:
    named = ", ".join(bends[:MOST_NAMED])
    return f"{named} and {len(bends) - MOST_NAMED} more" if len(bends) > MOST_NAMED else named
