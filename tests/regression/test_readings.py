"""What a fit of a file costs: how often the file is read, and what is imported for it."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from unbend import fit
from unbend.data.sources import csv

HEAVY = ("scipy.optimize", "pyarrow.compute", "pandas", "sklearn", "matplotlib", "onnx")
"""What a regression of plain numbers in a file has no use for: 15 MB, 9 MB, 40 MB …"""


def table(rows: int) -> pa.Table:
    rng = np.random.default_rng(0)
    return pa.table({name: rng.normal(size=rows) for name in ("a", "b", "y")})


@pytest.mark.parametrize("options", [{}, {"cluster": "b"}, {"exclude": ["b"]}])
def test_the_types_of_a_csv_take_no_reading_of_their_own(
    options: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pa.csv.write_csv(table(20_000), tmp_path / "t.csv")
    whole = csv.Separated.read
    as_text = 0

    def counted(self: csv.Separated, types: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
        nonlocal as_text
        for batch in whole(self, types):
            as_text += batch.num_rows * (set(types.values()) == {pa.string()})
            yield batch

    monkeypatch.setattr(csv, "BYTES_AT_A_TIME", 1 << 16)
    monkeypatch.setattr(csv.Separated, "read", counted)
    fit(tmp_path / "t.csv", "y", **options)
    assert 0 < as_text < 2_000


def test_a_fit_of_numbers_imports_no_more_than_it_needs(tmp_path: Path) -> None:
    pq.write_table(table(100), tmp_path / "t.parquet")
    script = f"import sys, unbend; unbend.fit({str(tmp_path / 't.parquet')!r}, 'y'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not set(HEAVY) & set(done.stdout.split())
