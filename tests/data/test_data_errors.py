"""Bad tables: each gets one error that says what, where and what to do."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unbend.data import open_source, open_table
from unbend.errors import DataError, UsageError


def refused(*arguments, **options) -> DataError:
    with pytest.raises(DataError) as caught:
        open_table(*arguments, **options)
    return caught.value


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_no_such_file_suggests_a_near_name(tmp_path: Path) -> None:
    write(tmp_path / "customers.csv", "a,y\n1,2\n")
    error = refused(tmp_path / "custmers.csv", "y")
    assert error.what == f"no such file: {tmp_path / 'custmers.csv'}"
    assert error.try_ == f"did you mean {tmp_path / 'customers.csv'}?"


def test_no_such_folder(tmp_path: Path) -> None:
    assert "there is no folder" in refused(tmp_path / "nowhere" / "t.csv", "y").try_


def test_unknown_suffix(tmp_path: Path) -> None:
    error = refused(write(tmp_path / "t.xlsx", "x"), "y")
    assert error.what == "do not know how to read t.xlsx"
    assert ".parquet" in error.try_


def test_unknown_object() -> None:
    assert refused([1, 2], "y").what == "cannot read a list as a table"
    assert "lazy" not in refused(pd.Series([1, 2]), "y").try_
    assert "collect the lazy frame first" in refused(pl.LazyFrame({"y": [1]}), "y").try_


def test_columns_with_the_same_name() -> None:
    frame = pd.DataFrame(np.eye(3), columns=["a", "a", "y"])
    assert refused(frame, "y").what == "two columns of pandas DataFrame have the same name: a"
    assert refused(pa.table([[1], [2]], names=["a", "a"]), "a").what.endswith("have the same name: a")


def test_columns_of_different_lengths() -> None:
    error = refused({"a": [1, 2, 3], "y": [1, 2]}, "y")
    assert error.what == "cannot read the dict as a table of columns"
    assert "all of one length" in error.try_


TRUNCATED: dict[str, Callable[[Path], None]] = {
    ".parquet": lambda path: pq.write_table(pa.table({"y": range(1000)}), path),
    ".arrow": lambda path: pa.ipc.new_file(path, pa.schema({"y": pa.int64()})).write_table(pa.table({"y": range(9)})),
    ".npz": lambda path: np.savez(path, X=np.eye(50), y=np.ones(50)),
    ".npy": lambda path: np.save(path, np.eye(50)),
    ".csv.gz": lambda path: pd.DataFrame({"y": np.random.default_rng(0).random(999)}).to_csv(path, index=False),
}


@pytest.mark.parametrize("suffix", TRUNCATED)
def test_truncated_file(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"t{suffix}"
    TRUNCATED[suffix](path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    error = refused(path, "y")
    assert error.what.startswith(f"cannot read t{suffix} as")
    assert error.where


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".npz", ".npy", ".csv"])
def test_not_what_its_name_says(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_bytes(b"\x93\x00\x01 this is not a table \xff\xfe" * 9)
    assert f"t{suffix}" in refused(path, "y").what


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".npz", ".npy", ".csv"])
def test_empty_file(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"t{suffix}"
    path.touch()
    assert f"t{suffix}" in refused(path, "y").what


def test_pickled_arrays_are_not_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", X=np.array([{"a": 1}], dtype=object))
    assert "cannot read t.npz" in refused(tmp_path / "t.npz", "y").what


def test_numbers_that_arrow_does_not_know(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", X=np.ones((3, 2), complex), y=np.ones(3))
    assert refused(tmp_path / "t.npz", "y").what == "cannot read t.npz as a table"


def test_truncated_csv_row(tmp_path: Path) -> None:
    error = refused(write(tmp_path / "t.csv", "a,b,y\n1,2,3\n4,5\n"), "y")
    assert error.what == "cannot read t.csv as separated values"
    assert "Expected 3 columns, got 2" in error.where


def test_csv_without_a_header(tmp_path: Path) -> None:
    assert "holds numbers, not the names" in refused(write(tmp_path / "t.csv", "1,2.5\n3,4\n"), "y").what


def test_csv_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("a,y\nMünchen,1\n".encode("latin-1"))
    assert "UTF8" in refused(tmp_path / "t.csv", "y").where
    (tmp_path / "u.csv").write_bytes("a,y\nMünchen,1\n".encode("utf-16"))
    assert refused(tmp_path / "u.csv", "y").what == "u.csv is not UTF-8 text"


def test_arrays_that_make_no_table(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", X=np.eye(3), y=np.ones(2))
    assert refused(tmp_path / "t.npz", "y").where == "their shapes are X (3, 3), y (2,)"
    np.save(tmp_path / "t.npy", np.array(2.0))
    assert "shape ()" in refused(tmp_path / "t.npy", "y").what


def test_names_that_do_not_fit_the_matrix(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", X=np.eye(3), names=np.array(["a", "b"]))
    assert refused(tmp_path / "t.npz", "y").what == "X has 3 columns but there are 2 names"


def test_unknown_target_lists_columns_and_suggests(tmp_path: Path) -> None:
    error = refused(write(tmp_path / "customers.csv", "age,churn\n1,2\n"), "chrun")
    assert error.what == "no column 'chrun' in customers.csv"
    assert error.where == "its 2 columns are age, churn"
    assert error.try_ == "did you mean churn? --target churn"


def test_unknown_excluded_and_order_column() -> None:
    assert "no column 'z'" in refused(pd.DataFrame({"a": [1], "y": [1]}), "y", exclude=["z"]).what
    assert "no column 'z'" in refused(pd.DataFrame({"a": [1], "y": [1]}), "y", order="z").what


def test_order_by_what_has_none() -> None:
    table = pa.table({"a": [[1], [2], [3]], "b": [1, 2, 4], "y": [1, 2, 3]})
    assert refused(table, "y", order="a").what == "rows cannot be ordered by a: it is a list, a structure or bytes"


def test_names_with_spaces_are_quoted_in_commands() -> None:
    error = refused(pd.DataFrame({"a": [1], "net income": [1]}), "net incom")
    assert error.try_ == "did you mean net income? --target 'net income'"


def test_target_used_twice() -> None:
    with pytest.raises(UsageError, match="y is the target"):
        open_table(pd.DataFrame({"a": [1], "y": [1]}), "y", exclude=["y"])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_no_rows(suffix: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.0], "y": [1.0]}).iloc[:0]
    path = tmp_path / f"t{suffix}"
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
    assert refused(path, "y").what == f"t{suffix} has no rows"


def test_no_complete_row() -> None:
    error = refused(pd.DataFrame({"a": [1, None], "b": [None, 2.0], "y": [1, 2]}), "y")
    assert error.what == "no row of pandas DataFrame is complete: each of its 2 rows has a missing value"
    assert error.where == "missing values: a 1, b 1"
    assert error.try_ == "leave it out: --exclude a"
    error = refused(pd.DataFrame({"a": [1.0, 2.0], "y": [np.nan, np.nan]}), "y")
    assert error.try_ == "choose a target that has values"


def test_one_row() -> None:
    assert "has one complete row" in refused(pd.DataFrame({"a": [1.0], "y": [1.0]}), "y").what


def test_duplicate_columns(tmp_path: Path) -> None:
    for data in (
        write(tmp_path / "t.csv", "a,a,y\n1,2,3\n"),
        pa.table([[1], [2], [3]], names=["a", "a", "y"]),
    ):
        assert "have the same name: a" in refused(data, "y").what
    assert "pandas DataFrame" in refused(pd.DataFrame([[1, 2]], columns=["a", "a"]), "a").what
    np.savez(tmp_path / "t.npz", X=np.eye(3), x0=np.ones(3))
    assert "have the same name: x0" in refused(tmp_path / "t.npz", "y").what


@pytest.mark.parametrize("sign", [1, -1])
def test_infinity_names_row_and_column(tmp_path: Path, sign: int) -> None:
    values = np.arange(200_000.0)
    values[170_017] = sign * np.inf
    pq.write_table(pa.table({"a": values, "y": np.arange(200_000)}), tmp_path / "t.parquet")
    error = refused(tmp_path / "t.parquet", "a")
    assert error.what == "a is infinite in row 170017"
    assert refused(tmp_path / "t.parquet", "y", exclude=[]).where == "column a, row 170017 (the first row is 0)"


def test_infinity_written_in_a_csv(tmp_path: Path) -> None:
    assert refused(write(tmp_path / "t.csv", "a,y\n1,2\n-inf,3\n"), "y").what == "a is infinite in row 1"


@pytest.mark.parametrize(("value", "shown"), [*((v, v) for v in ("n/a?", "12,5", "1 200 €", "twelve")), (" ", "' '")])
def test_text_in_a_numeric_column(tmp_path: Path, value: str, shown: str) -> None:
    rows = [f'"{i}.5",{i}' for i in range(40)]
    rows[17] = f'"{value}",17'
    error = refused(write(tmp_path / "t.csv", "\n".join(["income,y", *rows])), "y")
    assert error.what == f"income looks like numbers, but 1 of its 40 values is not written as one: {shown}"
    assert error.where == "first at row 17 (the first row is 0), column income"
    assert "--exclude income" in error.try_


def test_a_name_in_another_case_is_suggested_first() -> None:
    frame = pd.DataFrame(np.eye(3), columns=["mpg", "MPS", "Sales"])
    assert refused(frame, "MPG").try_ == "did you mean mpg? --target mpg"
    assert refused(frame, "mpg", exclude=["SALES"]).try_ == "did you mean Sales? --exclude Sales"
    assert refused(frame, "mpg", order="zzz").try_ == "choose one of them: --order NAME"


def mixed(tmp_path: Path, other: str, share: float, numbers: int) -> Path:
    """100 rows whose first column is `other` for a share of them, else one of so many numbers."""
    rows = [f"{other if i < 100 * share else i % numbers},{i * i % 17}" for i in range(100)]
    return write(tmp_path / "t.csv", "\n".join(["a,y", *rows]))


@pytest.mark.parametrize(("other", "share", "numbers"), [("?", 0.12, 100), ("-", 0.25, 5), ("low", 0.25, 100)])
def test_many_cells_that_are_no_numbers(tmp_path: Path, other: str, share: float, numbers: int) -> None:
    said = f"{100 * share:.0f} of its 100 values are not written as one: {other}"
    assert said in refused(mixed(tmp_path, other, share, numbers), "y").what


def test_a_category_of_numbers_and_a_word_is_a_category(tmp_path: Path) -> None:
    assert open_table(mixed(tmp_path, "3+", 0.2, 3), "y").p == 3
    assert open_table(mixed(tmp_path, "?", 0.4, 3), "y").p == 3


def test_numbers_written_with_a_decimal_comma(tmp_path: Path) -> None:
    text = "price;y\n" + "\n".join(f"1.{i:03},50 €;{i}" for i in range(30))
    assert "price looks like numbers" in refused(write(tmp_path / "t.csv", text), "y").what


def test_text_in_a_numeric_target(tmp_path: Path) -> None:
    text = "a,y\n" + "\n".join(f"{i},{i if i else 'unknown'}" for i in range(30))
    assert refused(write(tmp_path / "t.csv", text), "y").where == "first at row 0 (the first row is 0), column y"


def test_target_that_is_neither_number_nor_class() -> None:
    frame = pd.DataFrame({"a": range(60), "name": [f"n{i}" for i in range(60)], "day": pd.Timestamp("2024-01-01")})
    assert (
        refused(frame, "name").what
        == "the target name is not numeric: it is text with 60 different values in 60 rows, too many for classes"
    )
    assert "is neither a number nor a class" in refused(frame, "day").what
    frame["letter"] = [chr(65 + i % 25) for i in range(60)]
    assert "it is text with 25 different values" in refused(frame, "letter").what
    assert "it is text" in refused(frame, "letter", classes=False).what


def test_nothing_to_explain_with() -> None:
    frame = pd.DataFrame({"name": [f"n{i}" for i in range(60)], "y": range(60)})
    error = refused(frame, "y")
    assert error.what == "no column of pandas DataFrame can explain anything"
    assert "like an identifier" in error.where


def test_mixed_values_in_a_frame() -> None:
    assert "column a" in refused(pd.DataFrame({"a": [1, "x"], "y": [1, 2]}), "y").where


def test_folder_without_tables(tmp_path: Path) -> None:
    assert "no file to read in" in refused(tmp_path, "y").what
    assert "no file to read in" in refused(str(tmp_path / "*.csv"), "y").what


def test_folder_of_several_kinds(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "a,y\n1,2\n")
    pq.write_table(pa.table({"a": [1], "y": [2]}), tmp_path / "b.parquet")
    assert "files of 2 kinds: .csv, .parquet" in refused(tmp_path, "y").what


def test_folder_whose_files_differ(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "a,y\n1,2\n")
    write(tmp_path / "b.csv", "b,y\n1,2\n")
    assert refused(tmp_path, "y").where == "only in one of them: a, b"
    write(tmp_path / "b.csv", "a,y\nx,2\n")
    assert "different kinds of values" in refused(tmp_path, "y").what


def test_open_source_is_idempotent() -> None:
    source = open_source(pa.table({"a": [1]}))
    assert open_source(source) is source


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_an_infinity_in_one_of_many_files_is_found_in_its_file(kind: str, tmp_path: Path) -> None:
    for i in range(4):
        part = pd.DataFrame({"a": np.arange(30.0), "y": np.arange(30.0) ** 2})
        part.loc[17, "a"] = np.inf if i == 2 else 17.0
        part.to_csv(tmp_path / f"{i}.csv", index=False) if kind == "csv" else part.to_parquet(tmp_path / f"{i}.parquet")
    with pytest.raises(DataError) as caught:
        open_table(tmp_path, "y")
    assert caught.value.what == "a is infinite in row 77"
    assert caught.value.where == f"column a, row 17 of 2.{kind} (the first row is 0)"


@pytest.mark.parametrize("text", ["größe,y\n1,2\n2,3\n", "a,y\nMünchen,1\nBerlin,2\nBerlin,3\n"])
def test_letters_in_another_encoding(text: str, tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_bytes(text.encode("latin1"))
    assert "write it as UTF-8 text" in refused(tmp_path / "l.csv", "y").try_


def test_several_names_in_one() -> None:
    frame = {"a": [1.0, 2.0, 3.0], "b c": [1.0, 3.0, 2.0], "y": [1.0, 2.0, 4.0]}
    with pytest.raises(DataError, match="no column 'a,b c'") as caught:
        open_table(frame, "y", exclude="a,b c")
    assert caught.value.try_ == "name them one by one: --exclude a --exclude 'b c'"
