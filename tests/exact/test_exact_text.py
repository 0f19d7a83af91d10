"""Decimal texts: what they say, to about 32 digits."""

from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbend.errors import DataError
from unbend.exact import decimals

signs = st.sampled_from(["", "-", "+"])
digits = st.text("0123456789", min_size=0, max_size=40)


@st.composite
def texts(draw: st.DrawFn) -> str:
    whole, part = draw(digits), draw(digits)
    point = draw(st.sampled_from(["", "."])) if not part else "."
    if not whole and not part:
        whole = "0"
    exponent = draw(st.sampled_from(["", "e5", "E-12", "e+3"]))
    return draw(signs) + whole + point + part + exponent


@given(st.lists(texts(), max_size=8))
def test_the_number_that_the_text_says(given_: list[str]) -> None:
    found = decimals(given_).fractions()
    for text, number in zip(given_, found, strict=True):
        exact = Fraction(text)
        assert float(number) == float(exact)
        assert abs(number - exact) <= abs(exact) * Fraction(1, 2**105)


@pytest.mark.parametrize("type_", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_arrow_texts_with_missing_values(type_: pa.DataType) -> None:
    found = decimals(pa.array([" 0.1 ", None, "1e400", "nan"], pa.string()).cast(type_))
    np.testing.assert_array_equal(found.hi, [0.1, np.nan, np.inf, np.nan])
    assert found.lo[0] == float(Fraction("0.1") - Fraction(0.1))


def test_chunks_and_nothing() -> None:
    assert decimals(pa.chunked_array([["1.5"], ["2.25", "3"]])).hi.tolist() == [1.5, 2.25, 3.0]
    assert decimals([]).shape == (0,)


@pytest.mark.parametrize("text", ["", "1,5", "one", "0x10", "--1", ".", "1_000"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="is not a decimal number"):
        decimals([text])
