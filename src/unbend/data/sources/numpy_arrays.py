"""NumPy arrays, and files of them: `.npy` with one, `.npz` with one a column or a matrix X (and y). Never pickles.

In an `.npz` a one-dimensional array is a column under its own name. The columns of a matrix `X` are named by a text
array `names`, `feature_names` or `columns` where there is one, else x0, x1, …; those of any other matrix `m` m0, m1, ….
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from unbend.data.columns import of_numpy
from unbend.data.source import BLOCK, Source, source, unreadable_as_data_error
from unbend.errors import DataError

NAME_ARRAYS = ("names", "feature_names", "columns")


@dataclass(frozen=True)
class Arrays:
    """Columns that are NumPy arrays of one length, in memory or memory-mapped."""

    name: str
    columns: Mapping[str, np.ndarray]
    schema: pa.Schema
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(next(iter(self.columns.values()), ()))

    @property
    def in_memory(self) -> bool:
        """Whether no column is mapped from a file."""
        return not any(isinstance(column, np.memmap) for column in self.columns.values())

    @classmethod
    def of(cls, name: str, columns: Mapping[str, np.ndarray], notes: tuple[str, ...] = ()) -> Arrays:
        """Columns whose kind Arrow knows."""
        with unreadable_as_data_error(name, "a table"):
            return cls(name, columns, _batch(columns, 0, 1).schema, notes)

    def batches(self, rows: int = BLOCK) -> Iterator[pa.RecordBatch]:
        """All rows, at most `rows` at a time."""
        for start in range(0, self.rows, rows):
            yield _batch(self.columns, start, start + rows)


def _batch(columns: Mapping[str, np.ndarray], start: int, stop: int) -> pa.RecordBatch:
    return pa.record_batch({name: _arrow(column[start:stop]) for name, column in columns.items()})


def _arrow(values: np.ndarray) -> pa.Array:
    if values.dtype.kind in "fiu" and values.dtype.itemsize <= 8:
        return of_numpy(values)
    return pa.array(np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("=")))


def _matrix_columns(matrix: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
    return {name: matrix[:, j] for j, name in enumerate(names)}


@source(suffixes=(".npy",))
def open_npy(path: Path) -> Source:
    """Map a matrix, a vector or an array of records into memory."""
    with unreadable_as_data_error(path.name, "a NumPy array"):
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    return _array(path.name, array)


@source(accepts=lambda data: isinstance(data, np.ndarray))
def open_array(data: np.ndarray) -> Source:
    """Take a matrix in memory, one row a case; its columns are x0, x1, …."""
    return _array("NumPy array", data)


def _array(name: str, array: np.ndarray) -> Source:
    if array.dtype.names is not None:
        return Arrays.of(name, {field: array[field] for field in array.dtype.names})
    if array.ndim == 0:
        raise DataError(
            f"{name} holds an array of shape {array.shape}, not a table",
            try_="give a matrix with one row a case and one column a variable",
        )
    matrix, notes = _flat("the array", array)
    return Arrays.of(name, _matrix_columns(matrix, [f"x{j}" for j in range(matrix.shape[1])]), notes)


def _flat(key: str, array: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """An array as a matrix with one row a case, and what was done to it: an image's pixels come row by row."""
    matrix = array.reshape(len(array), -1) if len(array) else array.reshape(0, math.prod(array.shape[1:]))
    if array.ndim <= 2:
        return matrix, ()
    shape = " × ".join(str(size) for size in array.shape[1:])
    return matrix, (
        f"Each row of {key} is {shape} numbers: they are {matrix.shape[1]} columns, the last axis fastest.",
    )


@source(suffixes=(".npz",))
def open_npz(path: Path) -> Source:
    """Read the arrays of an `.npz` file and name the columns."""
    with unreadable_as_data_error(path.name, "NumPy arrays"):
        if not zipfile.is_zipfile(path):
            raise ValueError("it is not a whole .npz file")
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    notes: tuple[str, ...] = ()
    for key in ("X", "x"):
        if key in arrays and arrays[key].ndim > 2:
            arrays[key], notes = _flat(key, arrays[key])
    return Arrays.of(path.name, _named_columns(path.name, arrays), notes)


def _named_columns(file: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    matrix = next((key for key in ("X", "x") if key in arrays and arrays[key].ndim == 2), None)
    given = next((key for key in NAME_ARRAYS if matrix and key in arrays and arrays[key].dtype.kind in "US"), None)
    columns: dict[str, np.ndarray] = {}
    for key, array in arrays.items():
        if key == given:
            continue
        for name, column in _columns_of(key, array, arrays[given] if given and key == matrix else None):
            if name in columns:
                raise DataError(f"two columns of {file} have the same name: {name}", try_="rename one of the arrays")
            columns[name] = column
    _same_length(file, columns, arrays)
    return columns


def _columns_of(key: str, array: np.ndarray, names: np.ndarray | None) -> list[tuple[str, np.ndarray]]:
    if array.ndim == 2 and array.shape[1] == 1 and key not in ("X", "x"):
        return [(key, array[:, 0])]
    if array.ndim != 2:
        return [(key, array)]
    texts = [f"{key.lower()}{j}" for j in range(array.shape[1])] if names is None else names.astype(str).tolist()
    if len(texts) != array.shape[1]:
        raise DataError(
            f"{key} has {array.shape[1]} columns but there are {len(texts)} names",
            try_="save one name for each column of the matrix",
        )
    return [(text, array[:, j]) for j, text in enumerate(texts)]


def _same_length(file: str, columns: Mapping[str, np.ndarray], arrays: Mapping[str, np.ndarray]) -> None:
    lengths = {len(column) if column.ndim == 1 else -1 for column in columns.values()}
    if len(lengths) > 1 or -1 in lengths:
        shapes = ", ".join(f"{key} {array.shape}" for key, array in arrays.items())
        raise DataError(
            f"the arrays of {file} do not make one table",
            where=f"their shapes are {shapes}",
            try_="save a matrix X with one row a case, and y; or one array of that length for each column",
        )
