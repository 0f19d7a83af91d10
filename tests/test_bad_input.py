"""Bad input through the command line: one clear message (what, where, what to do), its exit code, nothing written."""

from __future__ import annotations

import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from sklearn.neural_network import MLPRegressor

from unbend.cli import main
from unbend.network import read


@dataclass
class Refusal:
    """How a command ended: its exit code and the lines on stderr."""

    code: int
    lines: list[str]

    @property
    def what(self) -> str:
        return self.lines[0].removeprefix("error: ")

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a network of three columns, and the table that it belongs to."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    y = x[:, 0] - np.abs(x[:, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = MLPRegressor(hidden_layer_sizes=(4,), max_iter=50, random_state=0).fit(x, y)
    onnx.save(to_proto(network), tmp_path / "model.onnx")
    table(tmp_path / "rows.csv", np.column_stack([x, y]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def to_proto(estimator: object) -> onnx.ModelProto:
    import onnx_ir

    return onnx_ir.to_proto(read(estimator).model)


def table(path: Path, values: np.ndarray, header: str = "a,b,c,y") -> None:
    rows = [",".join(str(value) for value in row) for row in values]
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


@pytest.fixture
def refused(folder: Path, capsys: pytest.CaptureFixture[str]):
    """Run a command line that must be refused: nothing on stdout, nothing written, three parts on stderr."""

    def run(*line: str, code: int = 3, where: bool = True) -> Refusal:
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        capsys.readouterr()
        assert main([str(word) for word in line]) == code
        out, err = capsys.readouterr()
        found = Refusal(code, err.splitlines())
        assert out == ""
        assert found.lines[0].startswith("error: ")
        assert "  what you can do" in found.lines
        assert found.lines.index("  what you can do") > (1 if where else 0)
        assert "Traceback" not in err
        assert "bug in unbend" not in err
        after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        assert after == before
        return found

    return run


EXAMINE = ("examine", "model.onnx", "rows.csv", "--target", "y")
MODEL_COMMANDS = [EXAMINE, ("bends", "model.onnx", "rows.csv"), ("near", "model.onnx", "rows.csv"),
                  ("collapse", "model.onnx"), ("explain", "model.onnx"),
                  ("compare", "rows.csv", "model.onnx", "--target", "y")]  # fmt: skip
DATA_COMMANDS = [EXAMINE, ("fit", "rows.csv", "--target", "y"), ("check", "rows.csv", "--target", "y"),
                 ("compare", "rows.csv", "--target", "y")]  # fmt: skip
NAMES = {"ids": lambda line: "-".join(str(word) for word in line[:2])}


@pytest.mark.parametrize("line", MODEL_COMMANDS, **NAMES)
def test_no_such_model(line, folder, refused):
    (folder / "model.onnx").rename(folder / "other.onnx")
    found = refused(*line)
    assert found.what == "no such file: model.onnx"
    assert "other.onnx" in found.text


@pytest.mark.parametrize("line", [*DATA_COMMANDS, MODEL_COMMANDS[1], MODEL_COMMANDS[2]], **NAMES)
def test_no_such_data(line, folder, refused):
    (folder / "rows.csv").rename(folder / "row.csv")
    found = refused(*line, where=False)
    assert found.what == "no such file: rows.csv"
    assert "did you mean row.csv?" in found.text


@pytest.mark.parametrize("line", MODEL_COMMANDS, **NAMES)
def test_not_an_onnx_file(line, folder, refused):
    (folder / "model.onnx").write_text("a,b\n1,2\n")
    found = refused(*line)
    assert "model.onnx is not an ONNX model" in found.what


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.99])
def test_truncated_onnx_file(share, folder, refused):
    whole = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(whole[: int(share * len(whole))])
    found = refused(*EXAMINE, where=share > 0)
    assert "model.onnx" in found.what
    assert "export the model again" in found.text


@pytest.mark.parametrize("line", [EXAMINE, MODEL_COMMANDS[5]], **NAMES)
@pytest.mark.parametrize("columns", [2, 5])
def test_wrong_number_of_columns(line, columns, folder, refused):
    header = ",".join([*"abcde"[:columns], "y"])
    table(folder / "rows.csv", np.random.default_rng(0).random((60, columns + 1)), header)
    found = refused(*line)
    assert found.what == f"model.onnx takes 3 columns; rows.csv has {columns} besides y"
    assert "a, b" in found.text
    assert ("such as --exclude e" in found.text) == (columns == 5)


