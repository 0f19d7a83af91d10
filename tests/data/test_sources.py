"""The contract of the source table: the same rows and the same moments, whatever the data come from."""

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

import unbend.data.sources
from unbend.data import Source, open_source, open_table
from unbend.data.source import openers

N = 500


def shared_table() -> pa.Table:
    rng = np.random.default_rng(7)
    age = rng.normal(1e6, 3.0, N)
    age[::50] = np.nan
    region = rng.choice(["east", "north", "south"], N)
    rooms = rng.integers(1, 9, N)
    rooms[:300] = 4
    flag = rng.random(N) < 0.3
    y = np.nan_to_num(age, nan=1e6) + 2.5 * rooms + flag + rng.normal(size=N)
    return pa.table({"age": age, "region": region, "rooms": rooms, "flag": flag, "y": y})


def as_nulls(table: pa.Table) -> pa.Table:
    return table.set_column(0, "age", pa.array(table["age"].to_numpy(), from_pandas=True))


def arrays(table: pa.Table) -> dict[str, np.ndarray]:
    columns = {name: table[name].to_numpy() for name in table.column_names}
    return columns | {"region": columns["region"].astype(str)}


def csv(table: pa.Table, folder: Path) -> Any:
    table.to_pandas().to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


def csv_with_semicolons(table: pa.Table, folder: Path) -> Any:
    table.to_pandas().to_csv(folder / "t.csv", index=False, sep=";", na_rep="NA")
    return str(folder / "t.csv")


def csv_with_tabs(table: pa.Table, folder: Path) -> Any:
    table.to_pandas().to_csv(folder / "t.tsv", index=False, sep="\t")
    return folder / "t.tsv"


def csv_gz(table: pa.Table, folder: Path) -> Any:
    table.to_pandas().to_csv(folder / "t.csv.gz", index=False)
    return folder / "t.csv.gz"


def parquet(table: pa.Table, folder: Path) -> Any:
    pq.write_table(as_nulls(table), folder / "t.parquet", row_group_size=110)
    return folder / "t.parquet"


def parquet_with_dictionary(table: pa.Table, folder: Path) -> Any:
    coded = table.set_column(1, "region", table["region"].combine_chunks().dictionary_encode())
    pq.write_table(coded, folder / "t.parquet")
    return folder / "t.parquet"


def arrow_file(table: pa.Table, folder: Path) -> Any:
    with pa.ipc.new_file(folder / "t.arrow", table.schema) as file:
        file.write_table(table, max_chunksize=130)
    return folder / "t.arrow"


def arrow_stream(table: pa.Table, folder: Path) -> Any:
    with pa.ipc.new_stream(folder / "t.ipc", table.schema) as file:
        file.write_table(as_nulls(table), max_chunksize=130)
    return folder / "t.ipc"


def feather(table: pa.Table, folder: Path) -> Any:
    pyarrow.feather.write_feather(table, folder / "t.feather")
    return folder / "t.feather"


def npz_of_columns(table: pa.Table, folder: Path) -> Any:
    np.savez(folder / "t.npz", **arrays(table))
    return folder / "t.npz"


def npz_of_matrix(table: pa.Table, folder: Path) -> Any:
    columns = arrays(table)
    matrix = np.column_stack([columns["age"], columns["rooms"], columns["flag"]])
    names = np.array(["age", "rooms", "flag"])
    np.savez(folder / "t.npz", X=matrix, feature_names=names, y=columns["y"][:, None], region=columns["region"])
    return folder / "t.npz"


def npy_of_records(table: pa.Table, folder: Path) -> Any:
    columns = arrays(table)
    records = np.rec.fromarrays(list(columns.values()), names=",".join(columns))
    np.save(folder / "t.npy", records)
    return folder / "t.npy"


def folder_of_parts(table: pa.Table, folder: Path) -> Any:
    parts = folder / "parts"
    parts.mkdir()
    for i, start in enumerate(range(0, N, 200)):
        pq.write_table(table.slice(start, 200), parts / f"part-{i}.parquet")
    (parts / "_SUCCESS").touch()
    return parts


