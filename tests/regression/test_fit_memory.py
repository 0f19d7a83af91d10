"""What a fit of rows in memory takes besides them: their cross products, and a factor of these, then its inverse."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from scipy.linalg import solve_triangular
from sklearn.base import clone

from unbend import DeepLinearRidge, LinearRegression, PolynomialRegression, ReducedRankRegression, Ridge
from unbend.regression.moments import Moments
from unbend.regression.ordinary import ordinary_each, substituted
from unbend.regression.rank import relations
from unbend.regression.triangle import Triangle, triangle_of, upper_factor


def rows(n: int, p: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, p)) + np.linspace(0, 10, p)
    return x, x @ rng.normal(size=p) + rng.normal(size=n)


def test_two_squares_of_the_columns_are_all_that_is_taken() -> None:
    p = 700
    x, y = rows(1000, p)
    LinearRegression().fit(x[:400, :5], y[:400]).inference()
    tracemalloc.start()
    try:
        LinearRegression().fit(x, y).inference()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    panel = 8 * 256 * p
    assert peak < 2 * 8 * (p + 8) ** 2 + 1.5 * panel


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows_get_no_copy(dtype: type) -> None:
    """Nor does the target."""
    x, y = (part.astype(dtype) for part in rows(100_000, 8))
    LinearRegression().fit(x[:400], y[:400]).inference()
    tracemalloc.start()
    try:
        LinearRegression().fit(x, y).inference()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.1 * x.nbytes


MODELS = (LinearRegression(collinear="least norm"), Ridge(2.0), Ridge("gcv"), Ridge("loo"), DeepLinearRidge(2, 0.1))
CASES = [(model, n) for model in MODELS for n in (300, 12)]


@pytest.mark.parametrize(
    ("model", "n"), [*CASES, (ReducedRankRegression(2), 300), (PolynomialRegression(2), 300)], ids=str
)
def test_float32_is_what_its_numbers_are_in_float64(model: Any, n: int) -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(n, 15)) + 100.0).astype(np.float32)[:, : 3 if isinstance(model, PolynomialRegression) else 15]
    y = (x[:, :3] @ rng.normal(size=(3, 3)) + rng.normal(size=(n, 3))).astype(np.float32)
    y = y[:, 0] if isinstance(model, PolynomialRegression) else y
    found, expected = (clone(model).fit(*rows) for rows in ((x, y), (x.astype(np.float64), y.astype(np.float64))))
    np.testing.assert_array_equal(found.coef_, expected.coef_)
    np.testing.assert_array_equal(found.intercept_, expected.intercept_)
    if hasattr(model, "partial_fit") and n == 300:
        parts = [clone(model).partial_fit(*rows) for rows in ((x, y), (x.astype(float), y.astype(float)))]
        np.testing.assert_array_equal(parts[0].coef_, parts[1].coef_)


@pytest.mark.parametrize("p", [1, 3, 300])
@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("by_rows", [False, True])
def test_the_inverse_in_the_place_of_the_factor_is_the_same(p: int, targets: int, by_rows: bool) -> None:
    x, y = rows(2 * p + 5, p)
    z = np.column_stack([x, *[y] * targets])
    names = [f"x{j}" for j in range(p)]

    def factor() -> Triangle:
        if not by_rows:
            return triangle_of(Moments.of(z), targets)
        about = z - z.mean(axis=0)
        return Triangle(
            len(z), z.mean(axis=0), np.zeros(len(z.T)), np.ones(len(z.T)), upper_factor(about), 1e-14, "", targets
        )

    kept = ordinary_each(factor(), names)
    taken = ordinary_each(factor(), names, overwrite=True)
    for one, other in zip(kept, taken, strict=True):
        np.testing.assert_allclose(other.root, one.root, rtol=1e-13, atol=1e-13 * np.abs(one.root).max())
        np.testing.assert_array_equal(other.coef, one.coef)
        assert other.condition == pytest.approx(one.condition, rel=1e-12)
    about = x - x.mean(axis=0)
    assert kept[0].condition == pytest.approx(_condition(about), rel=1e-6)


def _condition(x: np.ndarray) -> float:
    upper = np.linalg.qr(x / np.linalg.norm(x, axis=0), mode="r")
    return float(np.linalg.cond(upper, 1))


def test_substitution_by_panels() -> None:
    rng = np.random.default_rng(0)
    for k, columns in ((1, 1), (5, 2), (700, 1), (700, 3)):
        upper = np.triu(rng.normal(size=(k + 2, k + 2)))[:k, :k] + 5 * np.sqrt(k) * np.eye(k)
        right = rng.normal(size=(k, columns))
        for order in "CF":
            found = substituted(np.asarray(upper, order=order), right)
            np.testing.assert_allclose(found, solve_triangular(upper, right), rtol=1e-12, atol=1e-14)


def test_a_target_that_the_columns_explain_wholly_has_a_factor() -> None:
    x, _ = rows(50, 3)
    exact = triangle_of(Moments.of(np.column_stack([x, x[:, 0], x @ [1.0, 2.0, 3.0]])), 2)
    assert exact.method.startswith("Cholesky")
    assert not relations(exact)
    np.testing.assert_allclose(np.diag(exact.r)[3:], 0, atol=1e-7)
