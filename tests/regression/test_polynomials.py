"""Powers and products: any degree, in the columns' own units, as accurate as rational arithmetic."""

from fractions import Fraction
from itertools import combinations_with_replacement
from math import prod

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unbend import PolynomialRegression, fit
from unbend.errors import UsageError
from unbend.exact import Double
from unbend.regression import quadratic
from unbend.regression.polynomial import polynomial


def monomials(x: np.ndarray, degree: int) -> list[list[Fraction]]:
    """Exact rows, in the order in which the names are."""
    p = x.shape[1]
    chosen = [one for size in range(1, degree + 1) for one in combinations_with_replacement(range(p), size)]
    return [[prod((Fraction(row[j]) for j in one), start=Fraction(1)) for one in chosen] for row in x.tolist()]


@pytest.mark.parametrize("degree", [2, 5, 10])
def test_years_have_all_their_digits(nist, degree: int) -> None:
    """Powers of 1950 to 2020 are alike to 1e-23; those of the years about 1985 are not."""
    years = np.arange(1950.0, 2021.0)
    y = np.round(100 * np.sin(years / 9), 3)
    result = fit(pa.table({"year": years, "y": y}), "y", degree=degree)
    truth = nist.exact(monomials(years[:, None], degree), y)
    assert result.degree == degree
    assert result.condition < 1e4
    assert nist.digits(np.array([result.intercept, *result.coef]), truth.estimates) >= 15
    assert nist.digits(result.se, truth.errors[1:]) >= 15
    assert nist.digits(result.sigma, truth.sigma) >= 15
    assert {row.digits for row in result.coefficients} == {15}
    residual = y - result.predict(years[:, None])
    assert np.square(residual).sum() == pytest.approx(result.rss, rel=1e-12)


@given(st.integers(0, 10**6), st.booleans(), st.floats(0, 4))
@settings(max_examples=10)
def test_two_columns_up_to_degree_three(nist, seed: int, intercept: bool, far: float) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(25, 2)) + 10.0**far * rng.normal(size=2)
    y = rng.normal(size=25)
    model = PolynomialRegression(3, fit_intercept=intercept).fit(x, y)
    truth = nist.exact(monomials(x, 3), y, intercept=intercept)
    told = np.array([*([model.intercept_] if intercept else []), *model.coef_])
    errors = np.array([row.se for row in model.inference().coefficients])
    if intercept:
        assert nist.digits(told, truth.estimates) >= 15
        assert nist.digits(errors, truth.errors) >= 15
    else:
        for value, estimate, error, digits in zip(
            told, truth.estimates, truth.errors, [row.digits for row in model.inference().coefficients[1:]], strict=True
        ):
            assert abs(value - estimate) <= 10.0**-digits * max(abs(estimate), error)


def test_robust_errors_are_those_of_the_plain_powers() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(3, 1, size=200)
    frame = pd.DataFrame({"x": x, "y": x**3 + rng.normal(size=200) * x})
    powers = pd.DataFrame({"x": x, "x2": x**2, "x3": x**3, "y": frame["y"]})
    for kind in ("classical", "HC1", "HC3"):
        one, other = fit(frame, "y", degree=3, covariance=kind), fit(powers, "y", covariance=kind)
        np.testing.assert_allclose(one.se, other.se, rtol=1e-8)
        np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-7)
        assert one.f == pytest.approx(other.f, rel=1e-8)
        a, b = one.predict_interval(x[:5, None]), other.predict_interval(powers.to_numpy()[:5, :3])
        np.testing.assert_allclose(a.mean_low, b.mean_low, rtol=1e-9)


def test_names_and_what_is_left_out() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {"a": rng.normal(10, 1, 90), "two": rng.choice([1.0, 2.0], 90), "kind": rng.choice([*"uvw"], 90)}
    )
    frame["y"] = rng.normal(size=90)
    result = fit(frame, "y", degree=3)
    assert result.names[:4] == ("a", "two", "kind=v", "kind=w")
    assert "a³" in result.names
    assert "a²·two" in result.names
    assert not any(name in result.names for name in ("two²", "kind=v·kind=w", "a·kind=v·kind=w", "kind=v²"))
    assert (np.isfinite(result.se)).all()


def test_relations_are_told_in_the_columns_own_units() -> None:
    rng = np.random.default_rng(2)
    three = rng.choice([-10.0, 20.0, 50.0], 60)
    model = PolynomialRegression(3).fit(three[:, None], three + rng.normal(size=60))
    assert model.dropped_ == ("x0³ = −300 x0 + 60 x0² − 10\u202f000",)
    assert model.coef_[2] == 0


def test_degree_two_is_the_quadratic() -> None:
    names = ("a", "b", "c")
    both = polynomial(names, 2), quadratic(names)
    assert both[0].names == both[1].names
    x = np.random.default_rng(3).normal(size=(6, 3))
    np.testing.assert_allclose(both[0].expand(x), both[1].expand(x), rtol=1e-15)


@given(st.integers(1, 3), st.integers(1, 4), st.integers(0, 10**6))
@settings(max_examples=20)
def test_coefficients_find_their_way_back(p: int, degree: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    terms = polynomial([f"x{j}" for j in range(p)], degree)
    x = rng.normal(size=(4, p)) * 10 + 100 * rng.normal(size=p)
    centred = terms.centred_on(x)
    found = rng.normal(size=len(terms.names) + 1)
    back = centred.coefficients(Double.of(found)).fractions()
    moved = [
        [(Fraction(v) - Fraction(c)) / Fraction(u) for v, c, u in zip(row, centred.centre, centred.unit, strict=True)]
        for row in x.tolist()
    ]
    for row, there in zip(monomials(x, degree), moved, strict=True):
        order = [tuple(powers) for powers in terms.powers.tolist()]
        here = sum(b * v for b, v in zip(back, [1, *row], strict=True))
        other = Fraction(found[0]) + sum(
            Fraction(b) * prod((t**k for t, k in zip(there, powers, strict=True)), start=Fraction(1))
            for b, powers in zip(found[1:], order, strict=True)
        )
        size = sum(abs(Fraction(b) * v) for b, v in zip(back, [1, *row], strict=True))
        assert abs(here - other) <= Fraction(1, 2**100) * size
    np.testing.assert_allclose(centred.back @ found, [float(value) for value in back], rtol=1e-6, atol=1e-9)


def test_too_many() -> None:
    with pytest.raises(UsageError, match="more than 3000"):
        polynomial([f"x{j}" for j in range(40)], 4)
