"""Which column is which input: by name, by position, and what is said about it."""

from __future__ import annotations

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx_graphs import Graph

from unbend.data import open_table
from unbend.errors import DataError
from unbend.network import read
from unbend.pairing import match, open_for, pair

FRAME = pd.DataFrame(
    {
        "age": [30.0, 41.0, 52.0, 63.0, 38.0, 29.0],
        "region": ["north", "south", "west", "north", "west", "south"],
        "hours": [5.0, 4.0, 9.0, 1.0, 7.0, 3.0],
        "y": [1.0, 2.5, 2.0, 4.0, 3.0, 0.5],
    }
)


def answers(model: onnx.ModelProto, frame: pd.DataFrame = FRAME, target: str | None = "y") -> np.ndarray:
    table = open_table(frame, target)
    return pair(read(model), table, scale="none").predict(table.load())


def test_by_name_in_another_order(linear):
    model = linear([100, 1], features=["hours", "age"])
    table = open_table(FRAME[["age", "hours", "y"]], "y")
    matched = pair(read(model), table, scale="none")
    assert (matched.how, matched.names) == ("by name", ("hours", "age"))
    assert "by name" in matched.notes[0]
    assert "another order" in matched.notes[0]
    np.testing.assert_allclose(answers(model), 100 * FRAME.hours + FRAME.age)


def test_by_name_in_the_same_order_says_nothing_of_order(linear):
    note = match(read(linear([1, 1], features=["age", "hours"])), open_table(FRAME, "y")).note
    assert "another order" not in note
    assert note.endswith("The network does not read region.")


@pytest.mark.parametrize(
    "form", ["region={}", "region_{}", "cat__region_{}", "region[T.{}]", "C(region)[T.{}]", "Region.{}", "region:{}"]
)
def test_categories_under_the_names_that_tools_give_them(form, linear):
    names = ["num__hours", *(form.format(level) for level in ("west", "north")), "AGE"]
    expected = 1000 * FRAME.hours + 10 * (FRAME.region == "west") + 20 * (FRAME.region == "north") + FRAME.age
    np.testing.assert_allclose(answers(linear([1000, 10, 20, 1], features=names)), expected)


def test_names_of_get_dummies(linear):
    coded = pd.get_dummies(FRAME.drop(columns="y"), dtype=float)
    weight = np.arange(1.0, 6.0)
    np.testing.assert_allclose(answers(linear(weight, features=list(coded))), coded.to_numpy() @ weight)


def test_a_name_that_could_mean_two_columns_means_none(linear):
    frame = pd.DataFrame({"a": ["b_c", "d", "d"] * 2, "a_b": ["c", "c", "e"] * 2, "z": range(6), "y": range(6)})
    with pytest.raises(DataError, match="lacks 1 of the columns"):
        match(read(linear([1, 1], features=["a_b_c", "z"])), open_table(frame, "y"))


def test_names_that_have_nothing_to_do_with_the_table(linear):
    found = match(read(linear([1, 2], features=["f0", "f1"])), open_table(FRAME.drop(columns="region"), "y"))
    assert found.how == "by position"
    assert "the names in the model file (f0, f1) are not those of the table" in found.note


def test_fewer_names_than_inputs(linear):
    found = match(read(linear([1, 2], features=["f0"])), open_table(FRAME.drop(columns="region"), "y"))
    assert "the 1 names in the model file are not one for each of its inputs" in found.note


def test_the_same_name_twice_is_no_name(linear):
    found = match(read(linear([1, 2], features=["age", "age"])), open_table(FRAME.drop(columns="region"), "y"))
    assert (found.how, found.coding.names) == ("by position", ("age", "hours"))


def test_partially_missing_names(linear):
    with pytest.raises(DataError) as caught:
        match(read(linear([1, 2, 3], features=["age", "hour", "income"])), open_table(FRAME, "y"))
    error = caught.value
    assert error.what == "pandas DataFrame lacks 2 of the columns that the network reads: hour, income"
    assert "age, region, hours" in error.where
    assert "hours to hour?" in error.try_


