"""What real and hostile tables do to the ladder: blocks, gaps, categories, too few rows, nothing to explain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from unbend.compare import compare, expansion, gather
from unbend.errors import DataError, UsageError


@dataclass(frozen=True)
class Pieces:
    """A source that gives its rows in pieces of its own length."""

    table: pa.Table
    length: int
    name: str = "pieces"

    @property
    def schema(self) -> pa.Schema:
        return self.table.schema

    def batches(self, rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        yield from self.table.to_batches(max_chunksize=self.length)


@pytest.fixture
def mixed() -> pa.Table:
    rng = np.random.default_rng(9)
    n = 350
    age, region = rng.normal(50, 10, n), rng.choice(["north", "south", "west"], n)
    y = 0.1 * age + (region == "west") + rng.normal(size=n)
    gaps = [None if i % 25 == 3 else value for i, value in enumerate(age.tolist())]
    return pa.table({"age": gaps, "region": region, "on": rng.random(n) < 0.5, "y": y})


def numbers_of(found) -> np.ndarray:
    scores = [score.loss for score in found.scores]
    return np.array([*scores, *(end for step in found.steps for end in (step.gain, step.interval.low))])


@pytest.mark.parametrize("target", ["y", "region"])
def test_the_length_of_blocks_changes_nothing(mixed, target):
    whole = compare(Pieces(mixed, 1000), target)
    for length in (1, 60):
        pieces = compare(Pieces(mixed, length), target)
        np.testing.assert_allclose(numbers_of(pieces), numbers_of(whole), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("target", ["y", "region"])
def test_same_rows_and_seed_same_bytes_another_seed_other_folds(mixed, target):
    one, again, other = (compare(mixed, target, seed=seed) for seed in (1, 1, 2))
    assert json.dumps(one.to_dict()) == json.dumps(again.to_dict())
    assert (str(one), one._repr_html_()) == (str(again), again._repr_html_())
    assert one.score("network").loss != other.score("network").loss


def test_gaps_and_categories_are_handled_and_told(mixed):
    found = compare(mixed, "y")
    assert found.n == 336
    assert any("14 of 350 rows have a missing value" in note for note in found.notes)
    assert found.score("linear").parameters == 5
    assert found.score("quadratic").parameters == 1 + 4 + 1 + 3 + 2


def test_excluded_columns_are_no_features(mixed):
    assert compare(mixed, "y", exclude=["region"]).score("linear").parameters == 3


def test_collinear_columns_are_left_out_by_name(frame):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 2))
    found = compare(frame(x, total=x.sum(axis=1), y=x[:, 0] + rng.normal(size=100)), "y")
    assert any("total = x0 + x1" in note for note in found.notes)
    assert found.score("linear").parameters == 3


def test_fewer_rows_than_columns_leave_the_regressions_out(frame):
    rng = np.random.default_rng(0)
    found = compare(frame(rng.normal(size=(60, 80)), y=rng.normal(size=60)), "y")
    assert [score.name for score in found.scores] == ["constant", "network"]
    assert any("48 rows to fit on do not determine 80 columns" in note for note in found.notes)
    assert any("The quadratic is left out" in note for note in found.notes)
    with pytest.raises(DataError, match="anything but a constant"):
        compare(frame(rng.normal(size=(20, 30)), y=rng.normal(size=20)), "y")


def test_few_rows_leave_products_out(frame):
    rng = np.random.default_rng(0)
    found = compare(frame(rng.normal(size=(100, 20)), y=rng.normal(size=100)), "y")
    assert found.score("quadratic").parameters == 41
    assert any("squares only" in note for note in found.notes)


def test_many_columns_leave_products_out(frame, monkeypatch):
    monkeypatch.setattr(expansion, "MOST_COLUMNS", 30)
    rng = np.random.default_rng(0)
    found = compare(frame(rng.normal(size=(500, 10)), y=rng.normal(size=500)), "y")
    assert found.score("quadratic").parameters == 21
    assert any("the 30 that are computed" in note for note in found.notes)


def test_columns_of_zero_and_one_have_no_square(frame):
    rng = np.random.default_rng(0)
    found = compare(pa.table({"on": rng.random(100) < 0.5, "y": rng.normal(size=100)}), "y")
    assert any("no column has a square" in note for note in found.notes)
    assert "quadratic" not in {score.name for score in found.scores}


def test_many_rows_are_sampled_for_the_network_and_all_are_judged(frame, monkeypatch):
    monkeypatch.setattr(gather, "IN_MEMORY", 300)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 2))
    found = compare(frame(x, y=x[:, 0] + rng.normal(size=1500)), "y")
    assert found.n == 1500
    assert any("random sample of" in note for note in found.notes)
    assert found.score("network").r2 > 0.4


def test_a_level_that_one_fold_does_not_have(frame):
    rng = np.random.default_rng(0)
    kind = ["rare"] + ["a", "b"] * 60
    found = compare(frame(rng.normal(size=(121, 2)), kind=kind, y=rng.normal(size=121)), "y")
    assert all(np.isfinite(score.loss) for score in found.scores)


def test_a_class_with_one_row(frame):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(121, 2))
    found = compare(frame(x, kind=["rare", *np.where(x[1:, 0] > 0, "a", "b")]), "kind")
    assert all(np.isfinite(score.loss) for score in found.scores)
    assert found.enough == "logistic"


def test_large_means_cost_no_digits(frame):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2))
    y = x @ [1.0, 2.0] + rng.normal(size=300)
    plain, moved = compare(frame(x, y=y), "y"), compare(frame(x + 1e6, y=y + 1e6), "y")
    assert moved.score("linear").r2 == pytest.approx(plain.score("linear").r2, abs=1e-7)
    assert moved.score("quadratic").r2 == pytest.approx(plain.score("quadratic").r2, abs=1e-2)


@pytest.mark.parametrize("folds", [1, 51, 2.5, True, -3])
def test_folds_that_are_no_folds_are_refused(mixed, folds):
    with pytest.raises(UsageError, match="folds must be a whole number"):
        compare(mixed, "y", folds=folds)


def test_more_folds_than_rows_allow_are_refused(frame):
    table = frame(np.arange(9.0)[:, None], y=np.arange(9.0) ** 2)
    with pytest.raises(UsageError, match="5 folds need 10 rows") as error:
        compare(table, "y")
    assert error.value.try_ == "--folds 4"
    with pytest.raises(DataError, match="too few to hold any out"):
        compare(table.slice(0, 3), "y")


@pytest.mark.parametrize(("option", "value"), [("level", 1.0), ("level", 0), ("seed", -1)])
def test_options_out_of_range_are_refused(mixed, option, value):
    with pytest.raises(UsageError, match=option):
        compare(mixed, "y", **{option: value})


@pytest.mark.parametrize("value", [3.5, "same"])
def test_a_constant_target_is_refused(frame, value):
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="same in every row"):
        compare(frame(rng.normal(size=(50, 2)), y=[value] * 50), "y")


def test_columns_that_do_not_vary_are_refused():
    with pytest.raises(DataError, match="is the same in every row"):
        compare(pa.table({"a": [1.0] * 50, "y": np.arange(50.0)}), "y")


def test_numbers_too_large_to_be_squared_are_named(frame):
    x = np.random.default_rng(0).normal(size=(50, 1))
    with pytest.raises(DataError, match="x0² are too large"):
        compare(frame(x * 1e90, y=x[:, 0]), "y")


def test_folds_of_rows_in_an_order() -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"x": rng.normal(size=60), "day": np.arange(60)[::-1]})
    rows["y"] = rows["x"] + rng.normal(size=60) / 5
    found = compare(rows, "y", order="day", folds=3)
    assert found.how == "60 rows, each held out once in 3 blocks in the order of day"
    held = compare(rows, "y", order="day", holdout=rows[["x", "y"]][:20])
    assert held.how == "the 20 rows of pandas DataFrame"
    with pytest.raises(DataError, match="no column 'dya'") as caught:
        compare(rows, "y", order="dya")
    assert caught.value.try_ == "did you mean day? --order day"
