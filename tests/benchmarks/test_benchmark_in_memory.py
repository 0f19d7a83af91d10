"""What the benchmarks of rows in memory and on Dask measure: every contender solves the same problem, or is named."""

from importlib import import_module
from typing import Any

import numpy as np
import pytest

IN_MEMORY: Any = import_module("benchmarks.in_memory")
DASK: Any = import_module("benchmarks.dask_fit")
RATIONAL: Any = import_module("benchmarks.rational")


@pytest.fixture
def few() -> tuple[np.ndarray, np.ndarray]:
    return IN_MEMORY.rows(120, 4)


def test_the_reference_is_the_exact_solution(few: tuple[np.ndarray, np.ndarray]) -> None:
    truth = np.array(RATIONAL.exact(*few).estimates[1:], dtype=float)
    np.testing.assert_allclose(IN_MEMORY.reference(*few).astype(float), truth, rtol=1e-15)


def absent(x: np.ndarray, y: np.ndarray) -> None:
    import no_such_package  # noqa: F401  # pyright: ignore[reportMissingImports]


def test_contenders_in_memory(few: tuple[np.ndarray, np.ndarray]) -> None:
    contenders = (*IN_MEMORY.CONTENDERS[:4], IN_MEMORY.Contender("absent", absent))
    found = IN_MEMORY.measured(contenders, *few, 1)
    assert found.pop("absent") == "not installed: no_such_package"
    assert set(found) == {one.name for one in contenders[:4]}
    for name, figures in found.items():
        assert figures.ratio > 0
        assert figures.digits >= (15 if "unbend" in name else 10)


@pytest.mark.filterwarnings("ignore")  # of other programs
def test_contenders_on_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dask.dataframe")
    monkeypatch.setattr(DASK, "OF_DIGITS", 2000)
    monkeypatch.setattr(DASK, "PARTITIONS", (1, 7))
    lines = DASK._others().splitlines()[2:]
    assert [line.split(" |")[0].removeprefix("| ") for line in lines] == list(DASK.OTHERS)
    assert float(lines[0].split("|")[-2]) >= 15
    assert all(float(line.split("|")[-2]) <= 1e-13 for line in DASK._digits().splitlines()[2:])
