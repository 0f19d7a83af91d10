"""`fit` with weights and without an intercept, against statsmodels and rational arithmetic."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from click.testing import CliRunner

from unbend import Ridge, fit
from unbend.cli.commands import unbend
from unbend.document import render_text
from unbend.errors import DataError, UsageError
from unbend.regression.summary import table_of


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    data = pd.DataFrame(rng.normal(5, 2, size=(80, 2)).round(2), columns=["a", "b"])
    data["w"] = rng.gamma(2.0, 3.0, 80).round(2)
    data["y"] = (data["a"] * 2 - data["b"] + 3 + rng.normal(size=80) / np.sqrt(data["w"])).round(3)
    return data


@pytest.mark.parametrize("weights", ["w", None])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("degree", [1, 2])
def test_statsmodels(nist, frame: pd.DataFrame, weights: str | None, intercept: bool, degree: int) -> None:
    excluded = [] if weights else ["w"]
    result = fit(frame, "y", weights=weights, intercept=intercept, degree=degree, exclude=excluded)
    a, b = frame["a"].to_numpy(), frame["b"].to_numpy()
    x = np.column_stack([a, b] + ([a * a, a * b, b * b] if degree == 2 else []))
    design, w = sm.add_constant(x) if intercept else x, frame["w"] if weights else np.ones(80)
    expected = sm.WLS(frame["y"], design, weights=w).fit()
    rows = result.coefficients if intercept else result.coefficients[1:]
    actual = np.array([[row.estimate, row.se, row.t, row.p, row.low, row.high] for row in rows])
    interval = np.asarray(expected.conf_int())
    columns = [expected.params, expected.bse, expected.tvalues, expected.pvalues, interval[:, 0], interval[:, 1]]
    np.testing.assert_allclose(actual, np.column_stack(columns), rtol=1e-7)
    assert result.r2 == pytest.approx(expected.rsquared, rel=1e-10)
    assert result.adj_r2 == pytest.approx(expected.rsquared_adj, rel=1e-10)
    assert result.f == pytest.approx(expected.fvalue, rel=1e-9)
    assert result.df_resid == expected.df_resid


@pytest.mark.parametrize("intercept", [True, False])
def test_fifteen_digits(nist, frame: pd.DataFrame, intercept: bool) -> None:
    result = fit(frame, "y", weights="w", intercept=intercept)
    truth = nist.exact(frame[["a", "b"]].to_numpy(), frame["y"].to_numpy(), frame["w"].to_numpy(), intercept)
    rows = result.coefficients if intercept else result.coefficients[1:]
    assert nist.digits(np.array([row.estimate for row in rows]), truth.estimates) >= 15
    assert nist.digits(np.array([row.se for row in rows]), truth.errors) >= 15
    assert nist.digits(result.r2, truth.r2) >= 15


def test_rows_of_weight_0_are_left_out(frame: pd.DataFrame) -> None:
    frame.loc[:9, "w"] = 0.0
    result = fit(frame, "y", weights="w")
    np.testing.assert_array_equal(result.se, fit(frame[10:], "y", weights="w").se)
    assert result.n == 70
    assert "10 rows of weight 0 are left out" in render_text(result.document()).replace("\n    ", " ")


@pytest.mark.parametrize(("value", "said"), [(-1.0, "is -1"), (np.nan, "is missing"), (np.inf, "is inf")])
def test_weights_that_cannot_be(frame: pd.DataFrame, value: float, said: str) -> None:
    frame.loc[17, "w"] = value
    with pytest.raises(DataError, match=said) as caught:
        fit(frame, "y", weights="w")
    assert "row 17" in caught.value.where


@pytest.mark.parametrize(
    "options",
    [
        {"weights": "y"},
        {"weights": "w", "degree": 3, "save": "never.unbend"},
        {"digits": True, "save": "never.unbend"},
    ],
)
def test_options_that_do_not_fit(frame: pd.DataFrame, options: dict) -> None:
    with pytest.raises(UsageError):
        fit(frame, "y", **options)


def test_unknown_weights(frame: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no column 'v'"):
        fit(frame, "y", weights="v")


def test_a_class_has_no_more_digits(frame: pd.DataFrame) -> None:
    with pytest.raises(UsageError, match="is a class"):
        fit(frame.assign(y=np.where(frame["y"] > 8, "yes", "no")), "y", digits=True)


def test_on_the_command_line(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_csv(tmp_path / "rows.csv", index=False)
    options = ["--target", "y", "--weights", "w", "--no-intercept", "--degree", "3", "--digits"]
    found = CliRunner().invoke(unbend, ["fit", str(tmp_path / "rows.csv"), *options])
    assert found.exit_code == 0, found.output
    assert "up to degree 3" in found.output
    assert "There is no intercept" in found.output
    assert "In full" in found.output
    assert "intercept " not in found.output.split("Coefficients")[1].split("•")[0]


def test_ridge_with_weights_and_through_the_origin(frame: pd.DataFrame) -> None:
    weak = fit(frame, "y", weights="w", ridge=1e-9, intercept=False)
    np.testing.assert_allclose(weak.coef, fit(frame, "y", weights="w", intercept=False).coef, rtol=1e-6)


@pytest.mark.parametrize("rows", [80, 3])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_weights_of_a_ridge_are_precisions_whatever_their_size(frame: pd.DataFrame, rows: int, size: float) -> None:
    some = frame[:rows].assign(c=np.sin(np.arange(rows)))
    found = fit(some.assign(w=some["w"] * size), "y", weights="w", ridge=2.0)
    share = np.asarray(some["w"] / some["w"].mean())
    x = some[["a", "b", "c"]].to_numpy()
    spread = np.sqrt(share @ np.square(x - share @ x / rows) / rows)
    z = np.column_stack([np.ones(rows), (x - share @ x / rows) / spread])
    inverse = np.linalg.inv(z.T @ (share[:, None] * z) + np.diag([0.0, 2.0, 2.0, 2.0]))
    effects = inverse @ z.T @ (share * some["y"])
    rss = share @ np.square(some["y"] - z @ effects)
    df = np.trace(inverse @ z.T @ (share[:, None] * z))
    np.testing.assert_allclose(found.coef, effects[1:] / spread, rtol=1e-9)
    np.testing.assert_allclose(found.sigma, np.sqrt(rss / (rows - df)), rtol=1e-9)
    likelihood = np.log(share).sum() / 2 - rows / 2 * (np.log(2 * np.pi * rss / rows) + 1)
    np.testing.assert_allclose(found.aic, 2 * (df + 1) - 2 * likelihood, rtol=1e-9)
    shown = [row[2] for row in table_of(found).rows[1:]]
    np.testing.assert_allclose(np.array(shown, dtype=float), effects[1:], rtol=1e-9)


@pytest.mark.parametrize("rows", [80, 3])
@pytest.mark.parametrize("size", [1e-3, 1e3])
def test_a_ridge_is_chosen_whatever_the_size_of_weights(frame: pd.DataFrame, rows: int, size: float) -> None:
    some = frame[:rows].assign(c=np.sin(np.arange(rows)))
    found = fit(some.assign(w=some["w"] * size), "y", weights="w", ridge="gcv")
    expected = fit(some, "y", weights="w", ridge="gcv")
    assert found.ridge == pytest.approx(expected.ridge, rel=1e-4)
    np.testing.assert_allclose(found.coef, expected.coef, rtol=1e-5)


@pytest.mark.parametrize(("rows", "columns"), [(60, 8), (20, 40)])
@pytest.mark.parametrize("alpha", ["gcv", "loo"])
def test_weights_that_are_fewer_rows_than_parameters_choose_no_strength(rows: int, columns: int, alpha) -> None:
    """The strength was rounding: 1e-11, or the strongest that is tried."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, columns))
    y = x @ rng.normal(size=columns) + rng.normal(size=rows)
    weights = np.full(rows, 2.0**-7)
    with pytest.raises(UsageError, match=f"these add up to {rows / 128:.3g} rows, fewer than the"):
        Ridge(alpha).fit(x, y, weights)
    once = Ridge(alpha).fit(x, y, weights / weights.mean())
    np.testing.assert_array_equal(once.coef_, Ridge(alpha).fit(x, y).coef_)
