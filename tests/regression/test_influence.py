"""Residuals, leverages and their relatives, against statsmodels."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.datasets import load_diabetes

from unbend import LinearRegression, PolynomialRegression, Ridge, fit
from unbend.errors import DataError


@pytest.fixture(scope="module")
def rows() -> tuple[pd.DataFrame, pd.Series]:
    frame = load_diabetes(as_frame=True, scaled=False).frame
    return frame.drop(columns="target"), frame["target"]


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_statsmodels(rows, intercept: bool, weighted: bool) -> None:
    x, y = rows
    weights = np.random.default_rng(1).gamma(2.0, 3.0, len(y)) if weighted else None
    found = LinearRegression(fit_intercept=intercept).fit(x, y, weights).influence(x, y, weights)
    root = np.ones(len(y)) if weights is None else np.sqrt(weights / weights.mean())
    design = (sm.add_constant(x) if intercept else x).to_numpy() * root[:, None]
    other = sm.OLS(y.to_numpy() * root, design).fit().get_influence()
    np.testing.assert_allclose(found.residual * root, other.resid, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(found.leverage, other.hat_matrix_diag, rtol=1e-8)
    np.testing.assert_allclose(found.standardised, other.resid_studentized_internal, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.studentised, other.resid_studentized_external, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.cook, other.cooks_distance[0], rtol=1e-7, atol=1e-12)
    assert found.leverage.sum() == pytest.approx(10 + intercept, rel=1e-12)


def test_of_a_fit_and_of_powers(rows) -> None:
    x, y = rows
    two = x[["age", "bmi"]]
    powers = PolynomialRegression(3).fit(two, y)
    found = powers.influence(two, y)
    assert found.leverage.sum() == pytest.approx(10, rel=1e-10)
    again = fit(two.assign(y=y), "y", degree=3).influence(two.to_numpy(), y.to_numpy())
    np.testing.assert_allclose(again.studentised, found.studentised, rtol=1e-9)
    np.testing.assert_allclose(powers.inference().predict(two.to_numpy()), powers.predict(two), rtol=1e-12)


def test_several_targets(rows) -> None:
    x, y = rows
    both = np.column_stack([y, y**2])
    first, second = LinearRegression().fit(x, both).influence(x, both)
    np.testing.assert_allclose(first.leverage, second.leverage)
    np.testing.assert_allclose(first.cook, LinearRegression().fit(x, y).influence(x, y).cook, rtol=1e-9)


def test_a_row_that_decides_alone(rows) -> None:
    x, y = rows
    found = (
        LinearRegression()
        .fit(x.assign(only=np.arange(len(y)) == 7), y)
        .influence(x.assign(only=np.arange(len(y)) == 7), y)
    )
    assert found.leverage[7] == pytest.approx(1, abs=1e-12)
    assert np.isnan([found.standardised[7], found.studentised[7], found.cook[7]]).all()
    assert np.isfinite(np.delete(found.studentised, 7)).all()


def test_ridge_has_none(rows) -> None:
    with pytest.raises(DataError, match="no leverages"):
        Ridge(1.0).fit(*rows).influence(*rows)


def test_numbers_that_are_missing(rows) -> None:
    x, y = rows
    model = LinearRegression().fit(x, y)
    x = x.astype(float)
    x.iloc[17, 3] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        model.influence(x, y)


def test_memory_is_that_of_the_results() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300_000, 20))
    y = x.sum(axis=1) + rng.normal(size=len(x))
    model = LinearRegression().fit(x, y)
    tracemalloc.start()
    model.influence(x, y)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most <= 0.1 * x.nbytes + 10 * y.nbytes
