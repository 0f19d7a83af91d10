"""Coefficients, standard errors and sums of squares are the exact solution of the numbers given, rounded once."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.linalg import hilbert

from unbend import LinearRegression

CALM = settings(max_examples=20)
seeds = st.integers(0, 10**6)


def assert_exact(nist, x, y, weights=None, intercept: bool = True, digits: float = 15.0, errors: float = 15.0) -> None:
    model = LinearRegression(fit_intercept=intercept).fit(x, y, weights)
    truth, result = nist.exact(x, y, weights, intercept), model.inference()
    rows = result.coefficients if intercept else result.coefficients[1:]
    assert nist.digits(np.array([row.estimate for row in rows]), truth.estimates) >= digits
    assert nist.digits(np.array([row.se for row in rows]), truth.errors) >= errors
    assert nist.digits(result.sigma, truth.sigma) >= errors
    assert nist.digits(result.r2, truth.r2) >= errors
    assert model.digits_ >= int(digits)


def alike(condition: float, n: int, p: int, rng: np.random.Generator) -> np.ndarray:
    """Columns with about this condition number."""
    left, _ = np.linalg.qr(rng.normal(size=(n, p)))
    right, _ = np.linalg.qr(rng.normal(size=(p, p)))
    return left * np.geomspace(1, 1 / condition, p) @ right


@given(st.floats(0, 12), st.floats(-9, 3), seeds, st.booleans())
@CALM
def test_columns_of_any_condition(nist, condition: float, noise: float, seed: int, intercept: bool) -> None:
    rng = np.random.default_rng(seed)
    x = alike(10.0**condition, 12, 3, rng)
    assert_exact(nist, x, x @ rng.normal(size=3) + 10.0**noise * rng.normal(size=12), intercept=intercept)


@pytest.mark.parametrize("p", [3, 5, 7, 8])
def test_hilbert(nist, p: int) -> None:
    rng = np.random.default_rng(p)
    x = hilbert(12)[:, :p]
    assert_exact(nist, x, x.sum(axis=1), intercept=False)
    assert_exact(nist, x, rng.normal(size=12), intercept=False)


@pytest.mark.parametrize("p", [4, 8])
@pytest.mark.parametrize("high", [1.0, 20.0])
def test_vandermonde(nist, p: int, high: float) -> None:
    x = np.linspace(0.1, high, 25)[:, None] ** np.arange(1, p)
    assert_exact(nist, x, np.random.default_rng(p).normal(size=25))


@pytest.mark.parametrize("small", [1e-2, 1e-5, 1e-8, 1e-10])
def test_lauchli(nist, small: float) -> None:
    x = np.vstack([np.ones(4), small * np.eye(4)])
    assert_exact(nist, x, np.arange(1.0, 6.0), intercept=False)


@given(st.integers(1, 11), seeds)
@CALM
def test_columns_that_are_nearly_the_same(nist, near: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=15)
    x = np.column_stack([a, a + 10.0**-near * rng.normal(size=15), rng.normal(size=15)])
    assert_exact(nist, x, a + rng.normal(size=15))


@given(st.floats(0, 12), seeds)
@CALM
def test_large_means(nist, size: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(15, 3)) + 10.0**size * rng.normal(size=3)
    assert_exact(nist, x, x @ [1.0, 2.0, 3.0] + rng.normal(size=15) + 10.0**size)


def test_timestamps_beside_rates(nist) -> None:
    rng = np.random.default_rng(1)
    time = 1.7e9 + rng.integers(0, 2_600_000, 40)
    x = np.column_stack([time, 1e12 + rng.integers(0, 10**6, 40), rng.normal(5e4, 2e4, 40), rng.normal(0.03, 0.01, 40)])
    assert_exact(nist, x, 1e-4 * x[:, 2] + 300 * x[:, 3] + 1e-6 * time + rng.normal(size=40))


@pytest.mark.parametrize("share", [1e-20, 0.998])
def test_nearly_all_and_nearly_nothing_explained(nist, share: float) -> None:
    """R² of about 1 − share: as a float64 it is 1 in the first case, but the residual variance has all its digits."""
    rng = np.random.default_rng(2)
    x = rng.integers(-1000, 1000, size=(30, 2)).astype(float)
    y = x @ [3.0, -2.0] + 7 + np.sqrt(share / (1 - share + 1e-300)) * 1e3 * rng.normal(size=30)
    assert_exact(nist, x, y)


@given(seeds, st.booleans())
@example(271, True)  # the inverse of the cross products began at a wrong intercept
@CALM
def test_weights(nist, seed: int, intercept: bool) -> None:
    rng = np.random.default_rng(seed)
    x = alike(1e4, 15, 3, rng) + rng.normal(size=3)
    weights = rng.gamma(2.0, 10.0, 15)
    assert_exact(nist, x, x.sum(axis=1) + rng.normal(size=15), weights, intercept)


def test_several_targets_are_solved_in_one(nist) -> None:
    rng = np.random.default_rng(5)
    x, y = alike(1e7, 30, 4, rng), rng.normal(size=(30, 3)) * [1, 1e6, 1e-6]
    model = LinearRegression().fit(x, y)
    for j in range(3):
        truth = nist.exact(x, y[:, j])
        assert nist.digits(np.array([model.intercept_[j], *model.coef_[j]]), truth.estimates) >= 15
        assert nist.digits(model.inference()[j].se, truth.errors[1:]) >= 15


def test_columns_that_are_left_out(nist) -> None:
    rng = np.random.default_rng(6)
    x = alike(1e5, 30, 3, rng) + 5
    y = rng.normal(size=30)
    doubled = np.column_stack([x[:, 0], x[:, 0] * 2, x[:, 1:]])
    model = LinearRegression(collinear="drop").fit(doubled, y)
    truth = nist.exact(x, y)
    assert nist.digits(model.coef_[[0, 2, 3]], truth.estimates[1:]) >= 15
    assert nist.digits(model.inference().se[[0, 2, 3]], truth.errors[1:]) >= 15


def test_float32_is_taken_as_it_is(nist) -> None:
    rng = np.random.default_rng(7)
    x = (np.array([0, 10, 1000]) + rng.normal(size=(40, 3))).astype(np.float32)
    assert_exact(nist, x, (x @ [1.0, 2.0, 3.0]).astype(np.float32) + rng.normal(size=40))


def test_no_copy_of_the_rows_is_made() -> None:
    rng = np.random.default_rng(8)
    for x in (rng.normal(size=(400_000, 20)), rng.normal(size=(400_000, 20)).astype(np.float32)):
        y = x @ np.ones(20) + rng.normal(size=len(x))
        tracemalloc.start()
        LinearRegression().fit(x, y).inference()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most <= 0.1 * x.nbytes


@given(seeds, st.floats(-6, 6), st.floats(0, 8))
@CALM
def test_shift_and_scale_of_a_column_change_nothing_else(seed: int, scale: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    x = np.round(rng.normal(size=(50, 3)) * 2.0**24) / 2.0**24  # 27 bits, and 20 for the shift: nothing is rounded
    y = x @ [1.0, -2.0, 3.0] + rng.normal(size=50)
    factor, far = 2.0 ** round(scale * 3), float(2 ** round(shift * 2.5))
    moved = x.copy()
    moved[:, 1] = (x[:, 1] + far) * factor
    assert (moved[:, 1] / factor - far == x[:, 1]).all()
    plain, other = LinearRegression().fit(x, y), LinearRegression().fit(moved, y)
    np.testing.assert_allclose(other.coef_ * [1, factor, 1], plain.coef_, rtol=1e-13)


@given(st.floats(12, 14), seeds)
@CALM
def test_no_more_digits_are_promised_than_there_are(nist, condition: float, seed: int) -> None:
    """Of the columns that are left where one is found to follow from the others."""
    rng = np.random.default_rng(seed)
    x, y = alike(10.0**condition, 12, 3, rng), rng.normal(size=12)
    model = LinearRegression(collinear="drop").fit(x, y)
    kept = [j for j in range(3) if f"x{j}" not in model.solutions_[0].dropped]
    assert len(kept) == model.rank_ >= 2
    truth, found = nist.exact(x[:, kept], y), model.inference().coefficients
    rows = [found[0], *(found[1 + j] for j in kept)]
    for row, estimate, error in zip(rows, truth.estimates, truth.errors, strict=True):
        assert abs(row.estimate - estimate) <= 10.0**-row.digits * max(abs(estimate), error)
