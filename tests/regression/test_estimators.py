"""The estimators against scikit-learn, statsmodels and fits without each row."""

import numpy as np
import pandas as pd
import pytest
import sklearn.linear_model as other
import statsmodels.api as sm
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from unbend import LinearRegression, PolynomialRegression, Ridge, fit
from unbend.errors import DataError, UsageError
from unbend.regression.estimators.linear_regression import CollinearWarning


@pytest.fixture(scope="module")
def diabetes() -> pd.DataFrame:
    return load_diabetes(as_frame=True, scaled=False).frame


@pytest.fixture(scope="module")
def x(diabetes: pd.DataFrame) -> pd.DataFrame:
    return diabetes.drop(columns="target")


@pytest.fixture(scope="module")
def y(diabetes: pd.DataFrame) -> pd.Series:
    return diabetes["target"]


@pytest.fixture(scope="module")
def weights() -> np.ndarray:
    return np.random.default_rng(3).gamma(2.0, 40.0, 442)


def table(result) -> np.ndarray:
    return np.array([[row.estimate, row.se, row.t, row.p, row.low, row.high] for row in result.coefficients])


# LinearRegression


def test_inference_is_that_of_fit(diabetes: pd.DataFrame, x, y) -> None:
    model = LinearRegression().fit(x, y)
    expected = fit(diabetes, "target")
    np.testing.assert_allclose(table(model.inference()), table(expected), rtol=1e-12)
    assert model.inference(0.8).level == 0.8
    assert (model.rank_, model.digits_) == (10, expected.digits)
    assert model.condition_ == pytest.approx(expected.condition, rel=1e-12)
    assert list(model.feature_names_in_) == list(expected.names)
    np.testing.assert_allclose(model.predict(x), expected.predict(x.to_numpy()), rtol=1e-13)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("scale", [1.0, 1e-6])
def test_weights_are_those_of_statsmodels(x, y, weights: np.ndarray, intercept: bool, scale: float) -> None:
    design = sm.add_constant(x) if intercept else x
    expected = sm.WLS(y, design, weights=weights).fit()
    result = LinearRegression(fit_intercept=intercept).fit(x, y, weights * scale).inference()
    actual, interval = table(result)[0 if intercept else 1 :], np.asarray(expected.conf_int())
    columns = [expected.params, expected.bse, expected.tvalues, expected.pvalues, interval[:, 0], interval[:, 1]]
    np.testing.assert_allclose(actual, np.column_stack(columns), rtol=1e-9)
    np.testing.assert_allclose(
        result.covariance[0 if intercept else 1 :, 0 if intercept else 1 :], expected.cov_params(), rtol=1e-8
    )
    assert result.r2 == pytest.approx(expected.rsquared, rel=1e-10)
    assert result.adj_r2 == pytest.approx(expected.rsquared_adj, rel=1e-10)
    assert result.f == pytest.approx(expected.fvalue, rel=1e-9)
    assert result.f_df == (10, expected.df_resid)


def test_without_an_intercept(x, y) -> None:
    model = LinearRegression(fit_intercept=False).fit(x, y)
    expected = other.LinearRegression(fit_intercept=False).fit(StandardScaler(with_mean=False).fit_transform(x), y)
    np.testing.assert_allclose(model.predict(x), expected.predict((x / x.std(ddof=0)).to_numpy()), rtol=1e-9)
    assert model.intercept_ == 0.0
    first = model.inference().coefficients[0]
    assert first.estimate == 0
    assert np.isnan(first.se)


