"""A fit on Dask: wall time against one process, and whether its digits depend on the partitions."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import survey

FILES, ROWS, COLUMNS = 4, 5_000_000, 20
ROUNDS = 7
PARTITIONS = (1, 10, 100, 1000)
OF_DIGITS = 200_000
"""Rows that are cut into partitions to see what the digits depend on."""
LONG = 5.0
"""Seconds after which a contender is measured no more."""


@survey(
    f"Linear regression with all its inference of {FILES} Parquet files of {ROWS:,} rows × {COLUMNS} columns, one of "
    "them with a mean of 1e8: in one process with one thread, and by `fit(…, scheduler=…)` on a Dask cluster of 2 "
    "processes with a thread each on the same machine. Wall time, median of the rounds, in turns. Then "
    f"{OF_DIGITS:,} such rows as a Dask DataFrame of 1 to 1000 partitions: the largest relative difference of a "
    "coefficient, standard error or sum of squares from the fit of the frame in memory. Then others on the same rows "
    "in 10 partitions, in one thread: CPU time relative to ours, and digits of the worst slope against the refined "
    "solution in memory.",
    *("unbend", "dask", "distributed", "dask-ml", "pandas"),
)
def dask_fit() -> str:
    """The three tables."""
    from distributed import LocalCluster

    with tempfile.TemporaryDirectory() as folder:
        rows = _write(Path(folder))
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
            times = _times(rows, cluster.scheduler_address)
    return f"{_time_table(times)}\n{_digits()}\n{_others()}"


def _columns(n: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = {f"x{j}": rng.normal(j, 1 + j, n) for j in range(COLUMNS - 1)} | {"far": rng.normal(1e8, 1, n)}
    return x | {"y": sum(x.values()) / 10 - 1e7 + rng.normal(size=n)}


def _write(folder: Path) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for i in range(FILES):
        pq.write_table(pa.table(_columns(ROWS, i)), folder / f"{i}.parquet")
    return str(folder / "*.parquet")


def _times(rows: str, scheduler: str) -> dict[str, list[float]]:
    from unbend import fit
    from unbend.data import parallel

    ways: dict[str, Callable[[], Any]] = {
        "one process, one thread": lambda: fit(rows, "y"),
        "2 processes of Dask": lambda: fit(rows, "y", scheduler=scheduler),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    cores, parallel.cores = parallel.cores, lambda: 1
    try:
        for turn in range(ROUNDS + 1):
            for name, way in ways.items():
                start = time.perf_counter()
                way()
                if turn:
                    seconds[name].append(time.perf_counter() - start)
    finally:
        parallel.cores = cores
    return seconds


def _time_table(times: dict[str, list[float]]) -> str:
    first = statistics.median(next(iter(times.values())))
    lines = ["| | wall s | range | times as fast |", "|---|---:|---:|---:|"]
    for name, seconds in times.items():
        middle = statistics.median(seconds)
        span = f"{min(seconds):.3g} – {max(seconds):.3g}"
        lines.append(f"| {name} | {middle:.3g} | {span} | {first / middle:.2g} |")
    return "\n".join(lines) + "\n"


def _digits() -> str:
    import dask
    import dask.dataframe as dd
    import pandas as pd

    from unbend import fit

    frame = pd.DataFrame(_columns(OF_DIGITS, FILES))
    whole = _numbers(fit(frame, "y"))
    lines = ["| partitions | largest relative difference |", "|---:|---:|"]
    with dask.config.set(scheduler="sync"):
        for partitions in PARTITIONS:
            found = _numbers(fit(dd.from_pandas(frame, npartitions=partitions), "y"))
            lines.append(f"| {partitions} | {np.max(np.abs(found / whole - 1)):.1e} |")
    return "\n".join(lines) + "\n"


def _numbers(fitted: Any) -> np.ndarray:
    values = [value for row in fitted.coefficients for value in (row.estimate, row.se)]
    return np.array([*values, fitted.rss, fitted.tss, fitted.r2])


def _ours(x: Any, y: Any) -> np.ndarray:
    """With the whole inference."""
    from unbend import LinearRegression

    model = LinearRegression().fit(x, y)
    model.inference()
    return model.coef_


def _with_ones(x: Any) -> Any:
    import dask.array as da

    return da.concatenate([da.ones((len(x), 1), chunks=(x.chunks[0], 1)), x], axis=1).rechunk({1: -1})


def _tsqr(x: Any, y: Any) -> np.ndarray:
    """Coefficients, by a tree of QR factorizations."""
    import dask.array as da

    return da.linalg.lstsq(_with_ones(x), y)[0].compute()[1:]


def _normal_equations(x: Any, y: Any) -> np.ndarray:
    """Coefficients, from XᵀX and Xᵀy."""
    from dask.base import compute

    z = _with_ones(x)
    gram, cross = compute(z.T @ z, z.T @ y)
    return np.linalg.lstsq(gram, cross)[0][1:]


def _dask_ml(x: Any, y: Any) -> np.ndarray:
    """Coefficients, without a penalty; ADMM, as it comes."""
    from dask_ml.linear_model import LinearRegression

    return np.asarray(LinearRegression(C=1e10).fit(x, y).coef_)


OTHERS: dict[str, Callable[[Any, Any], np.ndarray]] = {
    "unbend, the whole inference": _ours,
    "dask.array.linalg.lstsq (TSQR)": _tsqr,
    "dask.array, normal equations": _normal_equations,
    "dask-ml LinearRegression": _dask_ml,
}


def _others() -> str:
    import dask
    import dask.array as da

    columns = _columns(OF_DIGITS, FILES)
    y = columns.pop("y")
    rows = np.column_stack(list(columns.values()))
    true = _ours(rows, y)
    lines = ["| | CPU, relative to ours | digits |", "|---|---:|---:|"]
    unit = None
    with dask.config.set(scheduler="sync"):
        x, target = da.from_array(rows, chunks=(OF_DIGITS // 10, -1)), da.from_array(y, chunks=OF_DIGITS // 10)
        for name, way in OTHERS.items():
            try:
                seconds, found = _timed(way, x, target)
            except ImportError as error:
                lines.append(f"| {name} | not installed: {error.name or error} | |")
                continue
            unit = unit or seconds
            lines.append(f"| {name} | {seconds / unit:.1f} | {_digits_of(found, true):.1f} |")
    return "\n".join(lines) + "\n"


def _timed(way: Callable[[Any, Any], np.ndarray], x: Any, y: Any) -> tuple[float, np.ndarray]:
    """Median of three after one to warm up, but of one that takes long only that."""
    seconds: list[float] = []
    found = np.empty(0)
    while len(seconds) < 4 and sum(seconds) < LONG:
        start = time.process_time()
        found = way(x, y)
        seconds.append(time.process_time() - start)
    return statistics.median(seconds[1:] or seconds), found


def _digits_of(found: np.ndarray, true: np.ndarray) -> float:
    return max(0.0, float(-np.log10(max(np.max(np.abs(found / true - 1)), 1e-16))))
