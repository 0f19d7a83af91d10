"""Files that cannot be collapsed, or not written: one clear message, nothing overwritten, nothing left."""

import importlib
import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import Graph, a

from unbend.collapse import collapse
from unbend.errors import ModelError, UsageError


@pytest.fixture
def file(tmp_path):
    graph = Graph("N", 4)
    path = tmp_path / "model.onnx"
    onnx.save(graph.model(graph("MatMul", graph("MatMul", "x", a(4, 4)), a(4, 2))), path)
    return path


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (helper.make_node("Relu", ["x"], ["y"], foo=1), "Unrecognized attribute: foo"),
        (helper.make_node("Relu", ["x", "x"], ["y"]), "has input size 2"),
        (helper.make_node("Nonsense", ["x"], ["y"]), "No Op registered for Nonsense"),
    ],
)
def test_what_the_checker_does_not_accept(node, said):
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4]) for name in "xy"]
    graph = helper.make_graph([node], "odd", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    with pytest.raises(ModelError, match=r"onnx\.checker does not accept odd") as caught:
        collapse(model)
    assert said in caught.value.where


@pytest.mark.parametrize("kind", ["the same", "symlink", "hard link", "another way"])
def test_an_output_that_is_the_input(kind, file, tmp_path):
    before, output = file.read_bytes(), tmp_path / "other.onnx"
    match kind:
        case "the same":
            output = file
        case "symlink":
            output.symlink_to(file)
        case "hard link":
            os.link(file, output)
        case _:
            output = tmp_path / ".." / tmp_path.name / file.name
    with pytest.raises(UsageError, match="is an input"):
        collapse(file).save(output, force=True)
    assert file.read_bytes() == before


def test_data_beside_the_input_is_never_overwritten(tmp_path):
    graph = Graph("N", 4)
    model = graph.model(graph("MatMul", graph("MatMul", "x", a(4, 40)), a(40, 2)))
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    with pytest.raises(UsageError, match="is an input"):
        collapse(tmp_path / "m.onnx").save(tmp_path / "m.data", force=True)


def test_a_file_that_is_not_there_whatever_its_kind():
    with pytest.raises(ModelError, match="no such file"):
        collapse("m.pt")


def test_a_torch_file(tmp_path):
    (tmp_path / "m.pt").write_bytes(b"PK\x03\x04")
    with pytest.raises(ModelError, match="is torch's own file") as caught:
        collapse(tmp_path / "m.pt")
    assert "torch.onnx.export" in caught.value.try_


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "a pointer of Git LFS"),
        (b"PK\x03\x04 and more", "a zip archive"),
        (b"\x89HDF\r\n", "an HDF5 file"),
        (b"\x1f\x8b\x08", "a gzip archive"),
        (b'{"a": 1}', "is not an ONNX model, or it is truncated"),
    ],
)
def test_files_of_other_kinds(head, said, tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(head)
    with pytest.raises(ModelError, match=said) as caught:
        collapse(path)
    assert caught.value.try_


@pytest.mark.parametrize("op", ["Pad", "Range", "Tile", "Expand", "ConstantOfShape"])
def test_a_vector_of_sizes_without_an_end(op):
    """ONNX's shape inference would write out what it holds."""
    many, graph = 10**12, Graph("N", 4)
    whole = {
        "Pad": ([1, 2], [0, many]),
        "Range": (0, many, 1),
        "Tile": ([1, 2], [many]),
        "Expand": ([1], [many]),
        "ConstantOfShape": ([many],),
    }[op]
    value = helper.make_tensor("value", TensorProto.INT64, [1], [3])
    more = {"value": value} if op == "ConstantOfShape" else {}
    long = graph(op, *(np.array(one, dtype=np.int64) for one in whole), **more)
    total = graph("ReduceSum", graph("Cast", long, to=TensorProto.FLOAT), keepdims=0)
    with pytest.raises(ModelError, match="is too large for unbend"):
        collapse(graph.model(graph("Add", graph("MatMul", "x", a(4, 2)), total), check=False))


def test_an_axis_of_length_minus_one_is_free():
    nodes = [helper.make_node("MatMul", ["x", "a"], ["h"]), helper.make_node("MatMul", ["h", "b"], ["y"])]
    numbers = [numpy_helper.from_array(a(*shape).astype(np.float32), n) for n, shape in (("a", (4, 9)), ("b", (9, 2)))]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [-1, size]) for n, size in (("x", 4), ("y", 2))]
    model = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], numbers), ir_version=9)
    assert collapse(model).after.heavy == 1


def test_shapes_that_do_not_fit_are_left_alone():
    nodes = [helper.make_node("MatMul", ["x", "a"], ["h"]), helper.make_node("MatMul", ["h", "b"], ["y"])]
    numbers = [numpy_helper.from_array(a(*shape).astype(np.float32), n) for n, shape in (("a", (3, 9)), ("b", (9, 2)))]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", size]) for n, size in (("x", 4), ("y", 2))]
    found = collapse(helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], numbers), ir_version=9))
    assert not found.changed
    assert "does not fit inputs of shape" in str(found)


def test_a_model_in_two_files(file, tmp_path, monkeypatch):
    """As one of more than 2 GB is written, and read by mapping its data."""
    saving, external = (
        importlib.import_module(f"unbend.{one}") for one in ("collapse.write.saving", "network.external")
    )
    monkeypatch.setattr(saving, "MAX_BYTES", 10)
    monkeypatch.setattr(saving, "SMALL", 4)
    monkeypatch.setattr(external, "MAPPED", 10)
    found = collapse(file)
    for _ in range(2):  # its own files are replaced
        found.save(tmp_path / "two.onnx")
    written = sorted(one.name for one in tmp_path.iterdir())
    assert written == ["model.onnx", "two.certificate.json", "two.onnx", "two.onnx.data"]
    onnx.checker.check_model(str(tmp_path / "two.onnx"))
    again = collapse(tmp_path / "two.onnx")
    assert not again.changed
    assert [one.name for one in again.files] == ["two.onnx", "two.onnx.data"]
    np.testing.assert_array_equal(
        *(next(iter(one.model.graph.initializers.values())).const_value.numpy() for one in (found, again))
    )