def test_weights_and_rows_that_need_qr(weights: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    u = rng.normal(size=(442, 3))
    hard = u @ np.diag([1, 1, 1e-7]) @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    target = hard @ [1.0, 2.0, 3.0] + 4
    for intercept in (True, False):
        model = LinearRegression(fit_intercept=intercept).fit(hard, target - 4 * (not intercept), weights)
        assert model.condition_ > 1e5
        np.testing.assert_allclose(model.coef_, [1, 2, 3], rtol=1e-7)
        assert model.intercept_ == pytest.approx(4.0 * intercept, abs=1e-9)


def test_a_large_mean_costs_no_digits() -> None:
    rng = np.random.default_rng(0)
    time = 1.7e9 + rng.integers(0, 2_600_000, 5000).astype(float)
    model = LinearRegression().fit(time[:, None], (time - 1.7e9) * 0.25)
    assert model.coef_[0] == pytest.approx(0.25, rel=1e-14)


def test_several_targets(x, y) -> None:
    targets = np.column_stack([y, x["bmi"] ** 2])
    model = LinearRegression().fit(x, targets)
    for j in range(2):
        single = LinearRegression().fit(x, targets[:, j])
        np.testing.assert_allclose(model.coef_[j], single.coef_, rtol=1e-11)
        assert model.intercept_[j] == pytest.approx(single.intercept_, rel=1e-11)
        np.testing.assert_allclose(model.predict(x)[:, j], single.predict(x), rtol=1e-12)
    first, second = model.inference()
    assert (first.target, second.target) == ("y0", "y1")


def test_collinear_columns_are_named(x, y) -> None:
    doubled = x.assign(bmi2=2 * x["bmi"])
    with pytest.warns(CollinearWarning, match="bmi2 = 2 bmi"):
        model = LinearRegression().fit(doubled, y)
    assert model.dropped_ == ("bmi2 = 2 bmi",)
    assert (model.rank_, model.coef_[-1]) == (10, 0.0)
    np.testing.assert_allclose(
        LinearRegression(collinear="drop").fit(doubled, y).predict(doubled), model.predict(doubled)
    )
    with pytest.raises(DataError, match="not determined") as caught:
        LinearRegression(collinear="error").fit(doubled, y)
    assert "collinear='drop'" in caught.value.try_
    with pytest.raises(UsageError):
        LinearRegression(collinear="ignore").fit(x, y)


def test_nothing_to_infer_from(x, y) -> None:
    with pytest.raises(DataError, match="no residual is left"):
        LinearRegression().fit(x[:11], y[:11]).inference()
    with pytest.raises(DataError, match="same in every row"):
        LinearRegression().fit(x, np.ones(442)).inference()


@pytest.mark.parametrize("weight", [-np.ones(442), np.ones(3), np.zeros(442)])
def test_weights_that_cannot_be(x, y, weight: np.ndarray) -> None:
    with pytest.raises(ValueError, match="sample_weight"):
        LinearRegression().fit(x, y, weight)


# Ridge


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_ridge_is_scikit_learns(x, y, weights: np.ndarray, intercept: bool, weighted: bool) -> None:
    w = weights if weighted else None
    model = Ridge(30.0, fit_intercept=intercept).fit(x, y, w)
    expected = other.Ridge(30.0, fit_intercept=intercept, solver="cholesky").fit(x, y, w)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-8)
    assert model.intercept_ == pytest.approx(expected.intercept_, rel=1e-8)


def test_standardised_ridge_is_scikit_learns_after_scaling(x, y) -> None:
    scaler = StandardScaler().fit(x)
    expected = other.Ridge(30.0).fit(scaler.transform(x), y)
    model = Ridge(30.0, standardise=True).fit(x, y)
    np.testing.assert_allclose(model.coef_ * scaler.scale_, expected.coef_, rtol=1e-10)
    np.testing.assert_allclose(Ridge(30.0, standardise=True).fit(1000 * x, y).predict(1000 * x), model.predict(x))


def left_out_error(x: np.ndarray, y: np.ndarray, alpha: float) -> float:
    errors = []
    for i in range(len(y)):
        rest = np.arange(len(y)) != i
        errors.append(y[i] - other.Ridge(alpha).fit(x[rest], y[rest]).predict(x[[i]])[0])
    return float(np.square(errors).sum())


def test_leave_one_out_is_what_leaving_rows_out_gives(x, y) -> None:
    z, target = StandardScaler().fit_transform(x)[:60], y.to_numpy()[:60]
    model = Ridge("loo").fit(z, target)
    best = left_out_error(z, target, model.alpha_)
    assert best < min(left_out_error(z, target, model.alpha_ * factor) for factor in (0.8, 1.25, 1e-3, 1e3))
    chosen = other.RidgeCV(alphas=model.alpha_ * np.geomspace(0.1, 10, 41)).fit(z, target)
    assert chosen.alpha_ == pytest.approx(model.alpha_)
    assert -chosen.best_score_ * 60 == pytest.approx(best, rel=1e-9)


