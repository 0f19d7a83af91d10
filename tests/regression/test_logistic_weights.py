"""Logistic regression of weighted rows and through the origin: statsmodels, and the rows themselves repeated."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from click.testing import CliRunner

from unbend import LogisticRegression, fit
from unbend.cli.commands import unbend
from unbend.document import render_text
from unbend.errors import DataError, UsageError


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    data = pd.DataFrame({"age": rng.normal(40, 9, 300).round(1), "income": rng.gamma(3, 9e3, 300).round()})
    score = 0.1 * (data["age"] - 40) + rng.logistic(size=300)
    data["churn"] = np.where(score > 0.3, "yes", "no")
    data["size"] = np.select([score < -0.5, score < 1], ["s", "m"], "l")
    data["times"] = rng.integers(0, 5, 300)
    data["share"] = rng.gamma(2.0, 0.4, 300).round(3)
    return data


def columns(frame: pd.DataFrame) -> np.ndarray:
    return frame[["age", "income"]].to_numpy(float)


def other(frame: pd.DataFrame, kind: str):
    """statsmodels' GLM, whose weights are either repetitions or precisions."""
    kept = frame[frame["times" if kind == "freq_weights" else "share"] > 0]
    weights = {kind: kept["times" if kind == "freq_weights" else "share"].to_numpy(float)}
    family = sm.families.Binomial()
    design = sm.add_constant(columns(kept))
    return sm.GLM((kept["churn"] == "yes").astype(float), design, family=family, **weights).fit(tol=1e-14)


@pytest.mark.parametrize(("weights", "kind"), [("times", "freq_weights"), ("share", "var_weights")])
def test_statsmodels(frame: pd.DataFrame, weights: str, kind: str) -> None:
    result = fit(frame[["age", "income", "churn", weights]], "churn", weights=weights)
    expected = other(frame, kind)
    rows = result.coefficients
    for name, values in {"estimate": expected.params, "se": expected.bse, "z": expected.tvalues}.items():
        np.testing.assert_allclose([getattr(row, name) for row in rows], values, rtol=1e-7, err_msg=name)
    np.testing.assert_allclose([[row.low, row.high] for row in rows], expected.conf_int(), rtol=1e-6)
    assert result.log_likelihood == pytest.approx(expected.llf, rel=1e-10)
    assert result.null_log_likelihood == pytest.approx(expected.llnull, rel=1e-10)
    assert result.aic == pytest.approx(expected.aic, rel=1e-10)
    if kind == "freq_weights":
        assert result.weight == frame["times"].sum()
        assert result.bic == pytest.approx(expected.bic_llf, rel=1e-10)


def test_the_estimator_is_the_same(frame: pd.DataFrame) -> None:
    result = fit(frame[["age", "income", "churn", "times"]], "churn", weights="times")
    model = LogisticRegression(0.0).fit(frame[["age", "income"]], frame["churn"], frame["times"])
    np.testing.assert_allclose(model.coef_[0], [row.estimate for row in result.coefficients[1:]], rtol=1e-12)
    np.testing.assert_allclose(model.solution_.standard_errors[0], [row.se for row in result.coefficients], rtol=1e-9)


@pytest.mark.parametrize("target", ["churn", "size"])
@pytest.mark.parametrize("ridge", [None, 3.0])
@pytest.mark.parametrize("degree", [1, 2])
def test_a_weight_is_that_many_rows(frame: pd.DataFrame, target: str, ridge: float | None, degree: int) -> None:
    data = frame[["age", "income", target, "times"]]
    weighted = fit(data, target, weights="times", ridge=ridge, degree=degree)
    repeated = data.loc[np.repeat(data.index, data["times"])].drop(columns="times")
    plain = fit(repeated, target, ridge=ridge, degree=degree)
    for name in ("estimate", "se"):
        left, right = ([getattr(row, name) for row in one.coefficients] for one in (weighted, plain))
        np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-12, err_msg=name)
    assert weighted.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-11)
    if ridge is None:
        assert (weighted.bic, weighted.chi2_p) == pytest.approx((plain.bic, plain.chi2_p), rel=1e-8)
    assert (weighted.n, weighted.weight) == ((data["times"] > 0).sum(), plain.n)