def test_a_category_that_the_network_reads_as_a_number(linear):
    with pytest.raises(DataError, match="region is text in pandas DataFrame") as caught:
        match(read(linear([1, 2], features=["age", "region"])), open_table(FRAME, "y"))
    assert "north, south, west" in caught.value.where


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (2, ("age", "hours")),
        (4, ("age", "region=south", "region=west", "hours")),
        (5, ("age", "region=north", "region=south", "region=west", "hours")),
    ],
)
def test_by_position(wanted, names, linear):
    found = match(read(linear(np.ones(wanted))), open_table(FRAME, "y"))
    assert (found.how, found.coding.names) == ("by position", names)
    assert "since the model file does not name them" in found.note
    assert ("does not read region" in found.note) == (wanted == 2)


@pytest.mark.parametrize("first_level", [True, False])
def test_the_rows_tell_the_tables_order_from_get_dummies(first_level, least_squares):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=200), "c": rng.choice(["p", "q", "r"], 200), "b": rng.normal(size=200)})
    coded = pd.get_dummies(frame, dtype=float, drop_first=not first_level)
    target = coded.to_numpy() @ np.arange(1.0, 1.0 + coded.shape[1])
    network = read(least_squares(coded.to_numpy(), target))
    matched = pair(network, open_table(frame.assign(y=target), "y"))
    assert matched.names == tuple(name.replace("_", "=") for name in coded.columns)
    assert any("Another order of the columns fits" in note and "R² 1 so" in note for note in matched.notes)
    in_table_order = coded[sorted(coded.columns, key=lambda name: "acb".index(name[0]))]
    same = read(least_squares(in_table_order.to_numpy(), target))
    assert pair(same, open_table(frame.assign(y=target), "y")).names[-1] == "b"


def test_a_wrong_number_of_columns(linear):
    table = open_table(FRAME, "y")
    with pytest.raises(DataError) as caught:
        match(read(linear(np.ones(3))), table)
    assert caught.value.what == "graph takes 3 columns; pandas DataFrame has 5 besides y"
    assert "region=north" in caught.value.where
    assert "such as --exclude" in caught.value.try_
    with pytest.raises(DataError) as caught:
        match(read(linear(np.ones(7))), table)
    assert "--exclude" not in caught.value.try_


def test_without_a_target_the_target_may_be_the_column_too_many(linear):
    with pytest.raises(DataError) as caught:
        match(read(linear(np.ones(2))), open_table(FRAME.drop(columns="region"), None))
    assert "such as --target" in caught.value.try_
    assert open_for(read(linear(np.ones(2))), FRAME, "y").target == "y"


def image() -> onnx.ModelProto:
    graph = Graph("N", 1, 8, 8)
    flat = graph("Reshape", graph("GlobalAveragePool", "x"), np.array([-1, 1], dtype=np.int64))
    return graph.model(flat)


def test_an_image_network_with_a_table():
    with pytest.raises(DataError) as caught:
        pair(read(image()), open_table(FRAME, "y"))
    assert caught.value.what == "graph takes a tensor of 1 × 8 × 8, not a table"
    assert "64 numbers a row" in caught.value.where


def test_a_table_of_pixels_is_read_row_by_row():
    pixels = np.random.default_rng(1).random((20, 64))
    frame = pd.DataFrame(pixels, columns=[f"p{i}" for i in range(64)]).assign(y=pixels.mean(axis=1))
    table = open_table(frame, "y")
    matched = pair(read(image()), table)
    assert "read as a tensor of shape 1 × 8 × 8, row by row" in matched.notes[0]
    np.testing.assert_allclose(matched.predict(table.load()), pixels.mean(axis=1), rtol=1e-6)


def test_a_target_that_the_network_does_not_predict_is_only_left_out(ending):
    network = read(ending(np.eye(2, 3), "Softmax"))
    table = open_for(network, FRAME.drop(columns="region"), "y")
    assert (table.target, table.features) == ("", ("age", "hours"))
    assert pair(network, table).names == ("age", "hours")
