"""Rows in blocks from Python: types over all blocks, an iterator read again, and blocks that do not fit together."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unbend.data import open_source, open_table
from unbend.errors import DataError


def refused(data) -> DataError:
    with pytest.raises(DataError) as caught:
        open_table(data, "y")
    return caught.value


def pairs(rows: int = 100, blocks: int = 3) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    for _ in range(blocks):
        x = rng.normal(size=(rows, 2))
        yield x, x @ [1.0, 2.0]


def test_pairs_of_a_matrix_and_a_target() -> None:
    together = [np.concatenate(parts) for parts in zip(*pairs(), strict=True)]
    for data in (pairs(), pairs, partial(pairs, 100), list(pairs()), (together[0], together[1])):
        rows = open_table(data, "y").load()
        np.testing.assert_array_equal(rows.x, together[0])
        np.testing.assert_array_equal(rows.y, together[1])


def test_an_iterator_is_read_once_and_kept() -> None:
    given = []

    def blocks() -> Iterator[pd.DataFrame]:
        for start in range(0, 300, 100):
            given.append(start)
            yield pd.DataFrame({"a": np.arange(start, start + 100.0) ** 2, "g": ["u", "v"] * 50, "y": np.arange(100.0)})

    source = open_source(blocks())
    assert given == [0]
    table = open_table(source, "y")
    assert given == [0, 100, 200]
    assert table.load().x.shape == (300, 2)
    np.testing.assert_array_equal(table.load().x, table.load().x)
    assert "temporary file" in table.notes[0]
    assert given == [0, 100, 200]


def test_a_reading_that_stops_early_is_taken_up_again() -> None:
    source = open_source(pa.table({"a": [float(i)], "y": [1.0]}) for i in range(5))
    next(iter(source.batches()))
    assert [batch.column("a")[0].as_py() for batch in source.batches()] == [0, 1, 2, 3, 4]


def test_types_widen_over_blocks() -> None:
    blocks = [{"a": [1, 2, 3], "y": [1.0, 2.0, 5.0]}, {"y": [3, 4], "a": [4.5, None]}]
    for data in (blocks, iter(blocks), lambda: iter(blocks)):
        table = open_table(data, "y")
        assert table.source.schema == pa.schema({"a": pa.float64(), "y": pa.float64()})
        np.testing.assert_array_equal(table.load().x[:, 0], [1, 2, 3, 4.5])


def test_blocks_that_do_not_fit_together() -> None:
    first = {"a": [1, 2], "y": [1, 2]}
    error = refused([first, first, {"a": ["x", "y"], "y": [1, 2]}])
    assert error.what == "a holds another kind of values in block 3 of list of blocks"
    assert error.where == "it is string there, and int64 in the blocks before"
    error = refused(iter([first, {"b": [1.5], "y": [1]}]))
    assert error.what == "block 2 of iterator has other columns than the first"
    assert error.where == "only in one of them: a, b"
    assert "cannot be a int" in refused(iter([3])).what
    assert refused(iter([])).what == "iterator has no rows"
    assert refused((np.ones((3, 2)), np.ones(4))).what == "X has 3 rows and y has 4"


def test_infinity_in_row_17_of_block_300(tmp_path: Path) -> None:
    def blocks() -> Iterator[dict[str, np.ndarray]]:
        for i in range(310):
            values = np.arange(50.0) + i
            if i == 300:
                values[17] = np.inf
            yield {"a": values, "y": np.arange(50.0) % 7}

    for data in (blocks, blocks()):
        error = refused(data)
        assert error.what == f"a is infinite in row {300 * 50 + 17}"
    with pq.ParquetWriter(tmp_path / "t.parquet", pa.schema({"a": pa.float64(), "y": pa.float64()})) as file:
        for block in blocks():
            file.write_table(pa.table(block))
    assert refused(tmp_path / "t.parquet").where == "column a, row 15017 (the first row is 0)"


def test_a_parquet_file_that_is_damaged_in_the_middle(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": rng.normal(size=50_000), "y": rng.normal(size=50_000)}), path, row_group_size=5_000)
    damaged = bytearray(path.read_bytes())
    middle = len(damaged) // 2
    damaged[middle : middle + 100_000] = bytes(100_000)
    path.write_bytes(damaged)
    assert refused(path).what == "cannot read t.parquet as Parquet"


def test_a_page_with_a_flipped_bit_is_refused_where_pages_have_checksums(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    values = np.random.default_rng(0).normal(size=50_000)
    pq.write_table(pa.table({"a": values, "y": values**2}), path, write_page_checksum=True, use_dictionary=False)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    assert refused(path).what == "cannot read t.parquet as Parquet"


def test_a_matrix_mapped_from_a_file(tmp_path: Path) -> None:
    mapped = np.memmap(tmp_path / "t.bin", dtype=np.float32, mode="w+", shape=(1000, 3))
    mapped[:] = np.random.default_rng(0).normal(size=(1000, 3))
    table = open_table(mapped, "x2")
    assert not table.source.in_memory  # pyright: ignore[reportAttributeAccessIssue]
    np.testing.assert_array_equal(table.load().x, np.asarray(mapped[:, :2], dtype=float))
    np.save(tmp_path / "t.npy", mapped)
    assert not open_source(tmp_path / "t.npy").in_memory  # pyright: ignore[reportAttributeAccessIssue]
    assert open_source(np.ones((3, 2))).in_memory  # pyright: ignore[reportAttributeAccessIssue]


def test_folder_whose_kinds_change_names_file_and_column(tmp_path: Path) -> None:
    for name, value in (("a", "1"), ("b", "2.5"), ("c", "high")):
        (tmp_path / f"{name}.csv").write_text(f"dose,y\n{value},2\n{value},3\n")
    error = refused(tmp_path)
    assert error.what == "dose holds different kinds of values in the files: string in c.csv"
    assert error.where == "it is double in the files before, such as a.csv"


@pytest.mark.parametrize("late", ["7.5", "seven", "2024-01-31", ""])
def test_types_of_a_csv_that_change_late_are_those_of_all_rows(tmp_path: Path, late: str) -> None:
    path = tmp_path / "t.csv"
    with path.open("w") as file:
        file.write("a,day,y\n")
        file.writelines(f"{i % 100},2024-01-31,{i % 7}\n" for i in range(150_000))
        file.write(f"{late},2024-01-31 10:00,1\n" * 3)
    expected = open_source(path)
    assert expected.schema.field("day").type == pa.timestamp("us")
    if late in ("seven", "2024-01-31"):
        assert "a looks like numbers" in refused(path).what
    else:
        table = open_table(path, "y")
        assert table.source.schema == expected.schema
        assert table.n_read == 150_003
        assert table.n == (150_003 if late else 150_000)
