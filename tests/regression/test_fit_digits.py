"""Which way a fit takes, what it promises, and what it finds collinear."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unbend.errors import DataError
from unbend.regression import Moments, fit, ordinary
from unbend.regression.rank import relations
from unbend.regression.triangle import RowFactor, triangle_of


def table(x: np.ndarray, y: np.ndarray, names: str) -> pa.Table:
    return pa.table({name: x[:, j] for j, name in enumerate(names.split())} | {"y": y})


def spread_of(condition: float, n: int, p: int, rng: np.random.Generator) -> np.ndarray:
    """Columns with about this condition number."""
    left, _ = np.linalg.qr(rng.normal(size=(n, p)))
    right, _ = np.linalg.qr(rng.normal(size=(p, p)))
    return left * np.geomspace(1, 1 / condition, p) @ right


@pytest.mark.parametrize(
    ("condition", "method"),
    [
        (3.0, "Cholesky factor of shifted moments, then one reading with residuals to 32 digits"),
        (3e3, "Cholesky factor of shifted moments, then 2 readings with residuals to 32 digits"),
        (1e9, "QR of the rows in blocks, then 2 readings with residuals to 32 digits"),
    ],
)
def test_method_follows_the_condition_number(nist, condition: float, method: str) -> None:
    rng = np.random.default_rng(1)
    x = spread_of(condition, 40, 3, rng)
    y = x @ [1.0, 2.0, 3.0] + rng.normal(size=40) * 0.1
    result = fit(table(x, y, "a b c"), "y")
    truth = nist.exact(x, y)
    assert result.method == method
    assert condition / 5 < result.condition < condition * 20
    assert nist.digits(result.coef, truth.estimates[1:]) >= 15


@given(st.floats(0, 9), st.floats(-3, 3), st.floats(0, 1), st.integers(0, 10**6))
@settings(max_examples=25)
def test_promised_digits_are_kept(nist, condition: float, noise: float, mean: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = spread_of(10.0**condition, 12, 3, rng) + 10.0 ** (mean * (9 - condition)) * rng.normal(size=3)
    y = x @ rng.normal(size=3) + 10.0**noise * rng.normal(size=12)
    result = fit(table(x, y, "a b c"), "y")
    truth = nist.exact(x, y)
    least = 1e-8 * y.std() / np.array([1.0, *x.std(axis=0)])
    for row, *sizes in zip(result.coefficients, truth.estimates, truth.errors, least, strict=True):
        assert abs(row.estimate - sizes[0]) <= 10.0**-row.digits * np.max(np.abs(sizes))


@given(st.lists(st.integers(1, 39), max_size=5), st.integers(0, 99))
@settings(max_examples=25)
def test_row_factors_merge_in_any_blocks(cuts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(40, 4)) * [1, 1e6, 1e-6, 1] + [0, 1e9, 1, 5]
    moments = Moments.of(z)
    whole, parts = RowFactor(moments), RowFactor(moments)
    whole.see(z)
    for block in np.split(z, sorted(cuts)):
        part = RowFactor(moments)
        part.see(block)
        parts = parts + part
    a, b = ordinary(whole.triangle(), "abc"), ordinary(parts.triangle(), "abc")
    np.testing.assert_allclose(a.coef, b.coef, rtol=1e-11)
    assert a.rss == pytest.approx(b.rss, rel=1e-12)
    c = ordinary(moments, "abc")
    np.testing.assert_allclose(a.coef, c.coef, rtol=1e-9)


def test_coefficients_follow_shift_and_scale() -> None:
    rng = np.random.default_rng(4)
    x = np.round(rng.normal(size=(300, 3)) * 2**20) / 2**20
    y = x @ [1.0, 2.0, 3.0] + rng.normal(size=300)
    plain = fit(table(x, y, "a b c"), "y")
    moved = fit(table(x * [2.0**40, 2.0**-40, 1.0] + [0, 0, 2**26], y, "a b c"), "y")
    np.testing.assert_allclose(moved.coef * [2.0**40, 2.0**-40, 1.0], plain.coef, rtol=1e-13)
    np.testing.assert_allclose(moved.t, plain.t, rtol=1e-12)
    assert moved.rss == pytest.approx(plain.rss, rel=1e-13)


COLLINEAR = {
    "sum": (lambda a, b, c: a + b, "d = a + b"),
    "share": (lambda a, b, c: 1 - a - b, "d = −a − b + 1"),
    "unit": (lambda a, b, c: 1.8 * a + 32, "d = 1.8 a + 32"),
    "copy": (lambda a, b, c: c, "d = c"),
    "difference": (lambda a, b, c: c / 4 - 2 * a, "d = −2 a + 0.25 c"),
}


@pytest.mark.parametrize("case", COLLINEAR)
@pytest.mark.parametrize("mean", [0.0, 1e6])
def test_collinear_columns_are_named(case: str, mean: float) -> None:
    rng = np.random.default_rng(6)
    a, b, c = mean + rng.normal(size=(3, 90))
    make, sentence = COLLINEAR[case]
    with pytest.raises(DataError) as caught:
        fit(table(np.column_stack([a, b, c, make(a, b, c)]), rng.normal(size=90), "a b c d"), "y")
    assert caught.value.what == "the coefficients are not determined: one of the columns follows from the others"
    assert caught.value.where == sentence
    assert "--exclude d" in caught.value.try_


def test_many_collinear_columns() -> None:
    rng = np.random.default_rng(8)
    x = rng.normal(size=(60, 12))
    dependent = np.column_stack([x.sum(axis=1), x[:, 0] - x[:, 1]])
    names = " ".join([*(f"x{j}" for j in range(12)), "total", "gap"])
    result = fit(table(np.hstack([x, dependent]), rng.normal(size=60), names), "y", collinear="drop")
    assert result.dropped == (
        "total is a sum of multiples of 12 other columns: x0, x1, x2, x3, x4, …",
        "gap = x0 − x1",
    )
    assert result.df_resid == 60 - 13


def test_moments_alone_find_collinear_columns_in_a_fold() -> None:
    rng = np.random.default_rng(9)
    x = rng.normal(size=(8, 12))
    moments = Moments.of(np.column_stack([x, rng.normal(size=8)]))
    solution = ordinary(moments, [f"x{j}" for j in range(12)], collinear="drop")
    assert len(solution.dropped) == 5
    assert [relation.column for relation in relations(triangle_of(moments))] == [7, 8, 9, 10, 11]


def test_nearly_collinear_is_not_collinear(nist) -> None:
    rng = np.random.default_rng(10)
    a = rng.normal(size=200)
    x = np.column_stack([a, a + 1e-9 * rng.normal(size=200)])
    y = a + rng.normal(size=200)
    result = fit(table(x, y, "a b"), "y")
    assert result.method.startswith("QR of the rows in blocks, then")
    assert result.dropped == ()
    assert nist.digits(result.coef, nist.exact(x, y).estimates[1:]) >= 15


def test_exact_fit() -> None:
    x = np.arange(40.0).reshape(20, 2) ** 2
    result = fit(table(x, 3 * x[:, 0] - x[:, 1] + 7, "a b"), "y")
    np.testing.assert_allclose([result.intercept, *result.coef], [7, 3, -1], rtol=1e-10)
    assert result.r2 == pytest.approx(1, abs=1e-15)
    assert result.f_p == pytest.approx(0, abs=1e-100)