@pytest.mark.parametrize("target", ["churn", "size"])
def test_through_the_origin(frame: pd.DataFrame, target: str) -> None:
    result = fit(frame[["age", "income", target]], target, intercept=False)
    kind = sm.Logit if target == "churn" else sm.MNLogit
    scaled = columns(frame) / [1, 1e4]
    expected = kind(pd.Categorical(frame[target]).codes, scaled).fit(disp=False, method="newton", tol=1e-14)
    found = [(row.estimate, row.se) for row in result.coefficients]
    back = np.tile([1, 1e-4], len(result.classes) - 1)[:, None]
    right = np.column_stack([expected.params.ravel(order="F"), np.asarray(expected.bse).ravel(order="F")])
    np.testing.assert_allclose(found, right * back, rtol=1e-7)
    assert result.null_log_likelihood == pytest.approx(-300 * np.log(len(result.classes)), rel=1e-12)
    assert result.chi2_df == len(result.coefficients)
    text = render_text(result.document())
    assert "There is no intercept" in text
    assert "\n  intercept" not in text


def test_what_is_said_of_weights(frame: pd.DataFrame) -> None:
    data = frame[["age", "churn", "times"]]
    text = render_text(fit(data, "churn", weights="times").document()).replace("\n    ", " ")
    assert "Rows are weighted by times: one of weight 2 counts as two rows, in standard errors too" in text
    assert f"{(data['times'] == 0).sum()} rows of weight 0 are left out" in text


def test_rows_without_weight(frame: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no row is of class yes") as caught:
        fit(frame[["age", "churn"]].assign(w=(frame["churn"] == "no") * 1.0), "churn", weights="w")
    assert "yes: 0" in caught.value.where
    with pytest.raises(DataError, match="every row of pandas DataFrame has weight 0"):
        fit(frame[["age", "churn"]].assign(w=0.0), "churn", weights="w")
    with pytest.raises(DataError, match="no row is of class"):
        fit(frame[["age", "churn"]].assign(w=(frame["churn"] == "no") * 1.0), "churn", weights="w", ridge=1.0)


@pytest.mark.parametrize("weights", [np.full(300, 1e-3), np.geomspace(1e-6, 1e6, 300)])
def test_light_and_heavy_rows(frame: pd.DataFrame, weights: np.ndarray) -> None:
    x, y = columns(frame), (frame["churn"] == "yes").to_numpy(float)
    model = LogisticRegression(0.0).fit(x, y, weights)
    design = sm.add_constant((x - x.mean(axis=0)) / x.std(axis=0))
    expected = sm.GLM(y, design, family=sm.families.Binomial(), freq_weights=weights).fit(tol=1e-14)
    np.testing.assert_allclose(model.coef_[0] * x.std(axis=0), expected.params[1:], rtol=1e-6)


def test_separated_rows_of_some_weight(frame: pd.DataFrame) -> None:
    apart = frame["churn"].where(frame["times"] == 0, np.where(frame["age"] > 40, "yes", "no"))
    with pytest.raises(DataError, match="told apart without error"):
        fit(frame[["age", "times"]].assign(churn=apart), "churn", weights="times")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"digits": True}, "its coefficients have no digits beyond those of float64"),
        ({"collinear": "least norm"}, "there are no coefficients of least norm"),
        ({"save": "never.unbend"}, "a logistic regression cannot be saved"),
    ],
)
def test_what_a_class_has_not(frame: pd.DataFrame, options: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        fit(frame[["age", "churn"]], "churn", **options)
    assert caught.value.try_


def test_on_the_command_line(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame[["age", "income", "churn", "times"]].to_csv(tmp_path / "rows.csv", index=False)
    options = ["fit", str(tmp_path / "rows.csv"), "--target", "churn", "--weights", "times"]
    found = CliRunner().invoke(unbend, [*options, "--degree", "3", "--no-intercept"])
    assert found.exit_code == 0, found.output
    assert "powers and products up to degree 3" in found.output
    refused = CliRunner().invoke(unbend, [*options, "--digits"])
    assert refused.exit_code != 0