@pytest.mark.parametrize("line", DATA_COMMANDS, **NAMES)
def test_unknown_target(line, refused):
    found = refused(*line[:-1], "yy")
    assert found.what == "no column 'yy' in rows.csv"
    assert "its 4 columns are a, b, c, y" in found.text
    assert "did you mean y? --target y" in found.text


@pytest.mark.parametrize("line", DATA_COMMANDS, **NAMES)
def test_target_not_numeric(line, folder, refused):
    names = np.array([f"name {i}" for i in range(60)])
    table(folder / "rows.csv", np.column_stack([np.random.default_rng(0).random((60, 3)), names]))
    found = refused(*line)
    assert (
        found.what
        == "the target y is not numeric: it is text with 60 different values in 60 rows, too many for classes"
    )
    assert "column y of rows.csv" in found.text


@pytest.mark.parametrize("line", DATA_COMMANDS, **NAMES)
def test_text_in_a_numeric_column(line, folder, refused):
    text = (folder / "rows.csv").read_text().splitlines()
    text[8] = "unknown," + text[8].split(",", 1)[1]
    (folder / "rows.csv").write_text("\n".join(text))
    found = refused(*line)
    assert found.what == "a looks like numbers, but 1 of its 60 values is not written as one: unknown"
    assert "first at row 7" in found.text
    assert "--exclude a" in found.text


@pytest.mark.parametrize("line", DATA_COMMANDS, **NAMES)
def test_infinite_number(line, folder, refused):
    values = np.random.default_rng(0).random((60, 4))
    values[11, 1] = np.inf
    table(folder / "rows.csv", values)
    found = refused(*line)
    assert found.what == "b is infinite in row 11"
    assert "column b, row 11 (the first row is 0)" in found.text


@pytest.mark.parametrize("line", DATA_COMMANDS, **NAMES)
def test_a_missing_value_in_every_row(line, folder, refused):
    values = np.random.default_rng(0).random((60, 4))
    values[::2, 1] = np.nan
    values[1::2, 2] = np.nan
    table(folder / "rows.csv", values)
    found = refused(*line)
    assert found.what == "no row of rows.csv is complete: each of its 60 rows has a missing value"
    assert "missing values: b 30, c 30" in found.text
    assert "--exclude b" in found.text


@pytest.mark.parametrize("line", DATA_COMMANDS, **NAMES)
def test_some_missing_values_are_left_out_and_counted(line, folder, capsys):
    values = np.random.default_rng(0).normal(size=(60, 4))
    values[[3, 9], 1] = np.nan
    table(folder / "rows.csv", values)
    assert main([*line, *(["--page", "page.html"] if line[0] == "examine" else [])]) == 0
    assert "2 of 60 rows have a missing value and are left out" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("line", [*DATA_COMMANDS, MODEL_COMMANDS[1], MODEL_COMMANDS[2]], **NAMES)
def test_no_rows(line, folder, refused):
    (folder / "rows.csv").write_text("a,b,c,y\n")
    found = refused(*line, where=False)
    assert found.what == "rows.csv has no rows"


@pytest.mark.parametrize("line", DATA_COMMANDS, **NAMES)
def test_one_row(line, folder, refused):
    (folder / "rows.csv").write_text("a,b,c,y\n1,2,3,4\n")
    found = refused(*line)
    assert found.what == "rows.csv has one complete row; a regression needs more rows than columns"


@pytest.mark.parametrize("line", DATA_COMMANDS, **NAMES)
def test_fewer_rows_than_columns(line, folder, refused):
    table(folder / "rows.csv", np.random.default_rng(0).random((3, 4)))
    found = refused(*line)
    assert "rows" in found.what


@pytest.mark.parametrize("line", DATA_COMMANDS, **NAMES)
def test_constant_target(line, folder, refused):
    values = np.random.default_rng(0).random((60, 4))
    values[:, 3] = 7
    table(folder / "rows.csv", values)
    found = refused(*line)
    assert found.what.startswith("the target y is the same in every row")
    assert "60 " in found.lines[1]


def graph(inputs: list[onnx.ValueInfoProto], nodes: list[onnx.NodeProto], output: str, axes: list) -> onnx.ModelProto:
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, axes)]
    made = helper.make_graph(nodes, "graph", inputs, outputs)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def tensor(name: str, *axes: object) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, axes)


