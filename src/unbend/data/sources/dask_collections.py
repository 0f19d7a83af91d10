"""Dask's DataFrames and Arrays: a partition is read where it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from unbend.data.distributed import Parts
from unbend.data.source import Source, open_source, refuse_same_names, source
from unbend.errors import DataError


def is_dask(data: Any) -> bool:
    """Whether `data` is a DataFrame, a Series or an Array of Dask; does not import Dask."""
    package = type(data).__module__.partition(".")[0]
    return package in ("dask", "dask_expr") and hasattr(data, "to_delayed")


@source(accepts=lambda data: is_dask(data) and hasattr(data, "columns"))
def open_dask_frame(data: Any) -> Source:
    """Take the partitions of a DataFrame; its index is not a column."""
    refuse_same_names("dask DataFrame", list(data.columns))
    return Parts("dask DataFrame", lambda: open_source(data._meta_nonempty).schema, tuple(data.to_delayed()))


@source(accepts=lambda data: is_dask(data) and not hasattr(data, "columns"))
def open_dask_array(data: Any) -> Source:
    """Take the blocks of rows of a matrix; its columns are x0, x1, …."""
    if data.ndim != 2:
        raise DataError(
            f"a dask Array of shape {data.shape} is not a table",
            try_="give a matrix with one row a case and one column a variable",
        )
    row = np.ones((1, data.shape[1]), dtype=data.dtype)
    return Parts("dask Array", lambda: open_source(row).schema, row_blocks(data))


def row_blocks(array: Any) -> tuple[Any, ...]:
    """Promises of the blocks of rows of an Array of one or two axes."""
    whole = array if array.ndim == 1 else array.rechunk({1: -1})
    return tuple(whole.to_delayed().ravel())


def is_dask_columns(data: Any) -> bool:
    """Whether `data` is a dict of Arrays of Dask."""
    return (
        isinstance(data, Mapping)
        and bool(data)
        and all(hasattr(one, "chunks") and is_dask(one) for one in data.values())
    )


@source(accepts=is_dask_columns)
def open_dask_columns(data: Mapping[str, Any]) -> Source:
    """Take a dict of Arrays: each a column under its name, or a matrix m whose columns are m0, m1, …"""
    from dask.delayed import delayed

    arrays = _of_the_same_rows(data)
    blocks = [row_blocks(array) for array in arrays.values()]
    parts = tuple(delayed(_columns)(tuple(arrays), list(rows)) for rows in zip(*blocks, strict=True))
    first = _columns(tuple(arrays), [np.ones((1, *array.shape[1:]), dtype=array.dtype) for array in arrays.values()])
    return Parts("dict of dask Arrays", lambda: pa.table(first).schema, parts)


def _of_the_same_rows(data: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays in blocks of the same rows."""
    rows = next(iter(data.values())).chunks[0]
    arrays = {str(name): array for name, array in data.items()}
    for name, array in arrays.items():
        known = not np.isnan(sum(array.chunks[0]) + sum(rows))
        if (known and sum(array.chunks[0]) != sum(rows)) or (not known and len(array.chunks[0]) != len(rows)):
            raise DataError(
                "the dask Arrays do not have the same rows",
                where=f"{name} has {array.shape[0]} in {len(array.chunks[0])} blocks",
                try_="give arrays of one length, each in the same blocks of rows",
            )
        if known and array.chunks[0] != rows:
            arrays[name] = array.rechunk({0: rows})
    return arrays


def _columns(names: tuple[str, ...], arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
    columns: dict[str, np.ndarray] = {}
    for name, array in zip(names, arrays, strict=True):
        flat = array.ndim == 1 or (array.shape[1] == 1 and name not in ("X", "x"))
        columns |= (
            {name: array.reshape(-1)} if flat else {f"{name.lower()}{j}": array[:, j] for j in range(array.shape[1])}
        )
    return columns
