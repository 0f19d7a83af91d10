"""Logistic regression against scikit-learn and statsmodels; separated classes and their plane."""

import re

import numpy as np
import pandas as pd
import pytest
import sklearn.linear_model as other
import statsmodels.api as sm
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.preprocessing import StandardScaler

from unbend import LogisticRegression
from unbend.errors import DataError, UsageError
from unbend.regression.estimators.linear_regression import CollinearWarning


def noisy(classes: int, n: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Columns of different units and classes that overlap."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 4))
    scores = z @ rng.normal(size=(4, classes)) + rng.gumbel(size=(n, classes))
    return z * [1.0, 0.5, 3.0, 2.0] + [0.0, 1.0, -2.0, 5.0], scores.argmax(axis=1)


def scikit_learn(x: np.ndarray, y: np.ndarray, alpha: float, weights: np.ndarray | None = None, **options):
    c = np.inf if alpha == 0 else 1 / alpha
    return other.LogisticRegression(C=c, tol=1e-12, max_iter=100_000, solver="newton-cholesky", **options).fit(
        x, y, weights
    )


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("alpha", [0.0, 0.1, 30.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_scikit_learn(classes: int, alpha: float, weighted: bool) -> None:
    x, y = noisy(classes)
    weights = np.random.default_rng(1).integers(0, 4, len(y)) if weighted else None
    model = LogisticRegression(alpha).fit(x, y, weights)
    expected = scikit_learn(x, y, alpha, weights)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(model.intercept_ - model.intercept_.mean() * (classes > 2), model.intercept_)
    np.testing.assert_allclose(model.predict_proba(x), expected.predict_proba(x), rtol=1e-6)
    np.testing.assert_array_equal(model.predict(x), expected.predict(x))
    np.testing.assert_allclose(model.predict_log_proba(x), np.log(model.predict_proba(x)))


@pytest.mark.parametrize("alpha", [0.0, 2.0])
def test_scikit_learn_without_an_intercept(alpha: float) -> None:
    x, y = noisy(3)
    model = LogisticRegression(alpha, fit_intercept=False).fit(x, y)
    np.testing.assert_allclose(model.coef_, scikit_learn(x, y, alpha, fit_intercept=False).coef_, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(model.intercept_, np.zeros(3))


@pytest.mark.parametrize("load", [load_breast_cancer, load_wine, load_iris])
def test_standardised_is_scikit_learns_after_scaling(load) -> None:
    x, y = load(return_X_y=True)
    scaler = StandardScaler().fit(x)
    model = LogisticRegression(1.0, standardise=True).fit(x, y)
    expected = scikit_learn(scaler.transform(x), y, 1.0)
    np.testing.assert_allclose(model.coef_ * scaler.scale_, expected.coef_, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_standard_errors_are_those_of_statsmodels(classes: int) -> None:
    x, y = noisy(classes)
    kind = sm.Logit if classes == 2 else sm.MNLogit
    expected = kind(y, sm.add_constant(x)).fit(disp=False, method="newton", maxiter=100, tol=1e-14)
    solution = LogisticRegression(0.0).fit(x, y).solution_
    np.testing.assert_allclose(solution.coefficients.ravel(), expected.params.ravel(order="F"), rtol=1e-7)
    np.testing.assert_allclose(solution.standard_errors.ravel(), expected.bse.ravel(order="F"), rtol=1e-7)
    assert solution.log_likelihood == pytest.approx(expected.llf, rel=1e-11)
    assert solution.null == pytest.approx(expected.llnull, rel=1e-9)


def test_units_do_not_matter() -> None:
    x, y = noisy(2)
    moved = x * [1e-6, 1e6, 1.0, 1.0] + [0.0, 1e12, 1e9, 0.0]
    model, plain = LogisticRegression(0.0).fit(moved, y), LogisticRegression(0.0).fit(x, y)
    np.testing.assert_allclose(model.coef_ * [1e-6, 1e6, 1.0, 1.0], plain.coef_, rtol=1e-5)
    np.testing.assert_allclose(model.predict_proba(moved), plain.predict_proba(x), rtol=1e-4)


def test_more_columns_than_rows_with_a_penalty() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 60)), rng.integers(0, 3, 30)
    np.testing.assert_allclose(
        LogisticRegression(2.0).fit(x, y).coef_, scikit_learn(x, y, 2.0).coef_, rtol=1e-5, atol=1e-7
    )


def test_collinear_columns() -> None:
    x, y = noisy(2)
    doubled = np.column_stack([x, x[:, 0] - 2 * x[:, 1]])
    with pytest.warns(CollinearWarning, match="x4 = x0 − 2 x1"):
        model = LogisticRegression(0.0).fit(doubled, y)
    assert model.coef_[0, 4] == 0
    np.testing.assert_allclose(
        model.predict_proba(doubled), LogisticRegression(0.0).fit(x, y).predict_proba(x), rtol=1e-8
    )
    with pytest.raises(DataError, match="not determined"):
        LogisticRegression(0.0, collinear="error").fit(doubled, y)


# Separation


def refused(x, y) -> DataError:
    with pytest.raises(DataError, match="told apart without error") as caught:
        LogisticRegression(0.0).fit(x, y)
    return caught.value


def test_one_column_that_separates() -> None:
    error = refused(pd.DataFrame({"age": [1.0, 2.0, 3.0, 5.0, 6.0, 9.0]}), ["no"] * 3 + ["yes"] * 3)
    assert error.what.startswith("no and yes are told apart")
    head, limit = error.where.split(" > ")
    assert head == "every row of yes, and none of no, has age"
    assert 3 < float(limit) < 5
    assert "alpha=1" in error.try_


@pytest.mark.parametrize("n", [40, 3000, 40_000])
def test_the_plane_that_is_reported_separates(n: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.normal(size=(n, 3)) * [1, 1000, 1] + [0, 5000, 0]
    side = x @ [1.0, 2e-3, -0.5]
    keep = np.abs(side - 10) > 0.05
    error = refused(x[keep], (side > 10)[keep])
    plain = error.where.removeprefix("every row of True, and none of False, has ").replace("−", "-").replace(" ", "")
    left, limit = plain.replace("\u202f", "").split(">")
    coef = {name: float(f"{size}1" if size in "+-" else size) for size, name in re.findall(r"([-+.\de]*?)(x\d)", left)}
    plane = sum(x[keep][:, j] * coef[f"x{j}"] for j in range(3))
    assert np.mean((plane > float(limit)) != (side > 10)[keep]) < 0.002  # the sentence has four digits


def test_rows_on_the_plane() -> None:
    error = refused(np.array([[0.0], [1.0], [2.0], [2.0], [3.0], [4.0]]), ["a", "a", "a", "b", "b", "b"])
    assert error.where == "no row of b has x0 < 2, and no row of a has it > 2"


def test_the_first_column_of_the_plane_has_no_minus() -> None:
    error = refused(np.array([[0.0], [1.0], [2.0], [2.0], [3.0], [4.0]]), ["b", "b", "b", "a", "a", "a"])
    assert error.where == "no row of b has x0 > 2, and no row of a has it < 2"
    error = refused(np.array([[0.0], [1.0], [2.0], [4.0]]), ["b", "b", "b", "a"])
    assert error.where == "every row of b, and none of a, has x0 < 3"


def test_a_level_in_which_all_are_of_one_class() -> None:
    x, y = noisy(2)
    rare = (np.arange(len(y)) % 50 == 0).astype(float)
    y = np.where(rare == 1, 1, y)
    error = refused(np.column_stack([x, rare]), y)
    assert error.where == "no row of 1 has x4 < 0, and no row of 0 has it > 0"
    assert np.isfinite(LogisticRegression(1.0).fit(np.column_stack([x, rare]), y).coef_).all()


def test_one_class_of_three_is_apart() -> None:
    x, y = load_iris(return_X_y=True)
    with pytest.raises(DataError, match=r"0 and [12] are told apart"):
        LogisticRegression(0.0).fit(x, y)
    rest = y > 0
    assert np.isfinite(LogisticRegression(0.0).fit(x[rest], y[rest]).coef_).all()


def test_nearly_separated_classes_are_fitted() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2))
    y = x @ [1.0, -1.0] > 0
    near = np.argsort(np.abs(x @ [1.0, -1.0]))[20:23]
    y[near] = ~y[near]
    model = LogisticRegression(0.0).fit(x, y)
    expected = sm.Logit(y.astype(float), sm.add_constant(x)).fit(disp=False, method="newton", maxiter=200, tol=1e-14)
    np.testing.assert_allclose(model.coef_[0], expected.params[1:], rtol=1e-6)
    assert model.solution_.log_likelihood > 0.1 * model.solution_.null


@pytest.mark.parametrize("options", [{"alpha": -1.0}, {"alpha": np.nan}, {"alpha": "gcv"}, {"collinear": "ignore"}])
def test_options_that_mean_nothing(options: dict) -> None:
    with pytest.raises(UsageError):
        LogisticRegression(**options).fit(*noisy(2))


def test_one_class() -> None:
    with pytest.raises(ValueError, match="all rows are of one class, 0"):
        LogisticRegression().fit(noisy(2)[0], np.zeros(600, int))
