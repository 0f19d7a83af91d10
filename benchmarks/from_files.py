"""Ways to fit a regression to a file: each takes a path and gives the intercept and the slopes; one only reads.

Run as a program it measures one of them: `python -m benchmarks.from_files NAME PATH FEW`, where FEW is a file of few
such rows that it warms up with.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.measure import OURS

COLUMNS = 20
NAMES = [f"x{j}" for j in range(COLUMNS)]

Task = Callable[[str], list[float] | None]


def scan(path: str) -> None:
    """Arrow's own reading of all rows, one thread, as little ahead as it can."""
    import pyarrow.csv
    import pyarrow.parquet

    if path.endswith(".csv"):
        options = pyarrow.csv.ReadOptions(use_threads=False)
        with pyarrow.csv.open_csv(path, read_options=options) as reader:
            for _ in reader:
                pass
    else:
        with pyarrow.parquet.ParquetFile(path, pre_buffer=False) as file:
            for _ in file.iter_batches(use_threads=False):
                pass


def ours(path: str) -> list[float]:
    """With the whole inference."""
    import unbend

    found = unbend.fit(path, "y")
    return [found.intercept, *found.coef.tolist()]


def polars(path: str) -> list[float]:
    """Sums of squares and products by the streaming engine, then the normal equations."""
    import polars as pl

    rows = pl.scan_csv(path) if path.endswith(".csv") else pl.scan_parquet(path)
    names = [*NAMES, "y"]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i:]]
    sums = [pl.len().alias("n"), *(pl.col(name).sum() for name in names)]
    products = [(pl.col(a) * pl.col(b)).sum().alias(f"{a}*{b}") for a, b in pairs]
    found = rows.select(*sums, *products).collect(engine="streaming").row(0, named=True)
    square = np.empty((COLUMNS + 2,) * 2)
    square[0] = square[:, 0] = [found["n"], *(found[name] for name in names)]
    for a, b in pairs:
        i, j = 1 + names.index(a), 1 + names.index(b)
        square[i, j] = square[j, i] = found[f"{a}*{b}"]
    return np.linalg.lstsq(square[:-1, :-1], square[:-1, -1])[0].tolist()


def duckdb(path: str) -> list[float]:
    """Covariances, Welford's way, by SQL; then the normal equations."""
    import duckdb as package

    package.execute("SET threads TO 1")
    names = [*NAMES, "y"]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i:]]
    asked = [*(f"avg({name})" for name in names), *(f"covar_pop({a}, {b})" for a, b in pairs)]
    found = package.execute(f"SELECT {', '.join(asked)} FROM '{path}'").fetchone()
    assert found is not None
    mean, covariance = np.array(found[: len(names)]), np.empty((len(names),) * 2)
    for (a, b), value in zip(pairs, found[len(names) :], strict=True):
        i, j = names.index(a), names.index(b)
        covariance[i, j] = covariance[j, i] = value
    coef = np.linalg.solve(covariance[:-1, :-1], covariance[:-1, -1])
    return [mean[-1] - mean[:-1] @ coef, *coef.tolist()]


def dask(path: str) -> list[float]:
    """QR of the blocks, merged as a tree (TSQR), by Dask in one thread."""
    import dask.array as da
    import dask.dataframe as dd
    from dask.base import compute
    from dask.config import set as settings

    with settings(scheduler="sync"):
        frame = dd.read_csv(path) if path.endswith(".csv") else dd.read_parquet(path, split_row_groups=True)
        array = frame.to_dask_array(lengths=True)
        ones = da.ones((array.shape[0], 1), chunks=(array.chunks[0], 1))
        columns = da.concatenate([ones, array[:, :-1]], axis=1).rechunk({1: -1})
        return compute(da.linalg.lstsq(columns, array[:, -1])[0])[0].tolist()


def statsmodels(path: str) -> list[float]:
    """All rows in memory, with pandas."""
    import pandas as pd
    import statsmodels.api as sm

    frame = pd.read_csv(path) if path.endswith(".csv") else pd.read_parquet(path)
    return sm.OLS(frame["y"], sm.add_constant(frame[NAMES])).fit().params.tolist()


def scikit_learn(path: str) -> list[float]:
    """All rows in memory, with pandas."""
    import pandas as pd
    from sklearn.linear_model import LinearRegression

    frame = pd.read_csv(path) if path.endswith(".csv") else pd.read_parquet(path)
    model = LinearRegression().fit(frame[NAMES].to_numpy(), frame["y"].to_numpy())
    return [float(model.intercept_), *model.coef_.tolist()]


SCAN = "pyarrow, reading alone"
TASKS: dict[str, Task] = {
    SCAN: scan,
    OURS: ours,
    "Polars, streaming sums": polars,
    "DuckDB, covar_pop": duckdb,
    "Dask, TSQR": dask,
    "scikit-learn LinearRegression": scikit_learn,
    "statsmodels OLS": statsmodels,
}
HEAVY = ("Dask, TSQR", "scikit-learn LinearRegression", "statsmodels OLS")
"""They take part in one round, with files that fit into memory."""


def peak() -> float:
    """Of this process so far, in MB; what `getrusage` says may be the parent's."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """One measurement, as JSON."""
    name, path, few = sys.argv[1:]
    try:
        TASKS[name](few)
    except ImportError as error:
        print(json.dumps({"missing": f"not installed: {error.name or error}"}))
        return
    before, begun = peak(), time.process_time()
    coef = TASKS[name](path)
    seconds = time.process_time() - begun
    print(json.dumps({"seconds": seconds, "coef": coef, "peak": peak(), "above": peak() - before}))


if __name__ == "__main__":
    main()
