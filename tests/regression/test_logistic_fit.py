"""`fit` for a target of classes: statsmodels' numbers, any source, text, refusals."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from unbend.document import render_text
from unbend.errors import DataError, UsageError
from unbend.regression import fit


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    n = 500
    data = pd.DataFrame({"age": rng.normal(40, 9, n).round(1), "region": rng.choice(["north", "east"], n)})
    score = 0.1 * (data["age"] - 40) + (data["region"] == "north") + rng.logistic(size=n)
    data["size"] = np.select([score < -0.5, score < 1], ["s", "m"], "l")
    data["churn"] = np.where(score > 0.3, "yes", "no")
    data.loc[3, "age"] = np.nan
    return data


def other(frame: pd.DataFrame, target: str):
    complete = frame.dropna()
    x = sm.add_constant(np.column_stack([complete["age"], complete["region"] == "north"]).astype(float))
    codes = pd.Categorical(complete[target]).codes
    kind = sm.Logit if target == "churn" else sm.MNLogit
    return kind(codes, x).fit(disp=False, method="newton", maxiter=100, tol=1e-14)


@pytest.mark.parametrize("target", ["churn", "size"])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_statsmodels(frame: pd.DataFrame, target: str, level: float) -> None:
    result = fit(frame, target, exclude=["size" if target == "churn" else "churn"], level=level)
    expected = other(frame, target)
    interval = np.asarray(expected.conf_int(1 - level)).reshape(-1, 2)
    rows = result.coefficients
    for name, values in {
        "estimate": expected.params,
        "se": expected.bse,
        "z": expected.tvalues,
        "p": expected.pvalues,
        "odds_ratio": np.exp(expected.params),
    }.items():
        actual = [getattr(row, name) for row in rows]
        np.testing.assert_allclose(actual, np.asarray(values).ravel(order="F"), rtol=1e-6, err_msg=name)
    np.testing.assert_allclose([[row.low, row.high] for row in rows], interval, rtol=1e-6)
    assert (result.n, result.chi2_df) == (499, expected.df_model)
    assert result.log_likelihood == pytest.approx(expected.llf, rel=1e-11)
    assert result.pseudo_r2 == pytest.approx(expected.prsquared, rel=1e-8)
    assert (result.chi2, result.chi2_p) == pytest.approx((expected.llr, expected.llr_pvalue), rel=1e-6)
    assert (result.aic, result.bic) == pytest.approx((expected.aic, expected.bic), rel=1e-10)


def test_the_same_from_a_file(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_csv(tmp_path / "t.csv", index=False)
    result, plain = (fit(data, "size", exclude=["churn"]) for data in (tmp_path / "t.csv", frame))
    assert [row.estimate for row in result.coefficients] == [row.estimate for row in plain.coefficients]
    assert result.classes == ("l", "m", "s")


def test_predictions_are_probabilities(frame: pd.DataFrame) -> None:
    result = fit(frame, "size", exclude=["churn"], degree=2)
    assert result.degree == 2
    complete = frame.dropna()
    x = np.column_stack([complete["age"], complete["region"] == "north"]).astype(float)
    predicted = result.predict(x)
    np.testing.assert_allclose(predicted.sum(axis=1), 1.0, rtol=1e-12)
    shares = complete["size"].value_counts(normalize=True).sort_index()
    np.testing.assert_allclose(predicted.mean(axis=0), shares, rtol=1e-9)


def test_text_and_json(frame: pd.DataFrame) -> None:
    result = fit(frame, "churn", exclude=["size"])
    text = render_text(result.document())
    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith("Logistic regression of churn\n")
    assert "Log-odds of yes against no" in text
    assert "1 of 500 rows has a missing value" in text
    answer = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert answer["coefficients"][1]["name"] == "age"
    assert answer["classes"] == ["no", "yes"]


def test_a_ridge_has_no_inference(frame: pd.DataFrame) -> None:
    result = fit(frame, "churn", exclude=["size"], ridge=5.0)
    text = render_text(result.document())
    assert "none are given" in text
    assert "std. error" not in text
    assert (result.aic, result.chi2) == (None, None)
    assert np.isnan(result.coefficients[1].se)
    assert abs(result.coefficients[1].estimate) < abs(fit(frame, "churn", exclude=["size"]).coefficients[1].estimate)


def test_dropped_columns_are_left_out(frame: pd.DataFrame) -> None:
    result = fit(frame.assign(months=12 * frame["age"]), "churn", exclude=["size"], collinear="drop")
    assert result.dropped == ("months = 12 age",)
    row = next(line for line in render_text(result.document()).splitlines() if line.split()[:1] == ["months"])
    assert "left out" in row


def test_separated_classes(frame: pd.DataFrame) -> None:
    apart = frame.assign(churn=np.where(frame["age"] > 41.25, "yes", "no"))
    with pytest.raises(DataError, match="no and yes are told apart without error") as caught:
        fit(apart, "churn", exclude=["size", "region"])
    assert caught.value.where == "every row of yes, and none of no, has age > 41.25"
    assert "--ridge 1" in caught.value.try_


@pytest.mark.parametrize(
    "options", [{"ridge": "gcv"}, {"ridge": -1.0}, {"covariance": "HC1"}, {"cluster": "region"}, {"degree": 0}]
)
def test_options_that_do_not_fit(frame: pd.DataFrame, options: dict) -> None:
    with pytest.raises(UsageError):
        fit(frame, "churn", **options)


def test_too_few_rows(frame: pd.DataFrame) -> None:
    few = pd.DataFrame({"a": [1.0, 2.0, 4.0], "b": [0.0, 1.0, 0.0], "y": ["u", "v", "u"]})
    with pytest.raises(DataError, match="3 rows cannot determine 2 columns") as caught:
        fit(few, "y")
    assert "--ridge 1" in caught.value.try_
    assert fit(few, "y", ridge=1.0).n == 3


@pytest.mark.parametrize("intercept", [True, False])
def test_a_column_that_is_called_intercept_has_an_odds_ratio(frame: pd.DataFrame, intercept: bool) -> None:
    named = frame[["age", "churn"]].assign(intercept=np.sin(np.arange(len(frame))))
    found = fit(named, "churn", intercept=intercept)
    (table,) = [one for one in found.document()[-1].blocks if "Odds ratios" in getattr(one, "title", "")]
    assert [row[0] for row in table.rows] == ["age", "intercept"]
    assert [row[1] for row in table.rows] == [one.odds_ratio for one in found.coefficients[-2:]]
