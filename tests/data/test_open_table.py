"""What `open_table` makes of a table: kinds, levels, missing values, order, classes, and the sentences that say so."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from unbend.data import open_source, open_table
from unbend.errors import DataError


def rows_of(table, size):
    blocks = list(table.blocks(size))
    return (
        np.concatenate([block.x for block in blocks]),
        np.concatenate([block.y for block in blocks]),
        np.concatenate([block.index for block in blocks]),
    )


@pytest.fixture
def homes() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 60
    return pd.DataFrame(
        {
            "size": rng.normal(100, 20, n),
            "region": rng.choice(["north", "east", "west"], n),
            "floor": pd.Categorical(rng.choice([2, 10, 9], n)),
            "lift": rng.random(n) < 0.5,
            "sold": pd.date_range("2024-01-01", periods=n)[::-1],
            "owner": [f"owner {i}" for i in range(n)],
            "country": "DE",
            "year": 2024,
            "nothing": pd.Series([None] * n, dtype=float),
            "price": rng.normal(3e5, 1e4, n),
        }
    )


def test_coding_agrees_with_pandas(homes: pd.DataFrame) -> None:
    table = open_table(homes, "price")
    columns = homes[["size", "region", "floor", "lift"]]
    expected = pd.get_dummies(columns, columns=["region", "floor"], drop_first=True, prefix_sep="=", dtype=float)
    assert table.names == ("size", "region=north", "region=west", "floor=9", "floor=10", "lift")
    np.testing.assert_array_equal(table.load().x, expected[list(table.names)].to_numpy(dtype=float))
    assert table.load().x.flags.c_contiguous
    assert table.load().x.dtype == np.float64


def test_onehot_keeps_levels_and_constants_in_column_order(homes: pd.DataFrame) -> None:
    table = open_table(homes, "price")
    assert table.features == ("size", "region", "floor", "lift", "country", "year")
    assert table.onehot().names == (
        *("size", "region=east", "region=north", "region=west", "floor=2", "floor=9", "floor=10", "lift"),
        *("country=DE", "year"),
    )
    x = table.onehot().encode(table.load().batch)
    assert np.all(x[:, 1:4].sum(axis=1) == 1)
    assert np.all(x[:, 4:7].sum(axis=1) == 1)
    assert table.numeric().names == ("size", "lift", "year")
    assert {term.name for term in table.coding.terms if term.two_valued} == set(table.names) - {"size"}


def test_notes_are_sentences(homes: pd.DataFrame) -> None:
    homes.loc[[3, 4], "size"] = np.nan
    homes.loc[4, "price"] = np.nan
    assert open_table(homes, "price").notes == (
        "2 of 60 rows have a missing value and are left out (missing: size 2, price 1).",
        "sold is a date or a time and is left out.",
        "nothing has no value at all and is left out.",
        "owner is text with 58 different values, like an identifier, and is left out.",
        "country is the same in every row, so a regression leaves it out.",
        "year is the same in every row, so a regression leaves it out.",
        "region is a category with 3 levels: 2 columns of 0 and 1 against east.",
        "floor is a category with 3 levels: 2 columns of 0 and 1 against 2.",
    )


def test_a_column_that_is_left_out_costs_no_rows(homes: pd.DataFrame) -> None:
    homes["comment"] = [f"text {i}" if i % 2 else None for i in range(len(homes))]
    homes["flag"] = [1.0 if i % 3 else None for i in range(len(homes))]
    table = open_table(homes, "price")
    assert table.n == 60
    assert "comment" not in table.features
    assert "flag has one value only where it is not missing, and is left out." in table.notes


def test_a_level_that_only_incomplete_rows_have_is_no_level(homes: pd.DataFrame) -> None:
    homes.loc[0, "region"] = "moon"
    homes.loc[0, "size"] = np.nan
    assert "region=moon" not in open_table(homes, "price").names


def test_saved_row_numbers_are_no_feature(homes: pd.DataFrame, tmp_path) -> None:
    homes = homes[["size", "price"]].set_index(np.arange(60) ** 2)
    homes.to_csv(tmp_path / "t.csv")
    homes.to_parquet(tmp_path / "t.parquet")
    for file in ("t.csv", "t.parquet"):
        table = open_table(tmp_path / file, "price")
        assert table.names == ("size",)
        assert "A column without a name, as a frame saves its row numbers, is left out." in table.notes


def test_exclude(homes: pd.DataFrame) -> None:
    homes["lift"] = homes["lift"].astype(object).where(homes.index > 0, None)
    homes["odd"] = [np.inf, *homes["size"][1:]]
    table = open_table(homes, "price", exclude=["lift", "odd"])
    assert "lift" not in table.features
    assert table.n == 60


@pytest.mark.parametrize("rows", [7, 65_536])
def test_order_sorts_rows_stably(homes: pd.DataFrame, rows: int) -> None:
    homes["sold"] = homes["sold"].dt.floor("4D")
    homes.loc[5, "sold"] = pd.NaT
    table = open_table(homes, "price", order="sold")
    assert "sold" not in table.features
    assert not table.in_order
    expected = homes.dropna(subset=["sold"]).sort_values("sold", kind="stable")
    _, y, index = rows_of(table, rows)
    np.testing.assert_array_equal(y, expected["price"])
    np.testing.assert_array_equal(index, expected.index)
    assert table.missing == {"sold": 1}


@pytest.mark.parametrize("order", ["size", "region", "floor", "lift", "sold", "owner"])
def test_order_by_any_kind(homes: pd.DataFrame, order: str) -> None:
    homes = homes.drop(columns="nothing")
    homes["floor"] = homes["floor"].astype(str).astype("category")
    _, y, _ = rows_of(open_table(homes, "price", order=order), 65_536)
    key = homes[order].astype(str) if order == "floor" else homes[order]
    np.testing.assert_array_equal(y, homes.assign(key=key).sort_values("key", kind="stable")["price"])


def test_rows_in_order_already_are_streamed(homes: pd.DataFrame) -> None:
    table = open_table(homes.sort_values("sold"), "price", order="sold")
    assert table.in_order


def test_text_and_yes_no_targets_are_classes(homes: pd.DataFrame) -> None:
    table = open_table(homes, "region")
    assert table.classes == ("east", "north", "west")
    np.testing.assert_array_equal(table.load().y, homes["region"].map({"east": 0, "north": 1, "west": 2}))
    assert open_table(homes, "lift").classes == ("false", "true")
    assert open_table(homes, "floor").classes == ("2", "9", "10")


def test_whole_number_target_is_a_number_unless_asked(homes: pd.DataFrame) -> None:
    homes["rooms"] = homes["size"].rank().astype(int) % 4
    assert open_table(homes, "rooms").classes is None
    assert open_table(homes, "rooms", classes=True).classes == ("0", "1", "2", "3")
    assert open_table(homes.astype({"rooms": float}), "rooms", classes=True).classes == ("0", "1", "2", "3")
    np.testing.assert_array_equal(open_table(homes, "lift", classes=False).load().y, homes["lift"])


def test_without_a_target(homes: pd.DataFrame) -> None:
    table = open_table(homes.iloc[:1], None)
    assert table.target == ""
    np.testing.assert_array_equal(table.load().y, [0.0])
    assert "size" in table.features


def test_blocks_are_the_rows_whatever_their_size(homes: pd.DataFrame) -> None:
    homes.loc[::7, "size"] = np.nan
    table = open_table(homes, "price")
    whole = table.load()
    for size in (1, 13, 60):
        x, y, index = rows_of(table, size)
        np.testing.assert_array_equal(x, whole.x)
        np.testing.assert_array_equal(y, whole.y)
        np.testing.assert_array_equal(index, whole.index)
    assert whole.batch.num_rows == len(whole.index) == table.n == 51
    assert whole.batch.column("owner").to_pylist() == homes["owner"][homes["size"].notna()].tolist()


def test_reading_other_rows_in_the_same_coding(homes: pd.DataFrame) -> None:
    table = open_table(homes, "price")
    other = homes[homes["region"] != "east"].iloc[:, ::-1].astype({"floor": "str"})
    other.loc[other.index[0], "size"] = np.nan
    held_out = table.reading(other)
    assert held_out.names == table.names
    assert held_out.n == len(other) - 1
    assert held_out.notes == (f"1 of {len(other)} rows has a missing value and is left out (missing: size 1).",)
    expected = table.load().x[np.isin(table.load().index, other.index[1:])]
    np.testing.assert_array_equal(held_out.load().x, expected)


def test_reading_names_the_unknown_level(homes: pd.DataFrame) -> None:
    table = open_table(homes, "price")
    homes.loc[8, "region"] = "south"
    with pytest.raises(DataError, match="region has a level that the fitted rows did not have: south") as caught:
        table.reading(homes)
    assert caught.value.where.startswith("row 8 ")


def test_reading_names_the_lacking_columns(homes: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="lacks 2 of the columns that were fitted: size, lift"):
        open_table(homes, "price").reading(homes.drop(columns=["size", "lift"]))


def test_reading_refuses_text_for_numbers(homes: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="size holds numbers in pandas DataFrame but not in"):
        open_table(homes, "price").reading(homes.assign(size="large"))


def test_encode_refuses_an_unknown_level(homes: pd.DataFrame) -> None:
    table = open_table(homes, "price")
    batch = next(iter(open_source(homes.assign(region="south")).batches()))
    with pytest.raises(DataError, match="region has a level"):
        table.coding.encode(batch)


def test_encode_leaves_missing_values_missing() -> None:
    frame = pa.table({"a": [1.0, 2.0, 3.0, 4.0], "b": ["x", "y", "x", "y"], "y": [1.0, 2.0, 3.0, 5.0]})
    coding = open_table(frame, "y").coding
    batch = pa.record_batch({"a": pa.array([None, 1.0]), "b": pa.array(["x", None])})
    np.testing.assert_array_equal(coding.encode(batch), [[np.nan, 0], [1, np.nan]])


def test_names_that_are_numbers_one_name_alone_and_none() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(9, 4)))
    assert open_table(frame, 2, exclude=3).names == ("0", "1")  # pyright: ignore[reportArgumentType]
    homes = frame.set_axis(["held", "h", "size", "y"], axis=1)
    assert open_table(homes, "y", exclude="held").names == ("h", "size")
    assert open_table(homes, "y", exclude=None).p == 3  # pyright: ignore[reportArgumentType]
