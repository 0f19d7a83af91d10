"""Rows that were not fitted, from any source, in the columns of a fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from unbend.data import Coding, Source
from unbend.data.columns import kind_of
from unbend.data.source import block_rows, with_types
from unbend.data.table import refuse_lacking
from unbend.errors import DataError

T = TypeVar("T")


def of_each_block(coding: Coding, data: Any, answer: Callable[[np.ndarray, pa.RecordBatch | None], T]) -> list[T]:
    """`answer` of the coded columns (n, p) of every block of some rows, NaN where a value is missing, and of the rows.

    Parameters
    ----------
    coding : of the rows that were fitted
    data : what `fit` reads: a path, a folder, a glob, a frame, a `Source`; or coded columns (n, p), which are one block
        without rows

    Raises
    ------
    DataError
        If a column is not there or of another kind, or a category has a level that the fitted rows did not have.
    """
    if isinstance(data, np.ndarray):
        return [answer(_refuse_another_width(data, len(coding.terms)), None)]
    return with_types(data, lambda source: [answer(x, batch) for _, batch, x in coded(coding, source)])


def coded(coding: Coding, source: Source) -> Iterator[tuple[int, pa.RecordBatch, np.ndarray]]:
    """The number of the first row, the rows as they are, and their coded columns (n, p), block by block."""
    refuse_lacking(source, coding.columns)
    _refuse_other_kinds(coding, source)
    start = 0
    for batch in source.batches(block_rows(max(len(coding.terms), len(source.schema)))):
        yield start, batch, coding.encode(batch, start)
        start += batch.num_rows


def _refuse_other_kinds(coding: Coding, source: Source) -> None:
    numbers = {term.column for term in coding.terms if term.level is None} & set(source.schema.names)
    for name in sorted(numbers):
        if kind_of(source.schema.field(name).type) not in ("number", "boolean", "empty"):
            raise DataError(
                f"{name} held numbers where it was fitted, but not in {source.name}",
                where=f"column {name} is {source.schema.field(name).type}",
                try_="give a table with the same kind of values in each column",
            )


def _refuse_another_width(x: np.ndarray, width: int) -> np.ndarray:
    if x.ndim != 2 or x.shape[1] != width:
        raise DataError(
            f"coded rows have {width} columns each; this array has the shape {x.shape}",
            try_="give rows (n, columns) as the fit's coding makes them, or a frame or a file with the raw columns",
        )
    return x
