"""What a column holds, and its values as numbers, as text, or as missing or not: all use of Arrow's functions.

Between Arrow and NumPy only buffers change hands: `pa.array` and `to_numpy` import pandas where it is installed, which
takes half a second and 40 MB. Arrow's functions themselves take 40 ms and 9 MB, and float64 without gaps needs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from unbend.exact import Double, decimals

Kind = Literal["number", "boolean", "text", "time", "empty", "other"]


def _arrow() -> Any:
    """Arrow's functions, which it makes when they are imported, so that a type checker cannot see them."""
    import pyarrow.compute

    return pyarrow.compute


def kind_of(type_: pa.DataType) -> Kind:
    """What a column of this Arrow type is to a regression.

    >>> kind_of(pa.int8()), kind_of(pa.dictionary(pa.int8(), pa.string()))
    ('number', 'text')
    """
    types = pa.types
    if types.is_boolean(type_):
        return "boolean"
    if types.is_integer(type_) or types.is_floating(type_) or types.is_decimal(type_):
        return "number"
    if _is_text(type_) or types.is_dictionary(type_):
        return "text"
    if types.is_null(type_):
        return "empty"
    return "time" if types.is_temporal(type_) else "other"


def _is_text(type_: pa.DataType) -> bool:
    return pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_)


def as_numbers(column: pa.Array) -> np.ndarray:
    """Numbers or booleans as float64, NaN where missing; (n,). No copy is made where they are that already."""
    numbers = column if pa.types.is_float64(column.type) else _arrow().cast(column, pa.float64(), safe=False)
    return _view(_arrow().fill_null(numbers, np.nan) if numbers.null_count else numbers, np.float64)


def as_double(column: pa.Array) -> Double:
    """Numbers as they are written, where none is missing: text, decimals and whole numbers to about 32 digits; (n,)."""
    if pa.types.is_decimal(column.type) or _is_text(column.type):
        return decimals(_arrow().cast(column, pa.string()))
    if pa.types.is_int64(column.type) or pa.types.is_uint64(column.type):
        return Double.of(_view(column, np.int64 if pa.types.is_int64(column.type) else np.uint64))
    return Double.of(as_numbers(column))


def _view(column: pa.Array, dtype: Any) -> np.ndarray:
    """Numbers that all are there, where they lie; (n,)."""
    data = column.buffers()[1]
    if data is None or len(column) == 0:
        return np.empty(0, dtype)
    return np.frombuffer(data, dtype, len(column), column.offset * np.dtype(dtype).itemsize)


def _mask(column: pa.Array) -> np.ndarray:
    """Booleans that all are there; (n,) bool."""
    bits = np.frombuffer(column.buffers()[1] or b"", np.uint8)
    return np.unpackbits(bits, count=column.offset + len(column), bitorder="little")[column.offset :].astype(bool)


def as_text(column: pa.Array) -> pa.Array:
    """Any values as text: whole numbers without a point, booleans as `false` and `true`."""
    if pa.types.is_dictionary(column.type):
        return as_text(column.dictionary).take(column.indices)
    if pa.types.is_floating(column.type):
        column = _whole(column)
    return _arrow().cast(column, pa.string())


def _whole(column: pa.Array) -> pa.Array:
    try:
        return _arrow().cast(_arrow().if_else(_arrow().is_nan(column), None, column), pa.int64())
    except pa.ArrowInvalid:
        return column


def is_missing(column: pa.Array) -> np.ndarray:
    """Where a value is null or NaN; (n,) bool."""
    if column.null_count == 0:
        floating = pa.types.is_floating(column.type)
        return np.isnan(as_numbers(column)) if floating else np.zeros(len(column), dtype=bool)
    return _mask(_arrow().is_null(column, nan_is_null=True))


def of_numpy(values: np.ndarray) -> pa.Array:
    """Numbers or booleans (n,) as Arrow has them."""
    if values.dtype == bool:
        return pa.Array.from_buffers(
            pa.bool_(), len(values), [None, pa.py_buffer(np.packbits(values, bitorder="little"))]
        )
    values = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


def of_strings(values: Sequence[str]) -> pa.Array:
    """Texts as Arrow has them."""
    texts = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(texts), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(texts))])


def row_numbers(column: pa.Array) -> np.ndarray:
    """Whole numbers of 64 bits that all are there; (n,) int64."""
    return _view(column, np.int64)


def codes(texts: pa.Array, levels: Sequence[str]) -> np.ndarray:
    """The place of each text in `levels`, NaN where it is missing, −1 where it is none of them; (n,) float64."""
    places = _arrow().index_in(texts, value_set=of_strings(levels))
    return as_numbers(_arrow().if_else(_arrow().is_valid(texts), _arrow().fill_null(places, -1), None))


def distinct(texts: pa.Array) -> set[str]:
    """The different values."""
    return set(_arrow().unique(texts).to_pylist())


def matches(texts: pa.Array, pattern: str) -> np.ndarray:
    """Where a text is there and matches a regular expression (RE2's syntax); (n,) bool."""
    return _mask(_arrow().fill_null(_arrow().match_substring_regex(texts, pattern), False))


def trimmed(texts: pa.Array) -> pa.Array:
    """Without spaces before and after."""
    return _arrow().utf8_trim_whitespace(texts)


def ascending(values: pa.Array) -> bool:
    """Whether no value is smaller than the one before it."""
    return _arrow().all(_arrow().less_equal(values[:-1], values[1:])).as_py() is not False


def sorting(values: pa.Array) -> pa.Array:
    """The stable permutation that sorts the values."""
    return _arrow().sort_indices(values)


def first_place(texts: pa.Array, value: str) -> int:
    """Where `value` is first, −1 if it is nowhere."""
    return _arrow().index(texts, value).as_py()


def in_natural_order(levels: set[str]) -> tuple[str, ...]:
    """Levels sorted as numbers if all are numbers, else as text.

    >>> in_natural_order({"10", "9"}), in_natural_order({"10", "9", "b"})
    (('9', '10'), ('10', '9', 'b'))
    """
    try:
        return tuple(sorted(levels, key=lambda level: (float(level), level)))
    except ValueError:
        return tuple(sorted(levels))