def test_ridge_chooses_for_each_target(x, y) -> None:
    targets = np.column_stack([y, np.random.default_rng(0).normal(size=442)])
    model = Ridge("gcv", standardise=True).fit(x, targets)
    assert model.alpha_.shape == model.effective_df_.shape == (2,)
    assert model.alpha_[0] == pytest.approx(Ridge("gcv", standardise=True).fit(x, y).alpha_)
    assert model.effective_df_[1] < model.effective_df_[0]
    assert np.isnan(model.inference()[0].se).all()


@pytest.mark.parametrize("alpha", [-1.0, 0.0, "best", np.nan])
def test_strengths_that_cannot_be(x, y, alpha) -> None:
    with pytest.raises(UsageError):
        Ridge(alpha).fit(x, y)


# PolynomialRegression


@pytest.mark.parametrize("options", [{"degree": 2}, {"degree": 3}, {"degree": 2, "interaction_only": True}])
def test_polynomials_are_scikit_learns(x, y, options: dict) -> None:
    columns = x[["age", "bmi", "bp"]]
    model = PolynomialRegression(**options).fit(columns, y)
    features = PolynomialFeatures(include_bias=False, **options).fit(columns)
    np.testing.assert_array_equal(model.powers_, features.powers_)
    z = StandardScaler().fit_transform(features.transform(columns))
    np.testing.assert_allclose(
        model.predict(columns), other.LinearRegression(tol=1e-15).fit(z, y).predict(z), rtol=1e-6
    )
    assert len(model.inference().names) == len(model.terms_)


def test_polynomial_terms_have_names(x, y) -> None:
    model = PolynomialRegression(3).fit(x[["age", "bmi"]], y)
    assert model.terms_ == ("age", "bmi", "age²", "age·bmi", "bmi²", "age³", "age²·bmi", "age·bmi²", "bmi³")


def test_products_that_say_nothing_new_are_left_out(x, y) -> None:
    columns = x[["sex", "bmi"]]
    model = PolynomialRegression().fit(columns, y)
    assert model.dropped_ == ("sex² = 3 sex − 2",)
    with pytest.warns(CollinearWarning, match="again = bmi"):
        PolynomialRegression().fit(columns.assign(again=x["bmi"]), y)


@pytest.mark.parametrize("degree", [0, 1.5, 60])
def test_degrees_that_cannot_be(x, y, degree) -> None:
    with pytest.raises(UsageError):
        PolynomialRegression(degree).fit(x, y)


def test_a_warning_is_of_the_line_that_asked() -> None:
    x = np.random.default_rng(0).normal(size=(20, 2))
    doubled, y = np.column_stack([x, x[:, 0]]), x.sum(axis=1) ** 2
    for call in (
        lambda: LinearRegression().fit(doubled, y),
        lambda: LinearRegression().partial_fit(doubled, y),
        lambda: PolynomialRegression().fit(doubled, y),
    ):
        with pytest.warns(CollinearWarning) as caught:
            call()
        assert caught[0].filename == __file__


def test_a_level_that_is_no_share() -> None:
    x = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises(UsageError, match="between 0 and 1"):
        LinearRegression().fit(x, x[:, 0] ** 2).inference(95)


@pytest.mark.parametrize("wrong", [np.inf, np.nan])
def test_a_number_that_is_not_finite_is_found(wrong: float) -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(300, 3)), columns=["a", "b", "c"])
    y = rng.normal(size=300)
    rows.loc[217, "b"] = wrong
    for model in (LinearRegression(), PolynomialRegression(2), Ridge(1.0), Ridge("loo")):
        with pytest.raises(ValueError, match=r"(infinity|NaN).*The first is in column b, row 217 "):
            model.fit(rows, y)
    with pytest.raises(ValueError, match="column b, row 217"):
        LinearRegression().partial_fit(rows, y)