@pytest.mark.parametrize("line", [line for line in MODEL_COMMANDS if line[0] not in ("collapse", "explain")], **NAMES)
def test_a_model_with_two_inputs(line, folder, refused):
    nodes = [helper.make_node("Add", ["left", "right"], ["sum"])]
    onnx.save(graph([tensor("left", "N", 3), tensor("right", "N", 3)], nodes, "sum", ["N", 3]), folder / "model.onnx")
    found = refused(*line)
    assert found.what == "model.onnx has 2 inputs; only collapse and explain take such a network"
    assert "left (N, 3)" in found.text
    assert "right (N, 3)" in found.text


@pytest.mark.parametrize("line", [EXAMINE, MODEL_COMMANDS[1], MODEL_COMMANDS[2], MODEL_COMMANDS[5]], **NAMES)
def test_an_image_model_with_a_table(line, folder, refused):
    nodes = [helper.make_node("GlobalAveragePool", ["x"], ["mean"]), helper.make_node("Flatten", ["mean"], ["y"])]
    onnx.save(graph([tensor("x", "N", 1, 28, 28)], nodes, "y", ["N", 1]), folder / "model.onnx")
    found = refused(*line)
    assert found.what == "model.onnx takes a tensor of 1 × 28 × 28, not a table"
    assert "784 numbers a row; rows.csv has" in found.text


def test_several_outputs_for_one_number(folder, refused):
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    onnx.save(graph([tensor("x", "N", 3)], nodes, "y", ["N", 3]), folder / "model.onnx")
    found = refused(*EXAMINE)
    assert found.what == "model.onnx gives 3 numbers for a row; y is one number"


def test_unknown_option(refused):
    found = refused(*EXAMINE, "--targett", "y", code=2)
    assert "--targett" in found.what
    assert "unbend examine --help" in found.text


def test_missing_option(refused):
    found = refused("examine", "model.onnx", "rows.csv", code=2)
    assert "--target" in found.what


def test_unknown_command(refused):
    found = refused("examin", "model.onnx", code=2)
    assert "did you mean examine?" in found.what


def test_a_model_in_the_place_of_a_command(refused):
    found = refused("model.onnx", code=2)
    assert "unbend examine model.onnx DATA --target NAME" in found.text


def test_arguments_in_the_wrong_order(refused):
    found = refused("examine", "rows.csv", "model.onnx", "--target", "y", code=2)
    assert "rows.csv is a table, and a network belongs here" in found.what


def test_a_row_that_is_not_there(refused):
    found = refused("near", "model.onnx", "rows.csv", "--target", "y", "--row", "60")
    assert found.what == "no row 60 in rows.csv"
    assert "from row 0 to row 59" in found.text


def test_near_and_bends_need_to_know_which_column_is_the_target(refused):
    for verb in ("near", "bends"):
        found = refused(verb, "model.onnx", "rows.csv")
        assert found.what == "model.onnx takes 3 columns; rows.csv has 4"
        assert "such as --target y" in found.text


@pytest.mark.parametrize("place", ["model.onnx", "rows.csv"])
def test_an_output_that_is_an_input(place, refused):
    found = refused(*EXAMINE, "--page", place, code=2, where=False)
    assert found.what == f"{place} is an input, and an input is never overwritten"
    forced = refused(*EXAMINE, "--page", place, "--force", code=2, where=False)
    assert forced.what == found.what


def test_collapse_onto_its_own_input(refused):
    found = refused("collapse", "model.onnx", "-o", "model.onnx", "--force", code=2, where=False)
    assert "an input is never overwritten" in found.what


def test_a_file_of_somebody_else(folder, refused):
    (folder / "page.html").write_text("<p>mine</p>")
    found = refused(*EXAMINE, "--page", "page.html", code=2, where=False)
    assert found.what == "page.html is there already, and unbend did not make it"


def test_a_folder_that_is_not_there(refused):
    found = refused(*EXAMINE, "--page", "nowhere/page.html", code=2)
    assert found.what.startswith("cannot write nowhere/page.html")


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are those of POSIX")
def test_a_folder_that_cannot_be_written(folder, refused):
    closed = folder / "closed"
    closed.mkdir()
    closed.chmod(0o500)
    if os.access(closed, os.W_OK):  # the superuser may write anywhere: /proc cannot be written by anybody
        closed = Path("/proc")
    found = refused(*EXAMINE, "--page", str(closed / "page.html"), code=2)
    assert found.what.startswith(f"cannot write {closed / 'page.html'}")


def test_a_hold_out_that_is_the_data(refused):
    found = refused(*EXAMINE, "--holdout", "rows.csv", code=2, where=False)
    assert found.what.startswith("the hold-out file is the data file itself")


def test_an_unknown_order(refused):
    found = refused(*EXAMINE, "--order", "day")
    assert found.what == "no column 'day' in rows.csv"
