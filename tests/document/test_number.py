"""Numbers as people read them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbend.document import number


def value_of(text: str) -> float:
    return float(text.replace("\u202f", "").replace("−", "-").replace("∞", "inf"))


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0, 4, "0"),
        (-0.0, 4, "0"),
        (12.5, 4, "12.5"),
        (0.5, 2, "0.5"),
        (-0.01234, 4, "−0.01234"),
        (0.0001, 4, "0.0001"),
        (0.00009999, 4, "9.999e-05"),
        (0.000099999, 4, "0.0001"),
        (1e-12, 4, "1e-12"),
        (1.234e-7, 2, "1.2e-07"),
        (9999.6, 4, "10 000"),
        (9999.4, 4, "9 999"),
        (12345.678, 6, "12 345.7"),
        (1234567.0, 4, "1 234 567"),
        (1234567.8, 4, "1 234 568"),
        (-9_876_543_210, 4, "−9 876 543 210"),
        (10_000_000_000, 4, "1e+10"),
        (6.02214076e23, 4, "6.022e+23"),
        (4884, 2, "4 884"),
        (999, 1, "999"),
        (100, 4, "100"),
        (None, 4, "–"),
        (math.nan, 4, "–"),
        (math.inf, 4, "∞"),
        (-math.inf, 4, "−∞"),
        (True, 4, "yes"),
        (np.float64(12.5), 4, "12.5"),
        (np.float32(0.1), 4, "0.1"),
        (np.int64(12_340), 4, "12 340"),
        (np.bool_(False), 4, "no"),
    ],
)
def test_a_number_reads_as_people_write_it(value: float | None, digits: int, text: str) -> None:
    assert number(value, digits) == text.replace(" ", "\u202f")


@given(st.floats(-1e307, 1e307), st.integers(1, 8))
def test_a_number_is_right_to_its_digits(value: float, digits: int) -> None:
    shown = value_of(number(value, digits))
    assert math.isclose(shown, value, rel_tol=0.5 * 10.0 ** (1 - digits) * (1 + 1e-9), abs_tol=5e-324)
    assert math.copysign(1, shown) == math.copysign(1, value) or value == 0


@given(st.floats() | st.integers(-(10**300), 10**300), st.integers(1, 7))
def test_no_number_is_long(value: float, digits: int) -> None:
    assert len(number(value, digits)) <= 14


@given(st.integers(-(10**10) + 1, 10**10 - 1), st.integers(1, 8))
def test_a_count_keeps_all_its_digits(value: int, digits: int) -> None:
    assert int(number(value, digits).replace("\u202f", "").replace("−", "-")) == value