def glob_of_csv(table: pa.Table, folder: Path) -> Any:
    for i, start in enumerate(range(0, N, 125)):
        table.slice(start, 125).to_pandas().to_csv(folder / f"t{i}.csv", index=False)
    return str(folder / "t*.csv")


def dask_frame(table: pa.Table, folder: Path) -> Any:
    frames = pytest.importorskip("dask.dataframe")
    frame = frames.from_pandas(table.to_pandas().astype({"region": "category"}), npartitions=3)
    return frame.assign(region=frame["region"].cat.as_unknown())


def dask_arrays(table: pa.Table, folder: Path) -> Any:
    rows = pytest.importorskip("dask.array")
    return {name: rows.from_array(column, chunks=170) for name, column in arrays(table).items()}


def pieces(table: pa.Table) -> list[pa.Table]:
    return [table.slice(start, 130) for start in range(0, N, 130)]


BUILDERS: dict[str, list[Callable[[pa.Table, Path], Any]]] = {
    "csv": [csv, csv_with_semicolons, csv_with_tabs, csv_gz],
    "parquet": [parquet, parquet_with_dictionary],
    "arrow": [arrow_file, arrow_stream, feather],
    "numpy_arrays": [npz_of_columns, npz_of_matrix, npy_of_records],
    "folder": [folder_of_parts, glob_of_csv],
    "dask_collections": [dask_frame, dask_arrays],
    "python_blocks": [
        lambda table, folder: iter(pieces(table)),
        lambda table, folder: (piece.to_pandas() for piece in pieces(table)),
        lambda table, folder: pa.RecordBatchReader.from_batches(table.schema, iter(table.to_batches(max_chunksize=99))),
        lambda table, folder: lambda: iter(pieces(table)),
        lambda table, folder: [pl.from_arrow(piece) for piece in pieces(table)],
        lambda table, folder: [arrays(piece) for piece in pieces(table)],
        lambda table, folder: (table.drop("y").to_pandas(), table["y"].to_pandas()),
    ],
    "frame": [
        lambda table, folder: table,
        lambda table, folder: table.to_pandas().set_index(np.arange(N)[::-1]),
        lambda table, folder: table.to_pandas().astype({"region": "category", "rooms": "Int64"}),
        lambda table, folder: pl.from_arrow(table),
        lambda table, folder: nw.from_native(table),
        lambda table, folder: table.combine_chunks().to_batches()[0],
        lambda table, folder: open_source(table),
    ],
}


def test_every_source_file_registers_a_source_and_is_built_here() -> None:
    files = {module.name for module in pkgutil.iter_modules(unbend.data.sources.__path__)}
    registered = {opener.open.__module__.rpartition(".")[2] for opener in openers()}
    assert files == registered == set(BUILDERS)


def test_each_suffix_belongs_to_one_source() -> None:
    suffixes = [suffix for opener in openers() for suffix in opener.suffixes]
    assert len(suffixes) == len(set(suffixes))


@pytest.mark.parametrize("build", [build for builders in BUILDERS.values() for build in builders])
def test_contract(build: Callable[[pa.Table, Path], Any], tmp_path: Path) -> None:
    source = open_source(build(shared_table(), tmp_path))
    assert isinstance(source, Source)
    assert source.name
    for rows in (97, 65_536):
        batches = list(source.batches(rows))
        assert sum(batch.num_rows for batch in batches) == N
        assert max(batch.num_rows for batch in batches) <= rows
        assert all(batch.schema.names == source.schema.names for batch in batches)
        assert all(batch.schema.types == source.schema.types for batch in batches)


@pytest.mark.parametrize("build", [build for builders in BUILDERS.values() for build in builders])
def test_same_rows(build: Callable[[pa.Table, Path], Any], tmp_path: Path) -> None:
    expected = open_table(shared_table(), "y")
    table = open_table(build(shared_table(), tmp_path), "y")
    assert sorted(table.names) == sorted(expected.names) == ["age", "flag", "region=north", "region=south", "rooms"]
    assert (table.n, table.n_read, table.missing) == (490, 500, {"age": 10})
    order = [table.names.index(name) for name in expected.names]
    rows, wanted = table.load(), expected.load()
    np.testing.assert_array_equal(rows.x[:, order], wanted.x)
    np.testing.assert_array_equal(rows.y, wanted.y)
    np.testing.assert_array_equal(rows.index, wanted.index)


