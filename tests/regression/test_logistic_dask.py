"""Logistic regression of partitions is that of one process, wherever the rows are added up."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from unbend.regression import first_guess, fit, rows

dask = pytest.importorskip("dask")
dd = pytest.importorskip("dask.dataframe")


@pytest.fixture(autouse=True)
def in_this_thread() -> Iterator[None]:
    with dask.config.set(scheduler="sync"):
        yield


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"time": 1.6e9 + 1e5 * rng.random(4000), "rate": 1e-3 * rng.random(4000)})
    table["region"] = rng.choice(["north", "south", "west"], 4000)
    score = 2e-5 * (table["time"] - 1.6e9) + (table["region"] == "west") + rng.logistic(size=4000)
    table["size"] = np.select([score < 0, score < 2], ["s", "m"], "l")
    table["churn"] = np.where(score > 1, "yes", "no")
    table["times"] = rng.integers(0, 3, 4000)
    table.loc[[5, 1700, 3999], "rate"] = np.nan
    return table


def same(one, other) -> None:
    assert (one.n, one.classes, one.weight) == (other.n, other.classes, other.weight)
    for name in ("estimate", "se"):
        left, right = ([getattr(row, name) for row in each.coefficients] for each in (one, other))
        np.testing.assert_allclose(left, right, rtol=1e-9, err_msg=name)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-13)


@pytest.mark.parametrize("target", ["churn", "size"])
@pytest.mark.parametrize("weights", [None, "times"])
@pytest.mark.parametrize("partitions", [1, 6])
def test_partitions(frame: pd.DataFrame, target: str, weights: str | None, partitions: int) -> None:
    columns = ["time", "rate", "region", target, *([weights] if weights else [])]
    parts = dd.from_pandas(frame[columns], npartitions=partitions)
    same(fit(parts, target, weights=weights), fit(frame[columns], target, weights=weights))


@pytest.mark.parametrize("kept", [True, False])
def test_a_start_from_the_first_rows_changes_nothing(monkeypatch, frame, tmp_path: Path, kept: bool) -> None:
    """Rows of a file are not taken from all over."""
    columns = ["rate", "region", "churn"]
    plain = fit(frame[columns], "churn")
    frame[columns].sort_values("churn").to_parquet(tmp_path / "sorted.parquet")
    frame[columns].to_parquet(tmp_path / "rows.parquet")
    monkeypatch.setattr(first_guess, "SMALL", 0)
    if not kept:
        monkeypatch.setattr(rows, "FEW", 0)
    for name in ("rows", "sorted"):
        same(fit(tmp_path / f"{name}.parquet", "churn"), plain)
