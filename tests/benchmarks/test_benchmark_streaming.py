"""What the benchmark of files measures with: its rows, its reference and its contenders."""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

FILES: Any = import_module("benchmarks.from_files")
STREAMING: Any = import_module("benchmarks.streaming")
RATIONAL: Any = import_module("benchmarks.rational")
ROWS = 60
INSTALLED = ["unbend", "Dask, TSQR", "scikit-learn LinearRegression"]
if find_spec("duckdb"):
    INSTALLED.append("DuckDB, covar_pop")


@pytest.fixture(params=["parquet", "csv"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"rows.{request.param}"
    STREAMING.write(path, ROWS)
    return path


def test_the_reference_is_the_exact_solution(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    STREAMING.write(path, ROWS)
    z = np.array(pq.read_table(path).columns).T
    truth = np.array(RATIONAL.exact(z[:, :-1], z[:, -1]).estimates, dtype=float)
    np.testing.assert_allclose(STREAMING.reference(path).astype(float), truth, rtol=1e-13)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # of other programs
@pytest.mark.parametrize("name", INSTALLED)
def test_contenders_solve_the_same_problem(name: str, path: Path) -> None:
    true = STREAMING.reference(path).astype(float)
    found = FILES.TASKS[name](str(path))
    np.testing.assert_allclose(found[1:], true[1:], rtol=1e-11 if name == "unbend" else 1e-4)


def test_reading_alone_gives_nothing(path: Path) -> None:
    assert FILES.scan(str(path)) is None


def test_a_contender_that_is_not_installed_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def absent(path: str) -> None:
        import no_such_package  # noqa: F401  # pyright: ignore[reportMissingImports]

    monkeypatch.setitem(FILES.TASKS, "absent", absent)
    monkeypatch.setattr(sys, "argv", ["", "absent", str(path), str(path)])
    FILES.main()
    assert "not installed: no_such_package" in capsys.readouterr().out
