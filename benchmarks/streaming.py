"""Regression of files: time relative to a bare scan of the file, digits, and memory, each in a process of its own.

The number of rows is `UNBEND_BENCHMARK_ROWS`, 2,000,000 if it is not set; a CSV file has an eighth of them.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.from_files import COLUMNS, HEAVY, NAMES, SCAN, TASKS
from benchmarks.measure import survey

ROWS = int(os.environ.get("UNBEND_BENCHMARK_ROWS", "2000000"))
LARGE_MEAN = 7
"""The column whose mean is 1e8."""
SHARE_OF_CSV = 8
BLOCK = 500_000
FEW = 200
ROUNDS = 5
IN_MEMORY = 2_500_000
"""More rows are not read into memory by those that must have them all there."""
LEAST = 1e-17
HEAD = """| | CPU, relative to reading | range | CPU s | digits: slopes | intercept | peak MB | above imports |
|---|---:|---:|---:|---:|---:|---:|---:|"""


@survey(
    f"Linear regression of {COLUMNS} columns from a file, one of them with a mean of 1e8: CPU time relative to Arrow's "
    "reading of the same file with one thread, measured in turn with each; digits of the worst slope and of the "
    "intercept against 80-bit sums about the mean; and peak memory of the process, in all and above what it is after "
    "a fit of a few rows. The last three take part in one round only.",
    *("unbend", "numpy", "pyarrow", "polars", "duckdb", "dask", "pandas", "statsmodels", "scikit-learn"),
)
def streaming() -> str:
    """`fit` of files against the usual ways."""
    with tempfile.TemporaryDirectory(prefix="unbend-benchmark-") as folder:
        tables = []
        for kind, rows in (("parquet", ROWS), ("csv", ROWS // SHARE_OF_CSV)):
            path, few = Path(folder, f"rows.{kind}"), Path(folder, f"few.{kind}")
            write(path, rows)
            write(few, FEW)
            tables.append(_table(path, few, rows))
            path.unlink()
    return "\n".join(tables)


def write(path: Path, rows: int) -> None:
    """Rows with means up to 50 and one of 1e8, as pyarrow writes them by default."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    writer = pyarrow.csv.CSVWriter if path.suffix == ".csv" else pyarrow.parquet.ParquetWriter
    with writer(path, pa.schema([(name, pa.float64()) for name in [*NAMES, "y"]])) as file:
        for table in _tables(rows):
            file.write_table(table)


def _tables(rows: int) -> Iterator[Any]:
    import pyarrow as pa

    rng = np.random.default_rng(0)
    slopes, means = rng.normal(size=COLUMNS), np.linspace(-50, 50, COLUMNS)
    means[LARGE_MEAN] = 1e8
    for start in range(0, rows, BLOCK):
        x = rng.normal(size=(min(BLOCK, rows - start), COLUMNS))
        y = x @ slopes + 3.0 + rng.normal(size=len(x))
        yield pa.table([*(x + means).T, y], names=[*NAMES, "y"])


def _table(path: Path, few: Path, rows: int) -> str:
    true = reference(path)
    names = [name for name in TASKS if name != SCAN and (rows <= IN_MEMORY or name not in HEAVY)]
    pairs: dict[str, list[tuple[dict, dict]]] = {name: [] for name in names}
    missing: dict[str, str] = {}
    for turn in range(ROUNDS):
        for name in names:
            if name in missing or (turn and name in HEAVY):
                continue
            yardstick, run = (_in_a_process(one, path, few) for one in (SCAN, name))
            if "missing" in run:
                missing[name] = run["missing"]
            else:
                pairs[name].append((yardstick, run))
    scans = [scan for each in pairs.values() for scan, _ in each]
    lines = [f"{rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB, {path.suffix[1:]}:\n", HEAD]
    lines += [f"| {SCAN} | {_cells([(scan, scan) for scan in scans], true)} |"]
    lines += [f"| {name} | {missing.get(name) or _cells(pairs[name], true)} |" for name in names]
    return "\n".join(lines) + "\n"


def _cells(pairs: list[tuple[dict, dict]], true: np.ndarray) -> str:
    ratios = [run["seconds"] / scan["seconds"] for scan, run in pairs]
    runs = [run for _, run in pairs]
    ratio, seconds = statistics.median(ratios), statistics.median(run["seconds"] for run in runs)
    coef = runs[-1]["coef"]
    slopes = "" if coef is None else f"{_digits(coef[1:], true[1:]):.1f}"
    intercept = "" if coef is None else f"{_digits(coef[:1], true[:1]):.1f}"
    peak, above = (max(run[key] for run in runs) for key in ("peak", "above"))
    span = f"{min(ratios):.2f} – {max(ratios):.2f}" if coef is not None else ""
    return f"{ratio:.2f} | {span} | {seconds:.2f} | {slopes} | {intercept} | {peak:.0f} | {above:.0f}"


def _digits(found: list[float], true: np.ndarray) -> float:
    """Of the worst number, 0 to 17."""
    error = np.abs((np.array(found, dtype=np.longdouble) - true) / true).max()
    return max(0.0, -float(np.log10(max(error, np.longdouble(LEAST)))))


def reference(path: Path) -> np.ndarray:
    """Intercept and slopes from sums about a shift, and a Cholesky factor, in numbers of 80 bits; (1 + p,)."""
    import pyarrow.dataset

    long, q = np.longdouble, COLUMNS + 1
    shift, n, sums, products = None, 0, np.zeros(q, long), np.zeros((q, q), long)
    for batch in pyarrow.dataset.dataset(path, format=path.suffix[1:]).to_batches(batch_size=20_000):
        if batch.num_rows == 0:
            continue
        z = np.array([batch.column(name).to_numpy() for name in [*NAMES, "y"]])
        shift = np.round(z.mean(axis=1)) if shift is None else shift
        moved = z.astype(long) - shift[:, None]
        n, sums = n + moved.shape[1], sums + moved.sum(axis=1)
        for i in range(q):
            products[i, i:] += (moved[i:] * moved[i]).sum(axis=1)
    assert shift is not None
    centred = np.triu(products) + np.triu(products, 1).T - np.outer(sums, sums) / n
    slopes = _solved(centred[:-1, :-1], centred[:-1, -1])
    mean = shift + sums / n
    return np.array([mean[-1] - mean[:-1] @ slopes, *slopes])


def _solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """By Gaussian elimination of a positive definite matrix, in its own precision."""
    a = np.column_stack([matrix, right])
    for i in range(len(a)):
        a[i] /= a[i, i]
        for j in range(len(a)):
            if j != i:
                a[j] -= a[j, i] * a[i]
    return a[:, -1]


def _in_a_process(name: str, path: Path, few: Path) -> dict:
    one = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS")} | {"POLARS_MAX_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.from_files", name, str(path), str(few)]
    done = subprocess.run(command, env=os.environ | one, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"missing": done.stderr.strip().splitlines()[-1][:80]}
    return json.loads(done.stdout.splitlines()[-1])
