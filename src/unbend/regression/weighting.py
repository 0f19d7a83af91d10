"""The column that rows are weighted by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from unbend.data import Rows, Source, Table
from unbend.data.columns import as_numbers, kind_of
from unbend.data.opening import refuse_unknown
from unbend.errors import DataError, UsageError
from unbend.regression.moments import Block

PRECISION = ": the variance of a row's noise is inversely proportional to it"
"""What weights of a linear regression are."""


@dataclass(frozen=True)
class Weights:
    """The column that rows are weighted by, and the mean of the weights of the rows that count."""

    column: str
    mean: float

    def shares(self, batch: pa.RecordBatch) -> np.ndarray | None:
        """The weights of rows over that mean, NaN where there is none; None if the rows do not have the column."""
        if self.column not in batch.schema.names:
            return None
        weights = weights_as_they_are(batch, self.column)
        return np.where(weights >= 0, weights, np.nan) / self.mean


def weighted(block: Block, rows: Rows, column: str) -> Block:
    """The rows of a block whose weight in a column is not 0, with their weights.

    Raises
    ------
    DataError
        If a weight is missing, negative or not finite.
    """
    weights = weights_of(rows, column)
    some = weights > 0
    whole = block._replace(weights=weights)
    return whole if some.all() else whole.part(some)


def weights_of(rows: Rows, column: str) -> np.ndarray:
    """The weights of rows, in a column of theirs; (n,).

    Raises
    ------
    DataError
        If a weight is missing, negative or not finite, or no number.
    """
    weights = weights_as_they_are(rows.batch, column)
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        at = int(np.argmax(wrong))
        what = "is missing" if np.isnan(weights[at]) else f"is {weights[at]:g}"
        raise DataError(
            f"a weight in {column} {what}",
            where=f"row {int(rows.index[at])} (the first row is 0)",
            try_="weights are numbers from 0; a row of weight 0 is left out",
        )
    return weights


def weights_as_they_are(batch: pa.RecordBatch, column: str) -> np.ndarray:
    """The same whatever the numbers are, NaN where one is missing."""
    values = batch.column(column)
    if kind_of(values.type) not in ("number", "boolean", "empty"):
        raise DataError(
            f"rows cannot be weighted by {column}: it holds no numbers",
            where=f"column {column} is {values.type}",
            try_="choose a column of numbers from 0: --weights NAME",
        )
    return as_numbers(values)


def refuse_weights(weights: str | None, target: str, source: Source) -> None:
    """Raise if the column of weights is the target, or is not there."""
    if weights is None:
        return
    if weights == target:
        raise UsageError(f"{target} is the target: rows cannot be weighted by it")
    refuse_unknown(source, [("--weights", weights)])


def no_weight(table: Table, weights: str) -> DataError:
    """The error for rows that all have weight 0."""
    return DataError(
        f"every row of {table.source.name} has weight 0",
        where=f"column {weights}, {table.n} complete rows",
        try_="choose another column: --weights NAME",
    )


def weighting(column: str, how: str, left_out: int) -> str:
    """The sentence on weighted rows: how they count, and how many of weight 0 there are."""
    rows = "row of weight 0 is" if left_out == 1 else "rows of weight 0 are"
    lost = f"; {left_out} {rows} left out" if left_out else ""
    return f"Rows are weighted by {column}{how}{lost}."
