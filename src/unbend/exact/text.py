"""The text of decimals, such as "0.1", as numbers in two parts: what the text says, not the nearest float64."""

# Arrow makes these functions when it is imported, so a type checker cannot see them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any

import numpy as np
import pyarrow as pa

from unbend.errors import DataError
from unbend.exact.double import Double
from unbend.exact.error_free import two_prod

PLAIN = r"^[+-]?(\d+\.?\d*|\.\d+)$"
"""Decimals without an exponent."""
SHORT = 15
"""Of so many digits and signs the whole number that the digits make is a float64, and so is the power of ten."""


def decimals(text: pa.Array | pa.ChunkedArray | Sequence[str | None]) -> Double:
    """The numbers that decimal texts say, to about 32 digits; (n,), NaN where the text is missing.

    Blanks around a number are ignored; "nan" and "inf" are read as they are.

    Raises
    ------
    DataError
        If a text is not a decimal number.

    Examples
    --------
    >>> tenth = decimals(["0.1"])
    >>> tenth.hi.item(), tenth.lo.item()
    (0.1, -5.551115123125783e-18)
    """
    import pyarrow.compute as pc  # 9 MB, and only text needs it

    given = text if isinstance(text, pa.Array | pa.ChunkedArray) else pa.array(text, pa.string())
    column = pc.utf8_trim_whitespace(given.cast(pa.string()))
    plain = _filled(pc.match_substring_regex(column, PLAIN), False, bool)
    plain &= _filled(pc.utf8_length(column), 0, int) <= SHORT
    number = Double.zeros(len(column))
    number.hi[plain], number.lo[plain] = _of_plain(column.filter(pa.array(plain)))
    rest = np.flatnonzero(~plain)
    others = [_of_any(one) for one in column.take(pa.array(rest)).to_pylist()]
    number.hi[rest], number.lo[rest] = np.array(others).reshape(-1, 2).T
    return number


def _of_plain(column: Any) -> tuple[np.ndarray, np.ndarray]:
    """With d digits behind the point the number is m / 10ᵈ for a whole m, so what hi leaves is (m − 10ᵈ hi) / 10ᵈ."""
    import pyarrow.compute as pc

    hi = _filled(pc.cast(pc.utf8_rtrim(pc.utf8_ltrim(column, "+"), "."), pa.float64()), np.nan, float)
    point = _filled(pc.find_substring(column, "."), -1, int)
    behind = np.where(point < 0, 0, _filled(pc.utf8_length(column), 0, int) - point - 1)
    power = np.power(10.0, behind)
    product, error = two_prod(hi, power)
    whole = np.rint(product)
    return hi, ((whole - product) - error) / power


def _of_any(text: str | None) -> tuple[float, float]:
    """One number with any exponent and any number of digits."""
    if text is None:
        return float("nan"), 0.0
    try:
        exact = Decimal(text.replace("_", "?"))
    except InvalidOperation:
        raise DataError(f"{text} is not a decimal number") from None
    if not isfinite(float(exact)):
        return float(exact), 0.0
    number = Double.from_fractions(exact)
    return float(number.hi), float(number.lo)


def _filled(column: Any, value: Any, dtype: type) -> np.ndarray:
    import pyarrow.compute as pc

    return np.asarray(pc.fill_null(column, value).to_numpy(zero_copy_only=False), dtype=dtype)
