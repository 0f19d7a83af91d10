"""What the demo leaves behind."""

from __future__ import annotations

import csv
import shlex

import numpy as np
import onnxruntime
import pytest

import unbend
from unbend.cli import main
from unbend.demo.cases import CASES
from unbend.demo.training import train
from unbend.errors import UsageError


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    return unbend.demo("diabetes", tmp_path_factory.mktemp("demo") / "diabetes")


def test_three_files_in_the_folder(left):
    assert {path.name for path in left.model.parent.iterdir()} == {"diabetes.onnx", "diabetes.csv", "diabetes.html"}


def test_the_data_are_the_case_and_what_was_held_out(left):
    with left.data.open(newline="") as file:
        rows = list(csv.DictReader(file))
    trained = train(CASES["diabetes"])
    assert list(rows[0]) == [*trained.columns, "held_out"]
    for name, values in trained.columns.items():
        np.testing.assert_array_equal([float(row[name]) for row in rows], values)
    assert [row["held_out"] == "true" for row in rows] == trained.held_out.tolist()


def test_the_file_computes_what_was_trained(left):
    trained = train(CASES["diabetes"])
    x = np.column_stack([values for name, values in trained.columns.items() if name != "progression"])
    session = onnxruntime.InferenceSession(str(left.model), providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {session.get_inputs()[0].name: x.astype(np.float32)})
    np.testing.assert_allclose(np.ravel(output), trained.network.predict(x), rtol=1e-4)


def test_the_page_and_the_text_answer(left):
    page = left.page.read_text()
    assert 'name="generator" content="unbend' in page
    assert str(left.answer) in str(left)


def test_the_command_repeats_the_answer(left, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(left.command)[1:]) == 0
    assert capsys.readouterr().out.strip()
    assert (tmp_path / "unbend-diabetes.html").exists()


def test_a_second_run_writes_the_same_bytes(left):
    before = {path: path.read_bytes() for path in left.model.parent.iterdir()}
    unbend.demo("diabetes", left.model.parent)
    assert {path: path.read_bytes() for path in left.model.parent.iterdir()} == before


def test_files_of_somebody_else_are_kept(tmp_path):
    mine = tmp_path / "diabetes.csv"
    mine.write_text("mine")
    with pytest.raises(UsageError, match="did not make"):
        unbend.demo("diabetes", tmp_path)
    assert mine.read_text() == "mine"


def test_list(capsys):
    assert main(["demo", "--list"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in CASES)


def test_an_unknown_case_on_the_command_line(capsys):
    assert main(["demo", "iris"]) == 2
    assert "unbend demo diabetes" in capsys.readouterr().err
