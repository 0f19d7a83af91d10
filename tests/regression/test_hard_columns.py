"""Columns that cost other programs their digits: dates in seconds, an income beside a rate, numbers of a trillion.

In memory, from a file that is read in blocks once, and on Dask; against rational arithmetic.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from unbend import LinearRegression, fit
from unbend.errors import DataError

N = 900
NAMES = ("a", "b", "c")
COLUMNS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "a date in seconds": lambda rng: 1.6e9 + np.round(2.6e6 * rng.random(N)),
    "an income beside a rate": lambda rng: np.round(5e4 + 2e4 * rng.normal(size=N), 2),
    "a number of a trillion": lambda rng: 1e12 + np.round(1e4 * rng.random(N)),
    "a mean of 1e8": lambda rng: rng.normal(1e8, 1, N),
}


def rows(kind: str) -> pd.DataFrame:
    """A hard column, a rate (standard deviation 0.01), a column of nothing special, and a target."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": COLUMNS[kind](rng), "b": rng.normal(0.03, 0.01, N), "c": rng.normal(size=N)})
    frame["y"] = (frame.a - frame.a.mean()) / frame.a.std() + 300 * frame.b - frame.c + rng.normal(size=N)
    return frame


def in_memory(frame: pd.DataFrame, folder: Path) -> np.ndarray:
    model = LinearRegression().fit(frame[list(NAMES)], frame["y"])
    return np.array([row.estimate for row in model.inference().coefficients])


def of(fitted: Any) -> np.ndarray:
    return np.array([row.estimate for row in fitted.coefficients])


def parquet(frame: pd.DataFrame, folder: Path) -> np.ndarray:
    frame.to_parquet(folder / "t.parquet", row_group_size=97)
    return of(fit(folder / "t.parquet", "y"))


def csv(frame: pd.DataFrame, folder: Path) -> np.ndarray:
    frame.to_csv(folder / "t.csv", index=False)
    return of(fit(folder / "t.csv", "y"))


def partitions(frame: pd.DataFrame, folder: Path) -> np.ndarray:
    dd = pytest.importorskip("dask.dataframe")
    with pytest.importorskip("dask").config.set(scheduler="sync"):
        return of(fit(dd.from_pandas(frame, npartitions=7), "y"))


def estimator_of_partitions(frame: pd.DataFrame, folder: Path) -> np.ndarray:
    dd = pytest.importorskip("dask.dataframe")
    with pytest.importorskip("dask").config.set(scheduler="sync"):
        lazy = dd.from_pandas(frame, npartitions=7)
        model = LinearRegression().fit(lazy[list(NAMES)], lazy["y"])
    return np.array([model.intercept_, *model.coef_])


WAYS = [in_memory, parquet, csv, partitions, estimator_of_partitions]


@pytest.fixture(autouse=True)
def rows_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as large, so that they are read once, and in several blocks."""
    for module in ("unbend.data.table", "unbend.regression.rows"):
        monkeypatch.setattr(import_module(module), "FEW", 0)
    monkeypatch.setattr(import_module("unbend.data.source"), "NUMBERS", 1000)


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("way", WAYS)
def test_thirteen_digits(nist, kind: str, way: Callable[[pd.DataFrame, Path], np.ndarray], tmp_path: Path) -> None:
    frame = rows(kind)
    truth = nist.exact(frame[list(NAMES)].to_numpy(), frame["y"].to_numpy())
    assert nist.digits(way(frame, tmp_path), truth.estimates) >= 13


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("scale", [2.0**-20, 1.0, 2.0**20])
@pytest.mark.parametrize("shift", [0.0, 2.0**20, 2.0**26])
def test_shift_and_scale_of_any_column_change_nothing(
    way: Callable[[pd.DataFrame, Path], np.ndarray], scale: float, shift: float, tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    plain = pd.DataFrame(np.round(rng.normal(size=(N, 3)) * 2.0**20) / 2.0**20, columns=list(NAMES))
    plain["y"] = plain.a - 2 * plain.b + 3 * plain.c + rng.normal(size=N)
    before = way(plain, tmp_path)
    for place, name in enumerate(NAMES, start=1):
        moved = plain.assign(**{name: (plain[name] + shift) * scale})
        after = way(moved, tmp_path)
        after[0] += after[place] * scale * shift
        after[place] *= scale
        np.testing.assert_allclose(after[1:], before[1:], rtol=1e-13)
        assert after[0] == pytest.approx(before[0], abs=1e-15 * shift + 1e-13)


UNITS = [(1e-130, 1e100), (1e-139, 1e149), (1e140, 1e-130), (1e140, 1e140), (1e-130, 1e-130)]
"""Of columns and target: the squares of coefficients and standard errors may have no place in a float64."""


def rows_in(column: float, target: float) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    y = x @ [1.0, 2.0] + rng.normal(size=200) + 3.0
    return pd.DataFrame({"a": x[:, 0] * column, "b": x[:, 1] * column, "y": y * target})


@pytest.mark.parametrize("covariance", ["classical", "HC3", "HAC"])
@pytest.mark.parametrize(("column", "target"), UNITS)
def test_units_that_are_far_apart_change_nothing(column: float, target: float, covariance: str) -> None:
    expected, found = (fit(frame, "y", covariance=covariance) for frame in (rows_in(1.0, 1.0), rows_in(column, target)))
    for one, other in zip(found.coefficients[1:], expected.coefficients[1:], strict=True):
        for name in ("estimate", "se", "low", "high"):
            assert getattr(one, name) / target * column == pytest.approx(getattr(other, name), rel=1e-13)
        assert (one.t, one.p) == pytest.approx((other.t, other.p), rel=1e-11)
    assert found.coefficients[0].se / target == pytest.approx(expected.coefficients[0].se, rel=1e-13)
    assert found.f == pytest.approx(expected.f, rel=1e-11)
    if column == target:
        np.testing.assert_allclose(found.covariance[1:, 1:], expected.covariance[1:, 1:], rtol=1e-12)
    else:
        with pytest.raises(DataError, match="the variance of the coefficient of a is too large or too small"):
            _ = found.covariance


def test_squares_in_any_units_or_not_at_all() -> None:
    expected, found = (fit(frame, "y", degree=2) for frame in (rows_in(1.0, 1.0), rows_in(1e-130, 1e-130)))
    size = np.where(["²" in name or "·" in name for name in expected.names], 1e130, 1.0)
    np.testing.assert_allclose(found.coef / size, expected.coef, rtol=1e-12)
    np.testing.assert_allclose(found.se / size, expected.se, rtol=1e-12)
    for units in ((1e-130, 1e100), (1e140, 1e-130)):
        with pytest.raises(DataError, match="a² or its coefficient is too large or too small"):
            fit(rows_in(*units), "y", degree=2)
    with pytest.raises(DataError, match="a³ or its coefficient is too large or too small"):
        fit(rows_in(1e-130, 1e-130), "y", degree=3)
