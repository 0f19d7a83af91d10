"""Every number of a fit against statsmodels and R; the same fit from files and frames with categories and gaps."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import statsmodels.api as sm
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from unbend.regression import Moments, fit, ordinary, ridge

R_FITS = Path(__file__).parents[1] / "r-reference"


def statsmodels_ols(x: pd.DataFrame, y: pd.Series):
    return sm.OLS(y.astype(float), sm.add_constant(x.astype(float))).fit()


def assert_same_inference(result, other, tolerance: float = 1e-10) -> None:
    rows = result.coefficients
    interval = np.asarray(other.conf_int(1 - result.level))
    for name, expected in {
        "estimate": other.params,
        "se": other.bse,
        "t": other.tvalues,
        "p": other.pvalues,
        "low": interval[:, 0],
        "high": interval[:, 1],
    }.items():
        actual = [getattr(row, name) for row in rows]
        np.testing.assert_allclose(actual, np.asarray(expected), rtol=tolerance, err_msg=name)
    np.testing.assert_allclose(result.covariance, np.asarray(other.cov_params()), rtol=1e-9)
    assert (result.n, result.p, result.df_resid) == (other.nobs, other.df_model, other.df_resid)
    assert result.f_df == (other.df_model, other.df_resid)
    for actual, expected in (
        (result.r2, other.rsquared),
        (result.adj_r2, other.rsquared_adj),
        (result.f, other.fvalue),
        (result.f_p, other.f_pvalue),
        (result.rss, other.ssr),
        (result.tss, other.centered_tss),
        (result.sigma, np.sqrt(other.mse_resid)),
        (result.log_likelihood, other.llf),
        (result.aic, other.aic + 2),
        (result.bic, other.bic + np.log(other.nobs)),
    ):
        assert actual == pytest.approx(expected, rel=tolerance)


@pytest.fixture(scope="module")
def diabetes() -> pd.DataFrame:
    return load_diabetes(as_frame=True, scaled=False).frame


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_statsmodels(diabetes: pd.DataFrame, level: float) -> None:
    result = fit(diabetes, "target", level=level)
    assert_same_inference(result, statsmodels_ols(diabetes.drop(columns="target"), diabetes["target"]))


@pytest.mark.parametrize(
    "name", ["airquality", "cars", "lifecyclesavings", "longley", "mtcars", "stackloss", "swiss", "usdistlag"]
)
def test_r(name: str) -> None:
    reference = json.loads((R_FITS / f"{name}.json").read_text())
    value = {key: test["value"] for key, test in reference["tests"].items() if "value" in test}
    tolerance = 1e-6 if name == "longley" else 1e-10
    target, _, columns = reference["formula"].partition(" ~ ")
    frame = pd.read_csv(R_FITS / f"{name}.csv")
    wanted = list(frame.columns.drop(target)) if columns == "." else columns.split(" + ")
    result = fit(frame[[*wanted, target]], target)
    rows = [[row.estimate, row.se, row.t, row.p] for row in result.coefficients]
    np.testing.assert_allclose(rows, value["coef_table"]["values"], rtol=tolerance)
    assert result.sigma == pytest.approx(value["sigma"], rel=tolerance)
    assert result.r2 == pytest.approx(value["r_squared"], rel=tolerance)
    assert result.adj_r2 == pytest.approx(value["adj_r_squared"], rel=tolerance)
    assert result.f == pytest.approx(value["f_statistic"]["value"], rel=tolerance)
    assert result.aic == pytest.approx(value["aic"], rel=tolerance)
    assert result.bic == pytest.approx(value["bic"], rel=tolerance)
    assert result.log_likelihood == pytest.approx(value["loglik"], rel=tolerance)


def homes() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 400
    frame = pd.DataFrame(
        {
            "size": rng.normal(100, 20, n).round(2),
            "region": rng.choice(["north", "east", "west"], n),
            "rooms": rng.integers(1, 7, n),
            "lift": rng.random(n) < 0.4,
        }
    )
    effect = frame["region"].map({"north": 10.0, "east": -5.0, "west": 0.0})
    frame["price"] = 3 * frame["size"] + effect + 7 * frame["lift"] + rng.normal(0, 5, n)
    frame.loc[::9, "size"] = np.nan
    frame.loc[::23, "region"] = None
    frame.loc[::31, "price"] = np.nan
    return frame


@pytest.mark.parametrize("kind", ["pandas", "polars", "csv", "parquet", "npz", "arrow"])
def test_categories_and_gaps_from_any_source(kind: str, tmp_path: Path) -> None:
    frame = homes()
    complete = frame.dropna() if kind != "npz" else frame.dropna(subset=["size", "price"]).fillna("")
    data = {
        "pandas": lambda: frame,
        "polars": lambda: pl.from_pandas(frame),
        "csv": lambda: frame.to_csv(tmp_path / "t.csv", index=False) or tmp_path / "t.csv",
        "parquet": lambda: frame.to_parquet(tmp_path / "t.parquet") or tmp_path / "t.parquet",
        "arrow": lambda: frame.to_feather(tmp_path / "t.arrow") or tmp_path / "t.arrow",
        "npz": lambda: save_npz(tmp_path / "t.npz", frame.fillna({"region": ""})),
    }[kind]()
    result = fit(data, "price")
    dummies = pd.get_dummies(complete, columns=["region"], drop_first=True, prefix_sep="=")
    other = statsmodels_ols(dummies[list(result.names)], complete["price"])
    assert_same_inference(result, other)
    assert f"{400 - len(complete)} of 400 rows" in result.notes[0]


def save_npz(path: Path, frame: pd.DataFrame) -> Path:
    np.savez(path, **{name: frame[name].to_numpy(str if name == "region" else None) for name in frame})
    return path


def test_quadratic_terms(diabetes: pd.DataFrame) -> None:
    frame = diabetes[["age", "sex", "bmi", "target"]].assign(sex=diabetes["sex"].map({1.0: "f", 2.0: "m"}))
    result = fit(frame, "target", degree=2)
    assert result.names == ("age", "sex=m", "bmi", "age²", "age·sex=m", "age·bmi", "sex=m·bmi", "bmi²")
    x = frame.assign(sex=frame["sex"] == "m")[["age", "sex", "bmi"]].astype(float)
    expanded = PolynomialFeatures(2, include_bias=False).fit_transform(x)
    expanded = np.delete(expanded, 6, axis=1)
    other = statsmodels_ols(pd.DataFrame(expanded), frame["target"])
    assert_same_inference(result, other, 1e-7)
    np.testing.assert_allclose(result.predict(x.to_numpy()), other.fittedvalues, rtol=1e-10)


def test_products_that_are_determined_are_dropped_and_named() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 3, 200)
    frame = pd.DataFrame({"a": groups == 1, "b": groups == 2, "x": rng.normal(size=200), "y": rng.normal(size=200)})
    result = fit(frame, "y", degree=2)
    assert result.dropped == ("a·b is the same in every row",)
    assert result.coef[result.names.index("a·b")] == 0


@pytest.mark.parametrize("strength", [0.01, 3.0, 1e4])
def test_ridge_agrees_with_scikit_learn(diabetes: pd.DataFrame, strength: float) -> None:
    x, y = diabetes.drop(columns="target").to_numpy(), diabetes["target"].to_numpy()
    scaler = StandardScaler().fit(x)
    other = Ridge(strength).fit(scaler.transform(x), y)
    result = fit(diabetes, "target", ridge=strength)
    np.testing.assert_allclose(result.coef, other.coef_ / scaler.scale_, rtol=1e-9)
    np.testing.assert_allclose(result.predict(x), other.predict(scaler.transform(x)), rtol=1e-10)
    assert result.rss == pytest.approx(np.sum((y - result.predict(x)) ** 2), rel=1e-9)
    z = scaler.transform(x)
    hat = np.trace(z @ np.linalg.solve(z.T @ z + strength * np.eye(10), z.T))
    assert result.effective_df == pytest.approx(1 + hat, rel=1e-10)


def test_ridge_chooses_the_strength_with_least_gcv(diabetes: pd.DataFrame) -> None:
    x, y = diabetes.drop(columns="target").to_numpy(), diabetes["target"].to_numpy()
    z = StandardScaler().fit_transform(x)
    n = len(y)

    def gcv(strength: float) -> float:
        hat = z @ np.linalg.solve(z.T @ z + strength * np.eye(10), z.T) + 1 / n
        return n * np.sum((y - hat @ y) ** 2) / (n - np.trace(hat)) ** 2

    chosen = fit(diabetes, "target", ridge="gcv").ridge
    assert chosen is not None
    grid = np.exp(np.linspace(np.log(1e-4), np.log(1e5), 400))
    assert gcv(chosen) <= min(gcv(strength) for strength in grid) * (1 + 1e-9)


def test_ridge_with_more_columns_than_rows() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 60))
    y = x[:, 0] + 0.1 * rng.normal(size=30)
    solution = ridge(Moments.of(np.column_stack([x, y])), "gcv")
    assert 0 < solution.effective_df < 30
    assert np.corrcoef(solution.predict(x), y)[0, 1] > 0.9


def test_ridge_without_a_penalty_is_ordinary(diabetes: pd.DataFrame) -> None:
    assert fit(diabetes, "target", ridge=0).to_dict() == fit(diabetes, "target").to_dict()


def test_solution_leverage(diabetes: pd.DataFrame) -> None:
    x = diabetes.drop(columns="target")
    other = statsmodels_ols(x, diabetes["target"]).get_influence()
    solution = fit(diabetes, "target").solution
    np.testing.assert_allclose(solution.leverage(x.to_numpy()), other.hat_matrix_diag, rtol=1e-10)


def test_dropping_a_column_leaves_the_fit(diabetes: pd.DataFrame) -> None:
    doubled = diabetes.assign(bmi2=2 * diabetes["bmi"] - 3)
    result, plain = fit(doubled, "target", collinear="drop"), fit(diabetes, "target")
    assert result.dropped == ("bmi2 = 2 bmi − 3",)
    assert result.r2 == pytest.approx(plain.r2, rel=1e-12)
    assert result.df_resid == plain.df_resid
    np.testing.assert_allclose(result.coef[:-1], plain.coef, rtol=1e-10)
    assert np.isnan(result.se[-1])
    assert result.coef[-1] == 0


def test_moments_are_enough_for_folds(diabetes: pd.DataFrame) -> None:
    z = diabetes.to_numpy(dtype=float)
    whole = Moments.of(z)
    solution = ordinary(whole - Moments.of(z[:90], whole.shift), list(diabetes.columns[:-1]))
    expected = statsmodels_ols(diabetes.iloc[90:, :-1], diabetes["target"][90:])
    np.testing.assert_allclose([solution.intercept, *solution.coef], expected.params, rtol=1e-9)


def test_a_strength_at_the_end_of_what_is_tried_is_said_to_be() -> None:
    rng = np.random.default_rng(3)
    x = pd.DataFrame(rng.normal(size=(40, 3)), columns=["a", "b", "c"])
    exact = fit(x.assign(y=x.sum(axis=1)), "y", ridge="gcv")
    assert "the weakest that is tried" in exact.method
    usual = fit(x.assign(y=x.sum(axis=1) + rng.normal(size=40)), "y", ridge="gcv")
    assert usual.method.endswith("strength by generalised cross-validation")


def test_no_row_for_an_intercept_that_is_not_there(diabetes: pd.DataFrame) -> None:
    table = fit(diabetes[["bmi", "bp", "target"]], "target", intercept=False).tidy()
    assert table["term"].to_pylist() == ["bmi", "bp"]
