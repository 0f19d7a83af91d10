"""Numbers beside a model: every data file counts, wherever its tensors stand, and so do the numbers in it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_graphs import Graph, a

from unbend.collapse import collapse
from unbend.errors import InputError
from unbend.verify import verify


def in_a_constant(graph: Graph, tensor: TensorProto) -> str:
    graph.nodes.append(helper.make_node("Constant", [], ["c"], value=tensor))
    return graph("Add", "x", "c")


def in_a_body(graph: Graph, tensor: TensorProto) -> str:
    def body(node: onnx.NodeProto, *initializers: TensorProto) -> onnx.GraphProto:
        return helper.make_graph([node], "body", [], [onnx.ValueInfoProto(name="o")], initializers)

    taken, other = helper.make_node("Add", ["x", "c"], ["o"]), helper.make_node("Identity", ["x"], ["o"])
    return graph("If", np.array(True), label="branch", then_branch=body(taken, tensor), else_branch=body(other))


def in_a_constant_in_a_body(graph: Graph, tensor: TensorProto) -> str:
    out = [onnx.ValueInfoProto(name="o")]
    nodes = [helper.make_node("Constant", [], ["c"], value=tensor), helper.make_node("Add", ["x", "c"], ["o"])]
    both = {key: helper.make_graph(nodes, "body", [], out) for key in ("then_branch", "else_branch")}
    flag = graph("Greater", graph("ReduceSum", "x", keepdims=0), np.array(0.0))
    return graph("If", flag, label="branch", **both)


def in_a_function(graph: Graph, tensor: TensorProto) -> str:
    nodes = [helper.make_node("Constant", [], ["c"], value=tensor), helper.make_node("Add", ["z", "c"], ["o"])]
    graph.functions.append(helper.make_function("f", "F", ["z"], ["o"], nodes, [helper.make_opsetid("", 18)]))
    return graph("F", "x", domain="f")


PLACES = [in_a_constant, in_a_body, in_a_constant_in_a_body, in_a_function]


def outside() -> TensorProto:
    tensor = TensorProto(name="c", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="numbers.bin")
    return tensor


def one_by_one() -> TensorProto:
    return TensorProto(name="c", data_type=TensorProto.FLOAT, dims=[4], float_data=[1, 2, 3, 4])


def written(folder: Path, place, tensor: TensorProto) -> tuple[Path, Path, Path]:
    """A model with a tensor somewhere, collapsed, and its certificate."""
    np.arange(1, 5, dtype=np.float32).tofile(folder / "numbers.bin")
    graph = Graph("N", 4)
    value = place(graph, tensor)
    product = graph("MatMul", graph("MatMul", value, a(4, 9)), a(9, 3))
    (folder / "a.onnx").write_bytes(graph.model(product, check=False).SerializeToString())
    found = collapse(folder / "a.onnx", cost="macs")
    assert found.changed
    found.save(folder / "b.onnx")
    return folder / "a.onnx", folder / "b.onnx", folder / "b.certificate.json"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("tensor", [outside, one_by_one])
def test_a_certificate_holds_wherever_numbers_are_stored(place, tensor, tmp_path):
    found = verify(*written(tmp_path, place, tensor()))
    assert found.wrong == found.unread == ()
    assert len(found.stretches) == 1


@pytest.mark.parametrize("place", PLACES)
def test_other_numbers_in_a_data_file_are_found(place, tmp_path):
    files = written(tmp_path, place, outside())
    np.full(4, 8, dtype=np.float32).tofile(tmp_path / "numbers.bin")
    found = verify(*files)
    assert "was made for other files than numbers.bin" in found.wrong[0]
    stated = json.loads(files[2].read_text())
    stated["original"]["data"]["numbers.bin"] = hashlib.sha256((tmp_path / "numbers.bin").read_bytes()).hexdigest()
    files[2].write_text(json.dumps(stated))
    assert not verify(*files).holds


def test_a_body_that_differs_is_said_in_few_words(tmp_path):
    files = written(tmp_path, in_a_body, outside())
    model = onnx.load(files[1])
    branch = next(node for node in model.graph.node if node.op_type == "If")
    body = next(one.g for one in branch.attribute if one.name == "then_branch")
    body.initializer[0].raw_data = np.full(4, 8, dtype=np.float32).tobytes()
    onnx.save(model, files[1])
    stated = json.loads(files[2].read_text())
    stated["collapsed"]["sha256"] = hashlib.sha256(files[1].read_bytes()).hexdigest()
    files[2].write_text(json.dumps(stated))
    assert verify(*files).wrong[0] == "If branch: its attribute then_branch is another"


def test_a_model_does_not_read_outside_its_own_folder(tmp_path):
    files = written(tmp_path, in_a_constant, outside())
    (tmp_path / "numbers.bin").rename(tmp_path / "elsewhere.bin")
    (tmp_path / "inner").mkdir()
    model = onnx.load(files[0], load_external_data=False)
    tensor = next(one.t for node in model.graph.node for one in node.attribute if one.name == "value")
    tensor.external_data[0].value = "../elsewhere.bin"
    (tmp_path / "inner" / "a.onnx").write_bytes(model.SerializeToString())
    stated = json.loads(files[2].read_text())
    stated["original"] = {
        "file": "a.onnx",
        "sha256": hashlib.sha256((tmp_path / "inner" / "a.onnx").read_bytes()).hexdigest(),
        "data": {"../elsewhere.bin": hashlib.sha256((tmp_path / "elsewhere.bin").read_bytes()).hexdigest()},
    }
    files[2].write_text(json.dumps(stated))
    with pytest.raises(InputError) as raised:
        verify(tmp_path / "inner" / "a.onnx", *files[1:])
    assert raised.value.where == "tensor c is stored in ../elsewhere.bin, outside the model's folder"


@pytest.mark.parametrize("place", PLACES)
def test_a_data_file_that_is_short_or_missing_is_named(place, tmp_path):
    files = written(tmp_path, place, outside())
    (tmp_path / "numbers.bin").write_bytes(b"\0" * 15)
    with pytest.raises(InputError) as raised:
        verify(*files)
    assert raised.value.where == "numbers.bin ends before tensor c"
    (tmp_path / "numbers.bin").unlink()
    with pytest.raises(InputError, match=r"cannot read .*numbers.bin: No such file"):
        verify(*files)
