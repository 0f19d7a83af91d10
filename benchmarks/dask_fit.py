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


@survey(
    f"Linear regression with all its inference of {FILES} Parquet files of {ROWS:,} rows × {COLUMNS} columns, one of "
    "them with a mean of 1e8: in one process with one thread, and by `fit(…, scheduler=…)` on a Dask cluster of 2 "
    "processes with a thread each on the same machine. Wall time, median of the rounds, in turns. Then the same rows "
    "as a Dask DataFrame of 1 to 1000 partitions: the largest relative difference of a coefficient, standard error or "
    "sum of squares from the fit of the frame in memory.",
    "unbend",
    "dask",
    "distributed",
    "pandas",
)
def dask_fit() -> str:
    """Both tables."""
    from distributed import LocalCluster

    with tempfile.TemporaryDirectory() as folder:
        rows = _write(Path(folder))
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
            times = _times(rows, cluster.scheduler_address)
    return f"{_time_table(times)}\n{_digits()}"


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
