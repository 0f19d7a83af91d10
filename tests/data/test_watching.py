"""How far a reading is, said to whoever listens."""

from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unbend.data import open_source, open_table, watching
from unbend.data.source import rows_of
from unbend.progress import heard


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    table = pa.table({"a": rng.normal(size=100_000), "y": rng.normal(size=100_000)})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=10_000)
    return tmp_path / "t.parquet"


def test_a_long_reading_says_how_far_it_is(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "monotonic", count(step=0.6).__next__)
    said: list[str] = []
    with heard(said.append):
        table = open_table(data, "y")
        surveyed = len(said)
        for _ in table.blocks(10_000):
            pass
    assert surveyed
    assert said[0].startswith("65,536 rows read, 65 %, ")
    assert said[-1].endswith(" rows/s")
    assert said[surveyed].startswith("10,000 rows read, 10 %, ")


def test_a_short_reading_says_nothing(data: Path) -> None:
    said: list[str] = []
    with heard(said.append):
        open_table(data, "y")
    assert said == []


def test_rows_that_are_known_without_reading(data: Path) -> None:
    assert rows_of(open_source(data)) == rows_of(open_source(data.parent)) == 100_000
    assert rows_of(open_source(np.ones((7, 2)))) == rows_of(open_source({"a": [0.0] * 7})) == 7
    (data.parent / "t.csv").write_text("a,y\n1,2\n")
    assert rows_of(open_source(data.parent / "t.csv")) is None
