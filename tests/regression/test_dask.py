"""Fits on Dask are those of one process, to the last digits, whatever the partitions, the data and the workers."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import unbend
from unbend.cli import main
from unbend.errors import DataError, UsageError
from unbend.regression import FitState, fit

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
distributed = pytest.importorskip("distributed")

N = 3000


@pytest.fixture(scope="module", autouse=True)
def in_this_thread() -> Iterator[None]:
    """Where no cluster is asked for."""
    with dask.config.set(scheduler="sync"):
        yield


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {"time": 1.6e9 + 1e5 * rng.random(N), "rate": 1e-3 * rng.random(N), "age": rng.normal(40, 9, N)}
    )
    rows["region"] = rng.choice(["north", "south", "west"], N)
    rows["kind"] = pd.Categorical(rng.choice(list("pqr"), N))
    rows["member"] = rng.random(N) < 0.3
    rows["y"] = 2e-5 * (rows.time - 1.6e9) + 900 * rows.rate + 0.1 * rows.age + (rows.region == "west")
    rows["y"] += rng.normal(size=N)
    rows.loc[[5, 1700, 2999], "age"] = np.nan
    rows.loc[7, "region"] = None
    return rows


@pytest.fixture(scope="module")
def files(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    for i, start in enumerate(range(0, N, 750)):
        frame[start : start + 750].to_parquet(folder / f"{i}.parquet")
        frame[start : start + 750].to_csv(folder / f"{i}.csv", index=False)
    return folder


def local_cluster() -> Any:
    """Two processes with a thread each."""
    return distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with local_cluster() as two:
        yield two


def numbers(one: Any) -> np.ndarray:
    values = [value for row in one.coefficients for value in (row.estimate, row.se)]
    return np.array([*values, one.rss, one.tss, one.r2, *([] if one.f is None else [one.f])])


def same(one: Any, other: Any, digits: float = 1e-13) -> bool:
    """Whether estimates, standard errors and sums of squares agree to so many digits, and all that is said."""
    assert (one.n, one.notes, one.names, one.df_resid) == (other.n, other.notes, other.names, other.df_resid)
    return np.allclose(numbers(one), numbers(other), rtol=digits, atol=0)


def unknown(frame: Any) -> Any:
    """With categories that Dask does not know."""
    return frame.assign(kind=frame["kind"].cat.as_unknown())


@pytest.mark.parametrize("partitions", [1, 7, 200])
def test_any_partitions(frame: pd.DataFrame, partitions: int) -> None:
    rows = unknown(dd.from_pandas(frame, npartitions=partitions))
    assert same(fit(rows, "y"), fit(frame, "y"))


def test_partitions_without_rows(frame: pd.DataFrame) -> None:
    rows = dd.from_pandas(frame, npartitions=9)
    rows = rows[rows["time"] > 1.60005e9]
    rows = dd.concat([rows.partitions[:1].loc[:-1], rows])
    assert same(fit(rows, "y"), fit(frame[frame.time > 1.60005e9], "y"))


@pytest.mark.parametrize("options", [{"degree": 2, "exclude": ["time"]}, {"covariance": "HC3"}, {"cluster": "region"}])
def test_options(frame: pd.DataFrame, options: dict) -> None:
    frame = frame.dropna()
    assert same(fit(dd.from_pandas(frame, npartitions=5), "y", **options), fit(frame, "y", **options), 1e-12)


def test_ridge(frame: pd.DataFrame) -> None:
    ours, one = (fit(rows, "y", ridge=3.0) for rows in (dd.from_pandas(frame, npartitions=5), frame))
    assert np.allclose(ours.coef, one.coef, rtol=1e-12, atol=0)


def test_columns_that_need_a_factor_of_the_rows(frame: pd.DataFrame) -> None:
    rows = frame.assign(nearly=frame.age * (1 + 1e-9 * np.arange(N)))
    one = fit(rows, "y")
    assert one.condition > 1e5
    assert same(fit(dd.from_pandas(rows, npartitions=6), "y"), one, 1e-12)


def test_arrays(frame: pd.DataFrame) -> None:
    x, y = frame[["time", "rate"]].to_numpy(), frame["y"].to_numpy()
    both = np.column_stack([x, y])
    assert same(fit(da.from_array(both, chunks=(400, 2)), "x2"), fit(both, "x2"))
    columns = {"X": da.from_array(x, chunks=(400, 1)), "y": da.from_array(y, chunks=700)}
    assert same(fit(columns, "y"), fit({"x0": x[:, 0], "x1": x[:, 1], "y": y}, "y"))
    with pytest.raises(DataError, match="do not have the same rows"):
        fit(columns | {"y": columns["y"][:100]}, "y")
    with pytest.raises(DataError, match="is not a table"):
        fit(columns["y"], "y")


@pytest.mark.parametrize(
    "model", [unbend.LinearRegression(), unbend.LinearRegression(fit_intercept=False), unbend.Ridge()]
)
@pytest.mark.parametrize("targets", [["y"], ["y", "rate"]])
@pytest.mark.parametrize("weighted", [False, True])
def test_estimators(frame: pd.DataFrame, model: Any, targets: list[str], weighted: bool) -> None:
    rows = frame.dropna()
    x, y = rows[["time", "age"]].to_numpy(), rows[targets].to_numpy()
    weights = np.random.default_rng(1).integers(0, 4, len(x)) if weighted else None
    there = [None if one is None else da.from_array(one, chunks=(400, *one.shape[1:])) for one in (x, y, weights)]
    one = type(model)(**model.get_params()).fit(x, y, weights)
    ours = type(model)(**model.get_params()).fit(*there)
    assert np.allclose(ours.coef_, one.coef_, rtol=1e-12, atol=0)
    assert np.allclose(ours.intercept_, one.intercept_, rtol=1e-12, atol=1e-12)


def test_an_estimator_of_a_frame(frame: pd.DataFrame) -> None:
    rows = dd.from_pandas(frame.dropna(), npartitions=4)
    ours = unbend.LinearRegression().fit(rows[["time", "age"]], rows["y"])
    one = unbend.LinearRegression().fit(frame.dropna()[["time", "age"]], frame.dropna()["y"])
    assert list(ours.feature_names_in_) == ["time", "age"]
    assert np.allclose(ours.inference().se, one.inference().se, rtol=1e-12, atol=0)


def test_an_estimator_of_columns_that_dask_cuts_in_different_ways(files: Path) -> None:
    rows = dd.read_parquet(str(files / "*.parquet"))
    x, y = rows[["time", "rate", "member"]], rows[["y", "rate"]]
    ours = unbend.LinearRegression().fit(x, y, rows["rate"])
    here = [one.compute() for one in (x, y, rows["rate"])]
    assert np.allclose(ours.coef_, unbend.LinearRegression().fit(*here).coef_, rtol=1e-12, atol=1e-15)
    model = unbend.LinearRegression().fit(rows[["time"]], rows["y"])
    there = rows[["time"]].map_partitions(model.predict, meta=("y", float)).compute()
    assert np.allclose(there, model.predict(here[0][["time"]]))


def test_what_an_estimator_refuses(frame: pd.DataFrame) -> None:
    rows = dd.from_pandas(frame, npartitions=4)
    x, y = rows[["time", "age"]], rows["y"]
    with pytest.raises(ValueError, match="contains NaN or infinity"):
        unbend.LinearRegression().fit(x, y)
    with pytest.raises(ValueError, match="y must be one as well"):
        unbend.LinearRegression().fit(x, frame["y"])
    with pytest.raises(ValueError, match="must have the same partitions; they have 4, 2"):
        unbend.LinearRegression().fit(x.to_dask_array(lengths=True), dd.from_pandas(frame["y"], npartitions=2))
    with pytest.raises(UsageError, match="leave-one-out"):
        unbend.Ridge("loo").fit(rows[["time", "rate"]], y)


def test_an_infinity_is_found_in_its_partition(frame: pd.DataFrame) -> None:
    rows = frame.copy()
    rows.loc[2017, "rate"] = np.inf
    with pytest.raises(DataError, match="rate is infinite in row 17") as caught:
        fit(dd.from_pandas(rows, npartitions=3), "y")
    assert "in part 3 of 3 of dask DataFrame" in caught.value.where


def test_a_column_that_is_nearly_numbers_is_found(frame: pd.DataFrame) -> None:
    rows = frame.assign(rate=frame["rate"].astype(str).where(frame.index != 2017, "none?"))
    with pytest.raises(DataError, match="rate looks like numbers") as caught:
        fit(dd.from_pandas(rows, npartitions=3), "y")
    assert "row 2017" in caught.value.where


def test_other_verbs_read_dask_as_well(frame: pd.DataFrame) -> None:
    rows = frame[["rate", "age", "y"]].dropna()
    there = dd.from_pandas(rows, npartitions=3)
    assert [one.verdict for one in unbend.check(there, "y").checks] == [
        one.verdict for one in unbend.check(rows, "y").checks
    ]


def test_a_saved_fit_of_partitions(frame: pd.DataFrame, tmp_path: Path) -> None:
    first, second = frame[:2000].dropna(), frame[2000:].dropna()
    fit(dd.from_pandas(first, npartitions=4), "y", save=tmp_path / "a.fit")
    both = fit(dd.from_pandas(second, npartitions=3), "y", update=tmp_path / "a.fit")
    assert np.allclose(numbers(both), numbers(fit(frame.dropna(), "y")), rtol=1e-13, atol=0)
    assert FitState.load(tmp_path / "a.fit").sums.n == len(first)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_files_that_the_workers_of_a_cluster_read(frame: pd.DataFrame, files: Path, cluster: Any, kind: str) -> None:
    rows = str(files / f"*.{kind}")
    assert same(fit(rows, "y", scheduler=cluster.scheduler_address), fit(rows, "y"))


def test_row_groups_of_one_file(
    frame: pd.DataFrame, cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unbend.data import open_source
    from unbend.data.distributed import on_workers
    from unbend.data.sources import parquet

    frame.to_parquet(tmp_path / "one.parquet", row_group_size=100)
    monkeypatch.setattr(parquet, "NUMBERS_IN_A_PART", 5000)
    parts = on_workers(tmp_path / "one.parquet").parts
    assert len(parts) == 5
    assert sum(batch.num_rows for part in parts for batch in open_source(part).batches()) == N
    there = fit(tmp_path / "one.parquet", "y", scheduler=cluster.scheduler_address)
    assert same(there, fit(tmp_path / "one.parquet", "y"))


def test_a_cluster_from_the_command_line(files: Path, cluster: Any, capsys: pytest.CaptureFixture) -> None:
    line = ["fit", str(files / "*.parquet"), "--target", "y", "--json"]
    assert main(line) == 0
    one = capsys.readouterr().out
    assert main([*line, "--scheduler", cluster.scheduler_address]) == 0
    assert capsys.readouterr().out == one


def test_a_client_that_is_there_is_used(frame: pd.DataFrame, cluster: Any) -> None:
    with dask.config.set(scheduler=None), distributed.Client(cluster):
        assert same(fit(unknown(dd.from_pandas(frame, npartitions=4)), "y"), fit(frame, "y"))


def test_errors_come_back_from_a_cluster(frame: pd.DataFrame, cluster: Any, tmp_path: Path) -> None:
    frame.assign(rate=np.inf).to_parquet(tmp_path / "bad.parquet")
    with pytest.raises(DataError, match="rate is infinite in row 0") as caught:
        fit(tmp_path / "bad.parquet", "y", scheduler=cluster.scheduler_address)
    assert caught.value.try_.startswith("an infinity is often")


def test_a_scheduler_that_does_not_answer(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unbend.data.distributed.TIMEOUT", "1s")
    with pytest.raises(UsageError, match="no Dask scheduler answers at tcp://127"):
        fit(files / "*.parquet", "y", scheduler="tcp://127.0.0.1:9")


def test_rows_of_this_process_are_not_sent(frame: pd.DataFrame, cluster: Any) -> None:
    with pytest.raises(UsageError, match="pandas DataFrame is in this process"):
        fit(frame, "y", scheduler=cluster.scheduler_address)


def fatal(part: pd.DataFrame, first: int, mark: str) -> pd.DataFrame:
    """A partition; the worker that first makes the one that begins with a row dies of it."""
    if part.index[0] == first and not Path(mark).exists():
        Path(mark).write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
    return part


def test_a_worker_that_dies_is_survived(frame: pd.DataFrame, tmp_path: Path) -> None:
    """While it works on a partition in the middle; another one makes that again, and those whose sums it had."""
    mark = tmp_path / "dead"
    mark.touch()  # the partitions are looked at in this process
    rows = dd.from_pandas(frame.drop(columns="kind"), npartitions=40)
    rows = rows.map_partitions(fatal, 20 * N // 40, str(mark), meta=rows._meta)
    with dask.config.set(scheduler=None), local_cluster() as two, distributed.Client(two):
        mark.unlink()
        found = fit(rows, "y")
    assert int(mark.read_text()) != os.getpid()
    assert same(found, fit(frame.drop(columns="kind"), "y"))
