"""What a fit says: text, JSON, predictions with intervals."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from unbend.document import Bullets, Heading, Paragraph, Table, render_text
from unbend.regression import fit, summary


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    n = 120
    data = pd.DataFrame({"size": rng.normal(90, 20, n).round(), "region": rng.choice(["north", "east"], n)})
    data["price"] = (2 * data["size"] + 40 * (data["region"] == "north") + rng.normal(0, 9, n)).round(1)
    data.loc[7, "size"] = np.nan
    return data


def words(result, kind) -> list[str]:
    return [block.text for block in result.document() if isinstance(block, kind)]


def test_text_in_80_columns(frame: pd.DataFrame) -> None:
    text = render_text(fit(frame, "price").document())
    assert max(map(len, text.splitlines())) <= 80
    assert text == (Path(__file__).parent / "fit.txt").read_text(encoding="utf-8")


def test_summary_of_an_ordinary_fit(frame: pd.DataFrame) -> None:
    result = fit(frame, "price")
    assert words(result, Heading) == ["Linear regression of price"]
    header, plain = words(result, Paragraph)
    assert header.startswith("119 rows of pandas DataFrame, 2 columns. R² 0.9495")
    assert "Clearest: one more of size, all else equal, goes with 1.966 of price" in plain
    (notes,) = (block.items for block in result.document() if isinstance(block, Bullets))
    assert notes[0] == "1 of 120 rows has a missing value and is left out (missing: size 1)."
    assert notes[-1].startswith("Computed by Cholesky factor of shifted moments, then one reading with residuals")


def test_summary_names_the_base_of_a_category(frame: pd.DataFrame) -> None:
    (_, plain) = words(fit(frame, "price", exclude=["size"]), Paragraph)
    assert "Clearest: region north instead of east, all else equal, goes with" in plain


@pytest.mark.parametrize(
    ("formula", "clearest"),
    [
        ("price ~ size * C(region)", None),
        ("price ~ poly(size, 2)", None),
        ("price ~ size + I(size**2)", None),
        ("price ~ size + C(region) + C(floor)", "one more of size"),
        ("price ~ np.log(size) + C(region):floor", "one more of np.log(size)"),
    ],
)
def test_no_column_of_two_terms_is_the_clearest(frame: pd.DataFrame, formula: str, clearest: str | None) -> None:
    plain = words(fit(frame.assign(floor=np.arange(len(frame)) % 3), formula=formula), Paragraph)[1]
    assert "Clearest" not in plain if clearest is None else f"Clearest: {clearest}, all else equal" in plain


def test_summary_of_noise() -> None:
    noise = pd.DataFrame(np.random.default_rng(1).normal(size=(30, 3)), columns=["a", "b", "y"])
    assert words(fit(noise, "y"), Paragraph)[1].endswith("No column is clear by itself: every interval includes 0.")


def test_summary_of_ridge_gives_no_intervals(frame: pd.DataFrame) -> None:
    result = fit(frame, "price", ridge=10.0)
    assert words(result, Heading) == ["Ridge regression of price"]
    (table,) = (block for block in result.document() if isinstance(block, Table))
    assert [column.name for column in table.columns] == ["", "estimate", "per standard deviation"]
    size = frame.dropna()["size"]
    assert table.rows[1][2] == pytest.approx(result.coef[0] * size.std(ddof=0))
    text = render_text(result.document())
    assert "effective" in text
    assert "none are given" in text
    assert np.isnan(result.se).all()
    assert result.f is None


def test_summary_of_dropped_columns(frame: pd.DataFrame) -> None:
    text = render_text(fit(frame.assign(area=frame["size"] * 2), "price", collinear="drop").document())
    assert "left out" in next(line for line in text.splitlines() if line.split()[:1] == ["area"])
    assert "Left out because it follows from the others: area = 2 size." in text


def test_json(frame: pd.DataFrame) -> None:
    for options in ({}, {"ridge": "gcv"}, {"degree": 2}):
        result = fit(frame, "price", **options)
        answer = json.loads(json.dumps(result.to_dict(), allow_nan=False))
        assert answer["verb"] == "fit"
        assert answer["r2"] == result.r2
        assert [row["name"] for row in answer["coefficients"]] == ["intercept", *result.names]
        assert answer["coefficients"][1]["estimate"] == result.coef[0]


def test_html_escapes_names() -> None:
    data = pd.DataFrame({"<script>": [1.0, 2.0, 3.0, 5.0], "y": [1.0, 2.0, 4.0, 4.0]})
    html = fit(data, "y")._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize("level", [None, 0.5])
def test_prediction_intervals(frame: pd.DataFrame, level: float | None) -> None:
    result = fit(frame, "price")
    complete = frame.dropna()
    x = np.column_stack([complete["size"], complete["region"] == "north"]).astype(float)
    other = sm.OLS(complete["price"].to_numpy(), sm.add_constant(x)).fit().get_prediction(sm.add_constant(x))
    expected = other.summary_frame(alpha=1 - (level or 0.95))
    actual = result.predict_interval(x, level)
    for mine, theirs in {
        "value": "mean",
        "mean_low": "mean_ci_lower",
        "mean_high": "mean_ci_upper",
        "low": "obs_ci_lower",
        "high": "obs_ci_upper",
    }.items():
        np.testing.assert_allclose(getattr(actual, mine), expected[theirs], rtol=1e-10)
    np.testing.assert_array_equal(actual.value, result.predict(x))


def test_ridge_has_predictions_without_intervals(frame: pd.DataFrame) -> None:
    predicted = fit(frame, "price", ridge=1.0).predict_interval(np.array([[90.0, 1.0]]))
    assert np.isfinite(predicted.value).all()
    assert np.isnan(predicted.low).all()


def test_the_header_of_clustered_errors_keeps_the_degrees_of_the_residuals(frame: pd.DataFrame) -> None:
    grouped = frame.assign(group=np.arange(len(frame)) % 10)
    result = fit(grouped, "price", cluster="group")
    header = words(result, Paragraph)[0]
    assert "on 116 degrees of freedom; F(2, 9) =" in header
    assert f"AIC {result.aic:.1f}" in header
    (table,) = (block for block in result.document() if isinstance(block, Table))
    assert table.title == "Coefficients, with clustered standard errors"


def test_digits_that_are_zeros_are_shown() -> None:
    x = np.arange(10.0)
    rows = pd.DataFrame({"x": x, "y": 2 * x + 0.001 * (-1.0) ** np.arange(10)})
    assert " 2.000 " in render_text(fit(rows, "y").document())
    assert "& 2.000 &" in fit(rows, "y").to_latex()


def test_one_degree_of_freedom_is_one(frame: pd.DataFrame) -> None:
    assert "on 1 degree of freedom;" in words(fit(frame[["size", "price"]][:3], "price"), Paragraph)[0]


@pytest.mark.parametrize("target", ["y", "kind"])
def test_a_column_that_is_called_intercept(target: str) -> None:
    """It is left out, the intercept is not."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=60)})
    frame["intercept"] = 2 * frame.a
    frame["y"] = frame.a + rng.normal(size=60)
    frame["kind"] = np.where(frame.y > 0, "up", "down")
    fitted = fit(frame[["a", "intercept", target]], target, collinear="drop")
    tables = [block for block in fitted.document() if isinstance(block, Table)]
    assert [row[:2] for row in tables[0].rows] == [
        ["intercept", fitted.coefficients[0].estimate],
        ["a", fitted.coefficients[1].estimate],
        ["intercept", "left out"],
    ]
    if target == "y":
        whole = [row[0] for row in summary._in_full(fitted).rows]
        assert whole == ["intercept", "a"]