def test_npz_without_names_counts_the_columns(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", X=np.eye(3), y=np.ones(3))
    assert open_source(tmp_path / "t.npz").schema.names == ["x0", "x1", "x2", "y"]


def test_npy_matrix_and_vector(tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", np.arange(6.0).reshape(3, 2).astype(">f4"))
    np.save(tmp_path / "v.npy", np.arange(3))
    batch = next(iter(open_source(tmp_path / "m.npy").batches()))
    assert batch.to_pydict() == {"x0": [0.0, 2.0, 4.0], "x1": [1.0, 3.0, 5.0]}
    assert open_source(tmp_path / "v.npy").schema.names == ["x0"]


def test_csv_types_come_from_every_row_not_from_the_first_block(tmp_path: Path) -> None:
    rows = 1_500_000
    with (tmp_path / "t.csv").open("w") as file:
        file.write("late_decimal,late_value,word,day,yes\n")
        file.write("7,,abc,2024-01-31,true\n" * rows)
        file.write("7.5,3,NA,2024-02-01,false\n")
    source = open_source(tmp_path / "t.csv")
    assert source.schema.types == [pa.float64(), pa.int64(), pa.string(), pa.date32(), pa.bool_()]
    *_, last = source.batches()
    assert last.to_pylist()[-1] | {"day": None} == {
        "late_decimal": 7.5,
        "late_value": 3,
        "word": None,
        "day": None,
        "yes": False,
    }


def test_csv_quoted_values_may_hold_separators_and_line_ends(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('"a,1",b\n"x, y",1\n"two\nlines",2\n', encoding="utf-8")
    batch = next(iter(open_source(tmp_path / "t.csv").batches()))
    assert batch.to_pydict() == {"a,1": ["x, y", "two\nlines"], "b": [1, 2]}


def test_folder_widens_types_over_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,1\n2,\n")
    (tmp_path / "b.csv").write_text("y,x\n3,1.5\n")
    source = open_source(tmp_path)
    assert source.schema == pa.schema({"x": pa.float64(), "y": pa.int64()})
    assert [row for batch in source.batches() for row in batch.to_pylist()][-1] == {"x": 1.5, "y": 3}


def test_a_new_source_is_one_decorated_function() -> None:
    module = importlib.import_module("unbend.data.sources.parquet")
    assert any(opener.open is module.open_parquet for opener in openers())


def test_a_dict_of_columns_and_a_matrix_are_tables() -> None:
    source = open_source({"a": [1, 2], 7: np.array([0.5, 1.5]), "c": pl.Series(["x", None])})
    assert next(iter(source.batches())).to_pydict() == {"a": [1, 2], "7": [0.5, 1.5], "c": ["x", None]}
    source = open_source(np.arange(6.0).reshape(3, 2))
    assert next(iter(source.batches())).to_pydict() == {"x0": [0.0, 2.0, 4.0], "x1": [1.0, 3.0, 5.0]}


def test_images_are_columns_with_the_last_axis_fastest(tmp_path: Path) -> None:
    images = np.arange(48.0).reshape(6, 1, 2, 4) ** 2
    np.savez(tmp_path / "t.npz", X=images, y=np.arange(6.0))
    np.save(tmp_path / "t.npy", images)
    said = "is 1 × 2 × 4 numbers: they are 8 columns, the last axis fastest."
    for data in (tmp_path / "t.npz", tmp_path / "t.npy", images):
        table = open_table(data, None)
        np.testing.assert_array_equal(table.load().x[:, :8], images.reshape(6, 8))
        assert said in table.notes[0]
    assert open_table(images.reshape(6, 8), None).notes == ()


def test_parquet_takes_a_page_of_each_column_not_a_row_group(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pa.table({f"x{j}": rng.normal(size=200_000) for j in range(10)})
    path = tmp_path / "t.parquet"
    pq.write_table(table, path, data_page_size=1 << 15, use_dictionary=False)
    nbytes = table.nbytes
    del table
    before, most = pa.total_allocated_bytes(), 0
    for batch in open_source(path).batches():
        most = max(most, pa.total_allocated_bytes() - before)
        del batch
    assert most < 0.3 * nbytes
