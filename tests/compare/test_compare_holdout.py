"""Rows that are held out by a column or a file: everything is judged on them, and fitted on the others."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import StandardScaler

from unbend.compare import compare
from unbend.errors import DataError, UsageError


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(8)
    x = rng.normal(size=(300, 2))
    return x, x @ [1.0, 2.0] + rng.normal(size=300), rng.random(300) < 0.3


def direct_r2(x, y, held) -> float:
    predicted = LinearRegression().fit(x[~held], y[~held]).predict(x[held])
    return 1 - np.sum((y[held] - predicted) ** 2) / np.sum((y[held] - y[~held].mean()) ** 2)


@pytest.mark.parametrize(
    "words", [("1", "0"), ("true", "False"), (" Yes ", "no"), ("test", "train"), (True, False), (1.0, 0.0)]
)
def test_a_column_marks_the_rows_in_any_usual_words(rows, frame, words):
    x, y, held = rows
    marks = [words[0] if h else words[1] for h in held]
    found = compare(frame(x, y=y, where=marks), "y", holdout_column="where")
    assert found.n == held.sum()
    assert found.how == f"the {held.sum()} rows that where marks"
    assert found.folds == 1
    assert found.score("linear").r2 == pytest.approx(direct_r2(x, y, held))
    assert found.score("linear").parameters == 3


def test_a_file_gives_what_a_column_gives(rows, frame, tmp_path):
    x, y, held = rows
    whole = frame(x, y=y)
    pa.csv.write_csv(whole.filter(pa.array(~held)), tmp_path / "fit.csv")
    pa.csv.write_csv(whole.filter(pa.array(held)), tmp_path / "new.csv")
    by_file = compare(tmp_path / "fit.csv", "y", holdout=tmp_path / "new.csv")
    by_column = compare(frame(x, y=y, held=held), "y", holdout_column="held")
    assert by_file.how == f"the {held.sum()} rows of new.csv"
    for name in ("constant", "linear", "quadratic"):
        assert by_file.score(name).loss == pytest.approx(by_column.score(name).loss)
    assert by_file.step("linear", "quadratic").by_folds is None


def test_one_training_is_said_to_be_one_training(rows, frame):
    x, y, held = rows
    found = compare(frame(x, y=y, held=held), "y", holdout_column="held")
    assert any("trained once" in note for note in found.notes)


def test_intervals_of_a_hold_out_are_those_of_its_rows(rows, frame):
    x, y, held = rows
    found = compare(frame(x, y=y, held=held), "y", holdout_column="held").step("constant", "linear")
    predicted = LinearRegression().fit(x[~held], y[~held]).predict(x[held])
    null = (y[held] - y[~held].mean()) ** 2
    gain = null - (y[held] - predicted) ** 2
    error = np.std(gain - found.gain * null, ddof=1) / null.mean() / np.sqrt(held.sum())
    assert (found.interval.high - found.gain) / error == pytest.approx(1.99, abs=0.02)


def test_a_network_with_a_hold_out_is_not_flattered(rows, frame, trained):
    x, y, held = rows
    found = compare(frame(x, y=y, held=held), "y", trained(x[~held], y[~held]), holdout_column="held")
    assert not found.may_flatter
    assert {step.grade for step in found.steps} == {"measured on held-out rows"}
    assert not any("trained elsewhere" in note for note in found.notes)


def test_classes_in_a_hold_out(rows, frame):
    x, y, held = rows
    table = frame(x, kind=np.where(y > 0, "up", "down"), held=held)
    found = compare(table, "kind", holdout_column="held")
    assert found.n == held.sum()
    assert found.enough == "logistic"


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        (["validation"] + ["train"] * 149 + ["test"] * 150, "where is validation in row 0"),
        ([None] + ["train"] * 149 + ["test"] * 150, "where is missing in row 0"),
        (["train"] * 299 + ["test"], "leaves 1 complete rows held out"),
        (["test"] * 300, "leaves 0 complete rows left to fit on"),
    ],
)
def test_a_column_that_does_not_say_is_refused(rows, frame, marks, message):
    x, y, _ = rows
    with pytest.raises(DataError, match=message):
        compare(frame(x, y=y, where=marks), "y", holdout_column="where")


def test_hold_outs_that_make_no_sense_are_refused(rows, frame, tmp_path):
    x, y, held = rows
    table = frame(x, y=y, held=held)
    with pytest.raises(DataError, match="no column 'hold'"):
        compare(table, "y", holdout_column="hold")
    with pytest.raises(UsageError, match="at once"):
        compare(table, "y", holdout=table, holdout_column="held")
    with pytest.raises(UsageError, match="target"):
        compare(table, "y", holdout_column="y")
    pa.csv.write_csv(table, tmp_path / "data.csv")
    with pytest.raises(UsageError, match="the data file itself"):
        compare(tmp_path / "data.csv", "y", holdout=str(tmp_path / "data.csv"))


def test_a_hold_out_in_which_nothing_varies_is_refused(rows, frame):
    x, y, held = rows
    y = np.where(held, y[~held].mean(), y)
    with pytest.raises(DataError, match="exactly on every held-out row"):
        compare(frame(x, y=y, held=held), "y", holdout_column="held")


def test_a_scaler_outside_the_network_is_that_of_the_rows_that_are_not_held_out(rows, frame, trained):
    x, y, held = rows
    x = 50 + 20 * x + 30 * held[:, None]
    scaler = StandardScaler().fit(x[~held])
    network = trained(scaler.transform(x[~held]), y[~held])
    found = compare(frame(x, y=y, held=held), "y", network, holdout_column="held")
    error = np.mean((y[held] - network.predict(scaler.transform(x[held]))) ** 2)
    assert found.score("network").loss == pytest.approx(error, rel=1e-4)
    assert any(f"those of the {(~held).sum()} rows that held does not mark." in note for note in found.notes)
