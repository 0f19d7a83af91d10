"""Numbers in two parts against exact fractions."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbend.exact import Double, two_prod, two_sum

UNIT = Fraction(1, 2**53)
numbers = st.floats(allow_nan=False, allow_infinity=False).filter(lambda a: a == 0 or 1e-100 < abs(a) < 1e100)
wide = (
    st.tuples(numbers, numbers).map(lambda parts: two_sum(parts[0], parts[1] * 1e-17)).map(lambda parts: Double(*parts))
)


def value(number: Double) -> Fraction:
    return number.fractions().item()


def close(number: Double, exact: Fraction, units: int) -> bool:
    return abs(value(number) - exact) <= units * UNIT**2 * abs(exact)


@given(numbers, numbers)
def test_a_sum_and_a_product_lose_nothing(a: float, b: float) -> None:
    for (high, low), exact in ((two_sum(a, b), Fraction(a) + Fraction(b)), (two_prod(a, b), Fraction(a) * Fraction(b))):
        assert float(high) == float(exact)
        assert Fraction(float(high)) + Fraction(float(low)) == exact


@pytest.mark.parametrize(("a", "b"), [(1.7e308, 1.0), (2.0**1000 * 1.1, 0.7), (1.3, -(2.0**1010) / 3)])
def test_a_product_of_a_large_number_loses_nothing(a: float, b: float) -> None:
    high, low = two_prod(a, b)
    assert Fraction(float(high)) + Fraction(float(low)) == Fraction(a) * Fraction(b)


@given(wide, wide)
def test_arithmetic_is_right_to_106_bits(a: Double, b: Double) -> None:
    x, y = value(a), value(b)
    assert close(a + b, x + y, 3)
    assert close(a - b, x - y, 3)
    assert close(a * b, x * y, 6)
    assert value(-a) == -x
    assert value(abs(a)) == abs(x)
    if y:
        assert close(a / b, x / y, 12)


@given(wide)
def test_plain_numbers_on_either_side(a: Double) -> None:
    x = value(a)
    assert close(3.0 - a, 3 - x, 3)
    assert close(np.float64(3.0) * a, 3 * x, 6)
    assert close(1.0 + a, 1 + x, 3)
    if x:
        assert close(1.0 / a, 1 / x, 12)


@given(wide.map(abs))
def test_square_root(a: Double) -> None:
    with mpmath.workdps(60):
        exact = mpmath.sqrt(mpmath.mpf(value(a).numerator) / value(a).denominator)
        found = a.sqrt()
        assert abs(mpmath.mpf(float(found.hi)) + mpmath.mpf(float(found.lo)) - exact) <= exact * 2.0**-100


@given(st.lists(wide, max_size=40))
def test_a_sum_is_right_against_the_sum_of_sizes(parts: list[Double]) -> None:
    exact = [value(part) for part in parts]
    total = Double.stack(parts).sum() if parts else Double.zeros(0).sum()
    assert abs(value(total) - sum(exact)) <= 100 * UNIT**2 * sum(map(abs, exact))


def test_sums_of_tables_and_their_parts() -> None:
    table = Double.of(np.arange(12.0).reshape(3, 4)) / 3
    np.testing.assert_array_equal(table.sum(axis=1).to_float(), np.arange(12.0).reshape(3, 4).sum(axis=1) / 3)
    np.testing.assert_array_equal(table.T.sum(axis=1).hi, table.sum(axis=0).hi)
    assert table[1].shape == (4,)
    assert table.reshape(2, 6).shape == (2, 6)
    assert len(table) == 3


def test_whole_numbers_of_64_bits_are_exact() -> None:
    whole = [2**63 - 1, -(2**63), 2**53 + 1, 0]
    assert [int(one) for one in Double.of(np.array(whole)).fractions()] == whole
    assert value(Double.of(np.uint64(2**64 - 1))) == 2**64 - 1


@given(st.fractions().filter(lambda a: a == 0 or 1e-250 < abs(a) < 1e250))
def test_fractions_are_rounded(exact: Fraction) -> None:
    number = Double.from_fractions(exact)
    assert close(number, exact, 1)
    assert float(number.hi) == float(exact)
    assert Double.from_fractions([exact, 1]).shape == (2,)
    assert Double.from_fractions([]).shape == (0,)
