"""Predictions of rows that were not fitted, from files and frames: by name, in any order, with gaps and new levels."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import statsmodels.formula.api as smf

from unbend.errors import DataError, UsageError
from unbend.regression import LinearFit, fit


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"size": rng.normal(90, 20, 90), "region": rng.choice(["north", "east", "west"], 90)})
    return data.assign(price=2 * data["size"] + 40 * (data["region"] == "north") + rng.normal(0, 9, 90))


@pytest.fixture(scope="module")
def found(rows: pd.DataFrame) -> LinearFit:
    return fit(rows[:60], "price")


@pytest.mark.parametrize("kind", ["pandas", "polars", "csv", "parquet"])
def test_statsmodels(rows: pd.DataFrame, found: LinearFit, kind: str, tmp_path: Path) -> None:
    new = rows.loc[60:, ["region", "size"]]
    data = {
        "pandas": lambda: new,
        "polars": lambda: pl.from_pandas(new),
        "csv": lambda: new.to_csv(tmp_path / "new.csv", index=False) or tmp_path / "new.csv",
        "parquet": lambda: new.to_parquet(tmp_path / "new.parquet") or str(tmp_path / "new.parquet"),
    }[kind]()
    other = smf.ols("price ~ size + C(region)", rows[:60]).fit().get_prediction(new).summary_frame(alpha=0.1)
    np.testing.assert_allclose(found.predict(data), other["mean"], rtol=1e-10)
    intervals = found.predict_interval(data, 0.9)
    np.testing.assert_allclose(intervals.low, other["obs_ci_lower"], rtol=1e-10)
    np.testing.assert_allclose(intervals.mean_high, other["mean_ci_upper"], rtol=1e-10)


def test_blocks_make_no_difference(rows: pd.DataFrame, found: LinearFit, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = found.predict_interval(rows)
    monkeypatch.setattr("unbend.regression.new_rows.block_rows", lambda columns: 7)
    parts = found.predict_interval(rows)
    np.testing.assert_allclose(parts.high, whole.high, rtol=1e-14)
    with pytest.raises(DataError) as caught:
        found.predict(rows.assign(region=rows["region"].where(rows.index != 71, "south")))
    assert caught.value.what == "region has a level that the fitted rows did not have: south"
    assert caught.value.where.startswith("row 71 (the first row is 0)")


def test_a_missing_value_has_no_prediction(rows: pd.DataFrame, found: LinearFit) -> None:
    gaps = rows.assign(size=rows["size"].where(rows.index != 3), region=rows["region"].where(rows.index != 5))
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(found.predict(gaps))), [3, 5])
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(found.predict_interval(gaps).low)), [3, 5])


def test_powers_and_formulas(rows: pd.DataFrame) -> None:
    new = rows[["region", "size"]]
    powers = fit(rows, "price", degree=3)
    terms = "C(region) * size + C(region) : I(size**2) + I(size**2) + I(size**3)"
    np.testing.assert_allclose(powers.predict(new), smf.ols(f"price ~ {terms}", rows).fit().predict(new), rtol=1e-9)
    np.testing.assert_allclose(powers.predict(new), powers.predict(powers.coding.encode(_batch(new))), rtol=1e-14)
    formula = fit(rows, formula="np.log(price) ~ size * C(region)")
    other = smf.ols("np.log(price) ~ size * C(region)", rows).fit()
    np.testing.assert_allclose(formula.predict(new), other.predict(new), rtol=1e-10)
    with pytest.raises(DataError, match="south"):
        formula.predict(new.assign(region="south"))


def test_what_has_no_predictions(rows: pd.DataFrame, found: LinearFit) -> None:
    with pytest.raises(DataError, match="lacks 1 of the columns that were fitted: size"):
        found.predict(rows[["region"]])
    with pytest.raises(DataError, match="size held numbers where it was fitted"):
        found.predict(rows.assign(size="large"))
    with pytest.raises(DataError, match="3 columns each"):
        found.predict(np.zeros((4, 2)))
    with pytest.raises(UsageError, match="between 0 and 1"):
        found.predict_interval(rows, 95)
    assert found.predict(rows[:0]).shape == (0,)


def _batch(frame: pd.DataFrame):
    import pyarrow as pa

    return pa.RecordBatch.from_pandas(frame)


def test_an_iterator_of_new_rows_is_read_once(rows: pd.DataFrame, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    found = fit(rows, "price", rows=out, predict=iter([rows[:10], rows[10:15]]))
    assert isinstance(found, LinearFit)
    np.testing.assert_allclose(pd.read_csv(out)["prediction"], found.predict(rows[:15]), rtol=1e-14)
