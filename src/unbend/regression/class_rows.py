"""What a logistic fit says of single rows: the class, and the probability of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from unbend.data import Source
from unbend.regression.new_rows import coded

if TYPE_CHECKING:
    from unbend.regression.logistic_fit import LogisticFit


def class_rows(fit: LogisticFit, source: Source) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The columns of `LogisticFit.augment`, and the rows block by block."""
    shares = [(f"probability of {name}", pa.float64()) for name in fit.classes]
    schema = pa.schema([("row", pa.int64()), ("prediction", pa.string()), *shares])
    return schema, _batches(fit, source, schema)


def likeliest(classes: tuple[str, ...], probabilities: np.ndarray) -> np.ndarray:
    """The name of the likeliest class of each row (n, K), None where they are not known; (n,) objects."""
    known = ~np.isnan(probabilities).any(axis=1)
    found = np.full(len(probabilities), None, dtype=object)
    found[known] = np.array(classes, dtype=object)[probabilities[known].argmax(axis=1)]
    return found


def _batches(fit: LogisticFit, source: Source, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for start, _, x in coded(fit.coding, source):
        probabilities = fit.predict_proba(x)
        columns = [np.arange(start, start + len(x)), likeliest(fit.classes, probabilities), *probabilities.T]
        arrays = [pa.array(one, kind.type, from_pandas=True) for one, kind in zip(columns, schema, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
