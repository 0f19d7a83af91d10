"""Robust standard errors against stored values of R's sandwich and against statsmodels; what they refuse."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from unbend.data import open_table
from unbend.document import render_text
from unbend.errors import DataError, UsageError
from unbend.regression import fit
from unbend.regression.export import latex
from unbend.regression.sandwich import Sandwich

R_FITS = Path(__file__).parents[1] / "r-reference"


def se(result) -> np.ndarray:
    return np.array([row.se for row in result.coefficients])


@pytest.mark.parametrize("kind", ["HC0", "HC1", "HC2", "HC3", "HC4", "HAC"])
@pytest.mark.parametrize(
    "name", ["airquality", "cars", "lifecyclesavings", "longley", "mtcars", "stackloss", "swiss", "usdistlag"]
)
def test_r_sandwich(name: str, kind: str) -> None:
    reference = json.loads((R_FITS / f"{name}.json").read_text())
    target, _, columns = reference["formula"].partition(" ~ ")
    frame = pd.read_csv(R_FITS / f"{name}.csv")
    wanted = list(frame.columns.drop(target)) if columns == "." else columns.split(" + ")
    options = {"lags": 4} if kind == "HAC" else {}
    result = fit(frame[[*wanted, target]], target, covariance=kind, **options)
    test = reference["tests"]["se_NeweyWest_lag4" if kind == "HAC" else f"se_{kind}"]
    tolerance = 1e-6 if name == "longley" else 1e-10
    np.testing.assert_allclose(se(result), list(test["value"].values()), rtol=tolerance)
    if kind == "HC3":
        table = [[row.estimate, row.se, row.t, row.p] for row in result.coefficients]
        np.testing.assert_allclose(table, reference["tests"]["coeftest_HC3"]["value"]["values"], rtol=tolerance)


@pytest.fixture(scope="module")
def firms() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    n = 900
    frame = pd.DataFrame(
        {
            "firm": rng.integers(0, 60, n),
            "year": rng.choice([f"y{k}" for k in range(45)], n),
            "size": rng.normal(1e6, 10, n),
            "age": rng.gamma(2, 5, n),
        }
    )
    noise = rng.normal(size=60)[frame["firm"]] + rng.normal(size=n) * frame["age"] / 5
    frame["y"] = 0.3 * (frame["size"] - 1e6) - 0.5 * frame["age"] + noise
    return frame


def statsmodels_fit(frame: pd.DataFrame, kind: str, **options):
    x = sm.add_constant(frame[["size", "age"]] - [1e6, 0])
    return sm.OLS(frame["y"], x).fit(cov_type=kind, cov_kwds=options, use_t=True)


def assert_same(result, other) -> None:
    rows = result.coefficients[1:]
    interval = np.asarray(other.conf_int(0.05))[1:]
    expected = [other.bse[1:], other.tvalues[1:], other.pvalues[1:], interval[:, 0], interval[:, 1]]
    actual = [[getattr(row, name) for row in rows] for name in ("se", "t", "p", "low", "high")]
    np.testing.assert_allclose(actual, np.array(expected), rtol=1e-10, atol=1e-30)
    assert result.f == pytest.approx(other.fvalue, rel=1e-10)
    assert result.f_p == pytest.approx(other.f_pvalue, rel=1e-6)
    assert_same_covariance(result, other)


def assert_same_covariance(result, other) -> None:
    """Each covariance as a share of the product of the standard errors."""
    unit = np.outer(se(result), se(result))[1:, 1:]
    expected = np.asarray(other.cov_params())[1:, 1:]
    np.testing.assert_allclose(result.covariance[1:, 1:] / unit, expected / unit, atol=1e-10)


@pytest.mark.parametrize("kind", ["HC0", "HC1", "HC2", "HC3"])
def test_statsmodels_heteroskedastic(firms: pd.DataFrame, kind: str) -> None:
    assert_same(fit(firms[["size", "age", "y"]], "y", covariance=kind), statsmodels_fit(firms, kind))


def test_hc4_is_its_formula(firms: pd.DataFrame) -> None:
    frame = firms[["size", "age", "y"]].assign(size=firms["size"] - 1e6)
    x, y = sm.add_constant(frame[["size", "age"]]).to_numpy(), frame["y"].to_numpy()
    bread = np.linalg.inv(x.T @ x)
    leverage, residual = np.einsum("ij,jk,ik->i", x, bread, x), y - x @ (bread @ (x.T @ y))
    omega = residual**2 / (1 - leverage) ** np.minimum(4, leverage / leverage.mean())
    expected = np.sqrt(np.diag(bread @ (x.T * omega) @ x @ bread))
    np.testing.assert_allclose(se(fit(frame, "y", covariance="HC4")), expected, rtol=1e-10)


@pytest.mark.parametrize("lags", [None, 0, 1, 7])
def test_statsmodels_hac(firms: pd.DataFrame, lags: int | None) -> None:
    used = int(4 * (len(firms) / 100) ** (2 / 9)) if lags is None else lags
    other = statsmodels_fit(firms, "HAC", maxlags=used, use_correction=True)
    result = fit(firms[["size", "age", "y"]], "y", covariance="HAC", lags=lags)
    assert_same(result, other)
    assert f"up to {used} row" in result.uncertainty.note


def test_statsmodels_one_way_clusters(firms: pd.DataFrame) -> None:
    result = fit(firms, "y", cluster="firm", exclude=["year"])
    assert result.names == ("size", "age")
    assert result.df_t == 59
    assert_same(result, statsmodels_fit(firms, "cluster", groups=firms["firm"], df_correction=True))


def test_statsmodels_two_way_clusters(firms: pd.DataFrame) -> None:
    groups = np.column_stack([firms["firm"], pd.factorize(firms["year"])[0]])
    result = fit(firms, "y", cluster=["firm", "year"])
    other = statsmodels_fit(firms, "cluster", groups=groups)
    assert_same_covariance(result, other)
    assert result.df_t == 44


def test_blocks_make_no_difference(firms: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    table = open_table(firms[["size", "age", "y"]], "y")
    solution = fit(firms[["size", "age", "y"]], "y").solution
    whole = Sandwich("HAC", 9).covariance(solution, table)
    blocks = type(table).blocks
    monkeypatch.setattr(type(table), "blocks", lambda self, rows=None: blocks(self, 7))
    parts = Sandwich("HAC", 9).covariance(solution, table)
    np.testing.assert_allclose(parts.whitened, whole.whitened, rtol=1e-10)


def test_hac_sorts_the_rows_by_the_order(firms: pd.DataFrame) -> None:
    timed = firms[["size", "age", "y"]].assign(time=np.arange(len(firms)))
    shuffled = timed.sample(frac=1, random_state=1)
    result = fit(shuffled, "y", covariance="HAC", lags=5, order="time")
    np.testing.assert_allclose(
        se(result), se(fit(timed.drop(columns="time"), "y", covariance="HAC", lags=5)), rtol=1e-9
    )
    assert "in the order of time" in result.uncertainty.note


def test_robust_errors_of_a_quadratic(firms: pd.DataFrame) -> None:
    frame = firms[["age", "y"]]
    result = fit(frame, "y", degree=2, covariance="HC3")
    other = sm.OLS(frame["y"], sm.add_constant(np.column_stack([frame["age"], frame["age"] ** 2]))).fit(cov_type="HC3")
    np.testing.assert_allclose(se(result), other.bse, rtol=1e-10)


def test_intervals_of_predictions_are_robust(firms: pd.DataFrame) -> None:
    other = statsmodels_fit(firms, "HC3")
    rows = firms[["size", "age"]].to_numpy()[:20]
    expected = other.get_prediction(sm.add_constant(rows - [1e6, 0.0], has_constant="add")).summary_frame()
    actual = fit(firms[["size", "age", "y"]], "y", covariance="HC3").predict_interval(rows)
    np.testing.assert_allclose(actual.mean_low, expected["mean_ci_lower"], rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(actual.high, expected["obs_ci_upper"], rtol=1e-10, atol=1e-10)


def test_no_more_clusters_than_columns_leave_no_f_test(firms: pd.DataFrame) -> None:
    result = fit(firms.assign(half=firms["age"] > 8), "y", cluster="half", exclude=["year", "firm"])
    assert (result.f, result.f_df, result.f_p) == (None, None, None)
    assert "2 clusters are few" in render_text(result.document())


def test_dropped_columns_and_robust_errors(firms: pd.DataFrame) -> None:
    frame = firms[["size", "age", "y"]]
    doubled = fit(frame.assign(twice=2 * frame["age"]), "y", collinear="drop", covariance="HC2")
    plain = fit(frame, "y", covariance="HC2")
    np.testing.assert_allclose(doubled.se[:2], plain.se, rtol=1e-10)
    assert np.isnan(doubled.se[2])
    assert doubled.f == pytest.approx(plain.f, rel=1e-9)


def test_a_row_that_pins_the_fit(firms: pd.DataFrame) -> None:
    frame = firms[["age", "y"]].assign(only=np.arange(len(firms)) == 11)
    with pytest.raises(DataError, match="leverage of 1") as caught:
        fit(frame, "y", covariance="HC3")
    assert caught.value.where == "row 11 (the first row is 0)"
    assert np.isfinite(fit(frame, "y", covariance="HC1").se).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"covariance": "HC9"}, "must be one of"),
        ({"covariance": "HC1", "cluster": "firm"}, "which is not HC1"),
        ({"cluster": ["firm", "year", "age"]}, "one or two columns"),
        ({"cluster": "y"}, "is the target"),
        ({"lags": 3}, "lags are for"),
        ({"covariance": "HAC", "lags": -1}, "whole number from 0, not -1"),
        ({"covariance": "HAC", "lags": 5000}, "need more than 900 rows"),
        ({"order": "year"}, "matters only to"),
        ({"covariance": "HC3", "ridge": 1.0}, "ridge has no standard errors"),
    ],
)
def test_options_that_do_not_fit(firms: pd.DataFrame, options: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        fit(firms, "y", **options)


def test_the_hint_has_the_lags_that_were_asked_for(firms: pd.DataFrame) -> None:
    with pytest.raises(UsageError) as caught:
        fit(firms, "y", lags=3)
    assert caught.value.try_ == "for noise that remembers 3 rows: --covariance HAC --lags 3"


def test_clusters_that_cannot_be(firms: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no column 'frim'"):
        fit(firms, "y", cluster="frim")
    with pytest.raises(DataError, match="same in every row"):
        fit(firms.assign(firm=1), "y", cluster="firm")
    gap = firms.assign(firm=firms["firm"].where(firms.index != 5))
    with pytest.raises(DataError, match="missing values") as caught:
        fit(gap, "y", cluster="firm")
    assert "row 5" in caught.value.where


def test_classical_errors_need_no_reading_and_say_nothing(firms: pd.DataFrame) -> None:
    result = fit(firms[["size", "age", "y"]], "y")
    assert (result.standard_errors, result.uncertainty.note, result.df_t) == ("classical", "", result.df_resid)


# Export


def test_tidy_and_csv(firms: pd.DataFrame) -> None:
    result = fit(firms[["size", "age", "y"]], "y", covariance="HC1")
    table = result.tidy()
    assert table["term"].to_pylist() == ["intercept", "size", "age"]
    np.testing.assert_array_equal(table["std_error"].to_numpy(), se(result))
    rows = list(csv.DictReader(io.StringIO(result.to_csv())))
    assert [float(row["estimate"]) for row in rows] == [row.estimate for row in result.coefficients]


def test_tidy_has_nulls_for_ridge(firms: pd.DataFrame) -> None:
    result = fit(firms[["size", "age", "y"]], "y", ridge=1.0)
    assert result.tidy()["p_value"].null_count == 3
    assert "per standard deviation" in result.to_markdown()
    assert "standard errors" not in result.to_latex()


def test_markdown_and_latex(firms: pd.DataFrame) -> None:
    frame = firms[["size", "y"]].rename(columns={"size": "size_50%"})
    result = fit(frame, "y", covariance="HC3")
    assert "| size\\_50% | 0.2" in result.to_markdown()
    text = result.to_latex()
    assert text.startswith("\\begin{tabular}{lrrrrrr}\n\\toprule\n")
    assert "\nsize\\_50\\% & 0.2" in text
    assert "standard errors HC3" in text
    assert text.count("{") == text.count("}")


def test_every_sign_of_latex_is_escaped() -> None:
    assert latex(r"a\b~c^d #$%&_{}<>") == (
        r"a\textbackslash{}b\textasciitilde{}c\textasciicircum{}d \#\$\%\&\_\{\}$<$$>$"
    )


def test_the_covariance_is_named_in_any_case() -> None:
    assert Sandwich("hc3") == Sandwich("HC3")  # pyright: ignore[reportArgumentType]
    assert Sandwich("Hac", 2).kind == "HAC"  # pyright: ignore[reportArgumentType]


def test_columns_and_target_of_a_call() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 3)))
    assert fit(frame, 2).target == "2"  # pyright: ignore[reportArgumentType]
    assert fit(frame, "2", exclude=None).p == 2  # pyright: ignore[reportArgumentType]
    assert fit(frame.set_axis(["ab", "a", "y"], axis=1), "y", exclude="ab").names == ("a",)
    with pytest.raises(UsageError, match="no target is named"):
        fit(frame, None)  # pyright: ignore[reportArgumentType]


def test_powers_in_latex() -> None:
    assert latex("age²·bmi¹⁰") == r"age$^{2}$$\cdot$bmi$^{10}$"
