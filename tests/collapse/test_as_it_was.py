"""What a collapse does not touch: a file in which nothing collapses, and all that a file says beside its stretches."""

import importlib
import json
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import Graph, a, assert_same

from unbend.cli import main
from unbend.collapse import collapse
from unbend.verify import verify

saving = importlib.import_module("unbend.collapse.write.saving")
work = importlib.import_module("unbend.collapse.collapse")

MARK = b"unbend.collapsed"


def bent() -> onnx.ModelProto:
    """One product and a bend: nothing to collapse."""
    graph = Graph("N", 4)
    return graph.model(graph("Relu", graph("Gemm", "x", a(4, 3), a(3))))


def chain(**more) -> onnx.ModelProto:
    """Two products and a bend between free axes with names."""
    graph = Graph("batch", "time", 4, **more)
    hidden = graph("MatMul", graph("MatMul", "x", a(4, 6)), a(6, 3))
    return graph.model(graph("Relu", hidden, label="the bend"))


def described(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with all that a file may say of itself."""
    model.producer_name, model.producer_version, model.domain, model.model_version = "me", "1.2", "org.me", 4
    model.doc_string, model.graph.doc_string, model.graph.name = "of the model", "of the graph", "the graph"
    for entries, key in ((model.metadata_props, "author"), (model.graph.metadata_props, "of")):
        entries.append(onnx.StringStringEntryProto(key=key, value="somebody"))
    for value in (*model.graph.input, *model.graph.output):
        value.doc_string = f"of {value.name}"
    for node in model.graph.node:
        node.doc_string = f"of {node.name}"
        node.metadata_props.append(onnx.StringStringEntryProto(key="layer", value=node.name))
    model.opset_import.extend([helper.make_opsetid("org.me", 3), helper.make_opsetid("ai.onnx.ml", 2)])
    return model


def test_a_file_in_which_nothing_collapses_is_written_byte_for_byte(tmp_path):
    original, copy = tmp_path / "a.onnx", tmp_path / "b.onnx"
    onnx.save(described(bent()), original)
    assert main(["collapse", str(original), "-o", str(copy)]) == 0
    own, written = original.read_bytes(), copy.read_bytes()
    assert written.startswith(own)
    assert MARK in written[len(own) :]
    onnx.checker.check_model(copy)
    assert {one.key: one.value for one in onnx.load(copy).metadata_props} == {
        "author": "somebody",
        "unbend.collapsed": "true",
    }
    assert verify(original, copy).holds
    assert main(["collapse", str(copy), "--check"]) == 0
    assert main(["collapse", str(copy), "-o", str(tmp_path / "c.onnx")]) == 0
    assert (tmp_path / "c.onnx").read_bytes() == written
    assert main(["collapse", str(original), "-o", str(copy)]) == 0


def test_a_model_in_which_nothing_collapses_is_the_one_that_was_given():
    model = described(bent())
    model.functions.append(
        helper.make_function(
            "org.me", "Unused", ["z"], ["o"], [helper.make_node("Relu", ["z"], ["o"])], [helper.make_opsetid("", 18)]
        )
    )
    nodes = [helper.make_node("Constant", [], ["one"], value=numpy_helper.from_array(np.float32([1.0])))]
    nodes[0].name = "kept as a node"
    model.graph.node.insert(0, nodes[0])
    found = collapse(model)
    assert not found.changed
    after = found.to_onnx()
    assert [node.name for node in after.graph.node] == [node.name for node in model.graph.node]
    assert [one.name for one in after.functions] == ["Unused"]
    assert {one.name: one.SerializeToString() for one in model.graph.initializer} == {
        one.name: one.SerializeToString() for one in after.graph.initializer
    }


def test_one_in_two_files_keeps_its_numbers(tmp_path, monkeypatch):
    (folder := tmp_path / "in").mkdir()
    onnx.save(bent(), folder / "a.onnx", save_as_external_data=True, location="a.bin", size_threshold=0)
    found = collapse(folder / "a.onnx")
    for large, name in ((False, "b.onnx"), (True, "c.onnx")):
        monkeypatch.setattr(saving, "MAX_BYTES", 0 if large else 1 << 30)
        monkeypatch.setattr(saving, "SMALL", 0)
        written = onnx.load(found.save(tmp_path / name))
        assert (tmp_path / f"{name}.data").exists() == large
        for own, other in zip(onnx.load(folder / "a.onnx").graph.initializer, written.graph.initializer, strict=True):
            np.testing.assert_array_equal(numpy_helper.to_array(own), numpy_helper.to_array(other))
        assert verify(folder / "a.onnx", tmp_path / name).holds


def test_check_says_by_its_code_whether_there_is_anything(tmp_path, capsys):
    for model, code in ((bent(), 0), (chain(), 1)):
        onnx.save(model, tmp_path / "a.onnx")
        before = sorted(tmp_path.iterdir())
        assert main(["collapse", str(tmp_path / "a.onnx"), "--check", "--json"]) == code
        assert json.loads(capsys.readouterr().out)["verb"] == "collapse"
        assert sorted(tmp_path.iterdir()) == before


def test_what_a_file_says_of_itself_stays(tmp_path):
    model = described(chain())
    onnx.save(model, tmp_path / "a.onnx")
    found = collapse(tmp_path / "a.onnx")
    assert found.changed
    assert found.notes == ()
    after = onnx.load(found.save(tmp_path / "b.onnx"))
    for name in ("producer_name", "producer_version", "domain", "model_version", "doc_string", "ir_version"):
        assert getattr(after, name) == getattr(model, name)
    assert list(after.opset_import) == list(model.opset_import)
    assert [one for one in after.metadata_props if one.key != MARK.decode()] == list(model.metadata_props)
    own, graph = model.graph, after.graph
    assert (graph.name, graph.doc_string) == (own.name, own.doc_string)
    assert list(graph.metadata_props) == list(own.metadata_props)
    assert list(graph.input) == list(own.input)
    assert list(graph.output) == list(own.output)
    (bend,), (kept,) = ([node for node in one.node if node.op_type == "Relu"] for one in (own, graph))
    assert (kept.name, kept.doc_string, list(kept.metadata_props)) == (
        bend.name,
        bend.doc_string,
        list(bend.metadata_props),
    )


def test_a_path_that_cannot_be_written_is_known_before_the_work(tmp_path, monkeypatch, capsys):
    onnx.save(chain(), tmp_path / "a.onnx")
    (locked := tmp_path / "locked").mkdir()
    (tmp_path / "mine.onnx").write_bytes(b"of somebody else")

    def works(*_, **__):
        raise AssertionError("the collapse runs")

    monkeypatch.setattr(work, "stretches", works)
    locked.chmod(0o500)
    monkeypatch.setattr("tempfile.mkdtemp", _refusing(locked))
    cases = {
        ("-o", str(tmp_path / "missing" / "b.onnx")): "No such file or directory",
        ("-o", str(locked / "b.onnx")): "Permission denied",
        ("-o", str(tmp_path / "a.onnx")): "is an input",
        ("-o", str(tmp_path / "mine.onnx")): "unbend did not make it",
        ("-o", str(tmp_path / "b.onnx"), "--certificate", str(tmp_path / "no" / "c.json")): "No such file or directory",
        ("-o", str(tmp_path / "b.onnx"), "--certificate", str(tmp_path / "b.onnx")): "cannot both be",
        ("--certificate", str(tmp_path / "c.json")): "would speak of no file",
        ("--html", str(tmp_path / "missing" / "page.html")): "No such file or directory",
    }
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    for options, said in cases.items():
        assert main(["collapse", str(tmp_path / "a.onnx"), *options]) == 2
        error = capsys.readouterr().err
        assert error.count("error: ") == 1
        assert said in error
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


def _refusing(locked: Path):
    """Temporary folders, but in one that may not be written: tests may run as root, whom no mode stops."""
    from tempfile import mkdtemp

    def made(suffix=None, prefix=None, dir=None):
        if dir is not None and Path(dir) == locked:
            raise PermissionError(13, os.strerror(13), str(locked))
        return mkdtemp(suffix, prefix, dir)

    return made


def test_the_data_of_the_output_is_not_that_of_the_input(tmp_path, monkeypatch, capsys):
    onnx.save(chain(), tmp_path / "a.onnx", save_as_external_data=True, location="b.onnx.data", size_threshold=0)
    before = (tmp_path / "b.onnx.data").read_bytes()
    monkeypatch.setattr(saving, "MAX_BYTES", 0)
    assert main(["collapse", str(tmp_path / "a.onnx"), "-o", str(tmp_path / "b.onnx"), "--force"]) == 2
    assert "b.onnx.data is an input" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.onnx", "b.onnx.data"]
    assert (tmp_path / "b.onnx.data").read_bytes() == before


def test_data_in_a_folder_beside_the_model(tmp_path, monkeypatch):
    (tmp_path / "in" / "weights").mkdir(parents=True)
    model = chain()
    onnx.save(model, tmp_path / "in" / "a.onnx")
    onnx.external_data_helper.convert_model_to_external_data(model, location="weights/all.bin", size_threshold=0)
    onnx.save(model, tmp_path / "in" / "a.onnx")
    whole = onnx.load(tmp_path / "in" / "a.onnx")
    monkeypatch.chdir(tmp_path)
    assert main(["collapse", "in/a.onnx", "-o", "b.onnx"]) == 0
    assert_same(whole, onnx.load("b.onnx"), time=5)
    assert main(["collapse", "in/a.onnx", "--verify", "b.onnx"]) == 0


@pytest.mark.parametrize("dtype", [TensorProto.FLOAT])
def test_an_old_ir_version_is_said_to_become_a_newer_one(dtype, tmp_path):
    model = chain()
    model.ir_version = 3
    for one in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(one.name, dtype, one.dims))
    onnx.save(model, tmp_path / "a.onnx")
    found = collapse(tmp_path / "a.onnx")
    (note,) = found.notes
    assert "IR version 3 became 4" in note
    assert note in str(found)
    after = found.to_onnx()
    assert after.ir_version == 4
    assert [one.name for one in after.graph.input] == ["x"]
