"""Reading networks: what is understood, and what each bad file is told."""

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import Graph, a, inputs, run

from unbend.errors import ModelError
from unbend.network import Runner, evaluate, read
from unbend.network.evaluate import structure
from unbend.network.local import Unsupported


def small(**options):
    graph = Graph("N", 4, **options)
    return graph.model(graph("Relu", graph("Gemm", "x", a(4, 3), a(3))))


def external(tmp_path, location="weights.bin", model=None):
    model = model or small()
    onnx.save(
        model, tmp_path / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0,
        convert_attribute=False,
    )  # fmt: skip
    if location != "weights.bin":
        proto = onnx.load(tmp_path / "model.onnx", load_external_data=False)
        for tensor in proto.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = location
        (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    return tmp_path / "model.onnx"


def test_external_data(tmp_path):
    model = small()
    expected = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    network = read(external(tmp_path, model=model))
    assert set(expected) == set(network.constants)
    for name, array in expected.items():
        np.testing.assert_array_equal(network.constants[name], array)


def test_external_data_that_is_missing(tmp_path):
    path = external(tmp_path)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ModelError, match=r"data file of model\.onnx is missing"):
        read(path)


def test_external_data_that_is_truncated(tmp_path):
    path = external(tmp_path)
    file = tmp_path / "weights.bin"
    file.write_bytes(file.read_bytes()[:10])
    with pytest.raises(ModelError, match=r"data file of model\.onnx is truncated"):
        read(path)


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/hostname", "sub/../../weights.bin"])
def test_external_data_outside_the_folder(tmp_path, location):
    folder = tmp_path / "inner"
    folder.mkdir()
    with pytest.raises(ModelError, match="outside its own folder"):
        read(external(folder, location))


def test_external_data_behind_a_link(tmp_path):
    folder = tmp_path / "inner"
    folder.mkdir()
    path = external(folder)
    (folder / "weights.bin").rename(tmp_path / "elsewhere.bin")
    (folder / "weights.bin").symlink_to(tmp_path / "elsewhere.bin")
    with pytest.raises(ModelError, match="outside its own folder"):
        read(path)


def external_constant(location):
    """A tensor of four numbers, 1 to 4 times 8, stored in `location`."""
    tensor = TensorProto(name="c", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def in_a_constant(graph, tensor):
    graph.nodes.append(helper.make_node("Constant", [], ["c"], value=tensor))
    return graph("Add", "x", "c")


def in_a_subgraph(graph, tensor):
    def branch(*nodes, initializers=()):
        out = [onnx.ValueInfoProto(name=nodes[-1].output[0])]
        return helper.make_graph(nodes, "branch", [], out, initializers)

    taken = branch(helper.make_node("Add", ["x", "c"], ["o"]), initializers=[tensor])
    other = branch(helper.make_node("Identity", ["x"], ["p"]))
    return graph("If", np.array(True), then_branch=taken, else_branch=other)


def in_a_function(graph, tensor):
    nodes = [helper.make_node("Constant", [], ["c"], value=tensor), helper.make_node("Add", ["z", "c"], ["o"])]
    graph.functions.append(helper.make_function("f", "F", ["z"], ["o"], nodes, [helper.make_opsetid("", 18)]))
    return graph("F", "x", domain="f")


PLACES = [in_a_constant, in_a_subgraph, in_a_function]


def model_with(tensor, place, folder):
    folder.mkdir(exist_ok=True)
    graph = Graph("N", 4)
    nodes = place(graph, tensor)
    (folder / "model.onnx").write_bytes(graph.model(nodes, check=False).SerializeToString())
    return folder / "model.onnx"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("absolute", [True, False])
def test_no_tensor_is_read_from_outside_the_folder(tmp_path, monkeypatch, place, absolute):
    secret = tmp_path / "secret.bin"
    np.arange(4, dtype=np.float32).tofile(secret)
    monkeypatch.chdir(tmp_path)
    for location in [str(secret)] if absolute else ["../secret.bin", "inner/../../secret.bin"]:
        with pytest.raises(ModelError, match="outside its own folder"):
            read(model_with(external_constant(location), place, tmp_path / "inner"))


@pytest.mark.parametrize("place", PLACES)
def test_the_model_s_folder_counts_and_not_the_current_one(tmp_path, monkeypatch, place):
    np.zeros(4, dtype=np.float32).tofile(tmp_path / "data.bin")
    monkeypatch.chdir(tmp_path)
    path = model_with(external_constant("data.bin"), place, tmp_path / "inner")
    with pytest.raises(ModelError, match="is missing"):
        read(path)
    np.full(4, 8, dtype=np.float32).tofile(path.parent / "data.bin")
    network = read(path)
    (path.parent / "data.bin").unlink()
    np.testing.assert_array_equal(Runner(network)(np.zeros((1, 4)))[network.output.name].ravel(), [8] * 4)


def test_external_data_of_a_file_with_a_zipmap(tmp_path, monkeypatch):
    folder = tmp_path / "inner"
    folder.mkdir()
    path = external(folder)
    model = onnx.load(path, load_external_data=False)
    scores = model.graph.output[0].name
    model.graph.node.append(
        helper.make_node("ZipMap", [scores], ["p"], domain="ai.onnx.ml", classlabels_int64s=[0, 1, 2])
    )
    map_type = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    del model.graph.output[:]
    model.graph.output.append(helper.make_value_info("p", helper.make_sequence_type_proto(map_type)))
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    path.write_bytes(model.SerializeToString())
    monkeypatch.chdir(tmp_path)
    assert read(path).output.name == "p"


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty"), (b"not a model at all\n", "is not an ONNX model"), (b"\x00\xff" * 50, "is not an ONNX model")],
)
def test_files_that_are_no_models(tmp_path, content, message):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message):
        read(path)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_file(tmp_path, share):
    content = small().SerializeToString()
    path = tmp_path / "model.onnx"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelError):
        read(path)


def test_no_such_file_names_its_neighbours(tmp_path):
    onnx.save(small(), tmp_path / "churn.onnx")
    with pytest.raises(ModelError, match="no such file") as caught:
        read(tmp_path / "chrun.onnx")
    assert "churn.onnx" in str(caught.value)


def test_folder(tmp_path):
    with pytest.raises(ModelError, match="is a folder"):
        read(tmp_path)


def test_neither_a_file_nor_a_model():
    with pytest.raises(ModelError, match=r"cannot read a network from builtins\.dict"):
        read({})


def test_an_old_opset_is_read_as_it_is():
    graph = Graph("N", 4, opset=7)
    model = graph.model(graph("Softmax", graph("Gemm", "x", a(4, 3), a(3)), axis=1))
    x = inputs(model, 5)
    (expected,) = run(model, x)
    network = read(model)
    assert network.opset == 7
    np.testing.assert_allclose(evaluate(network, x)[network.output.name][:, 0], expected, atol=1e-6)


def test_what_onnxruntime_does_not_run_any_more_is_converted():
    graph = Graph(5, 4, opset=6)
    model = graph.model(graph("Add", graph("MatMul", "x", a(4, 3)), a(3), broadcast=1))
    network = read(model)
    assert network.opset == 7
    assert network.notes == ("Opset 6 became 7: onnxruntime runs no older one.",)
    x = inputs(model, 5)
    expected = x @ numpy_helper.to_array(model.graph.initializer[0]) + numpy_helper.to_array(model.graph.initializer[1])
    np.testing.assert_allclose(evaluate(network, x[None])[network.output.name][0], expected, atol=1e-6)


@pytest.mark.parametrize("domain", ["ai.onnx", "org.me"])
def test_the_standard_operators_by_their_long_name_or_none_at_all(domain):
    graph = Graph("N", 4, opset=12)
    model = graph.model(graph("Relu", "x"))
    model.opset_import[0].domain = model.graph.node[0].domain = domain
    assert read(model).opset == {"ai.onnx": 12, "org.me": 13}[domain]


def test_an_old_opset_that_cannot_be_converted():
    graph = Graph("N", 4, opset=6)
    model = graph.model(graph("Strange", graph("Relu", "x")), check=False)
    with pytest.raises(ModelError, match="opset 6, which is older than 7") as caught:
        read(model)
    assert "converter" in caught.value.where


def test_two_inputs():
    graph = Graph("N", 4)
    graph.inputs.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", 4]))
    network = read(graph.model(graph("Add", "x", "z")))
    assert network.axes.rows == {"x": 0, "z": 0}
    with pytest.raises(ModelError, match="has 2 inputs") as caught:
        _ = network.input
    assert "z (N, 4)" in str(caught.value)


def test_no_input():
    graph = Graph("N", 4)
    model = graph.model(graph("Identity", np.ones(3)))
    del model.graph.input[:]
    with pytest.raises(ModelError, match="has no input"):
        read(model)


def test_text_input():
    graph = Graph("N", 1)
    graph.inputs[0].type.tensor_type.elem_type = TensorProto.STRING
    with pytest.raises(ModelError, match="not numbers"):
        read(graph.model(graph("Identity", "x"), check=False))


def test_output_that_is_constant():
    graph = Graph("N", 4)
    with pytest.raises(ModelError, match="does not depend on its input"):
        read(graph.model(graph("Identity", np.ones(3))))


def test_a_constant_output_comes_after_the_variable_one():
    graph = Graph("N", 4)
    constant, value = graph("Identity", np.ones(3)), graph("Relu", "x")
    network = read(graph.model(constant, value))
    assert network.output.name == value
    found = evaluate(network, np.ones((2, 4)))
    np.testing.assert_array_equal(found[constant], np.ones((2, 3)))


def test_a_label_comes_after_the_scores():
    graph = Graph("N", 4)
    scores = graph("Gemm", "x", a(4, 3))
    network = read(graph.model(graph("ArgMax", scores, axis=1), scores))
    assert network.output.name == scores


def test_value_that_nothing_makes():
    model = small()
    model.graph.node[0].input[1] = "nowhere"
    with pytest.raises(ModelError, match="not a valid ONNX model") as caught:
        read(model)
    assert "nowhere" in str(caught.value)


def test_tensor_with_the_wrong_number_of_bytes():
    model = small()
    model.graph.initializer[0].raw_data = b"\0\0"
    with pytest.raises(ModelError):
        read(model)


@pytest.mark.parametrize(
    ("shape", "batch", "free"),
    [
        ((4,), 1, ()),
        (("N", 4), None, ()),
        ((8, 4), 8, ()),
        ((None, 4), None, ()),
        (("N", 3, "H", "W"), None, ("H", "W")),
    ],
)
def test_batch_and_free_axes(shape, batch, free):
    graph = Graph(*shape)
    network = read(graph.model(graph("Relu", "x")))
    assert (network.batch, network.free_axes) == (batch, free)


def test_chains_that_only_depend_on_shapes_are_constants():
    graph = Graph("N", 2, 3)
    rows = graph("Gather", graph("Shape", "x"), np.array([0]))
    steps = graph("Range", np.array(0), graph("Size", "x"), np.array(1))
    fill = graph("CastLike", graph("Expand", graph("ConstantOfShape", np.array([6])), np.array([1, 6])), "x")
    flat = graph("Reshape", "x", graph("Concat", rows, np.array([-1]), axis=0))
    network = read(graph.model(graph("Add", graph("Add", flat, fill), graph("Cast", steps, to=TensorProto.FLOAT))))
    assert [node.op_type for node in network.nodes] == ["Reshape", "Add", "Add"]
    x = np.arange(6.0).reshape(1, 2, 3)
    np.testing.assert_array_equal(evaluate(network, x)[network.output.name].ravel(), 2 * np.arange(6))


def test_a_range_without_end_is_not_made():
    graph = Graph("N", 4)
    huge = graph("Range", np.array(0), np.array(1 << 40), np.array(1))
    value = graph("Mul", "x", graph("Cast", graph("ReduceMax", huge), to=TensorProto.FLOAT))
    with pytest.raises(ModelError, match="too large for unbend"):
        read(graph.model(value))


def many(kind):
    """A network of a few bytes with a value that no memory holds."""
    graph = Graph("N", *((10**12, 2) if kind == "input" else (4,)))
    if kind == "input":
        return graph.model(graph("Neg", graph("Flatten", "x")))
    if kind == "value":
        return graph.model(graph("Pad", "x", np.array([0, 0, 0, 10**12])))
    if kind == "after a chain":
        widths = graph("Mul", graph("Concat", np.array([0]), np.array([10**6]), axis=0), np.array([1, 10**6]))
        return graph.model(graph("Mul", "x", graph("ReduceSum", graph("Pad", np.zeros(1), widths))))
    if kind == "pad":
        return graph.model(graph("Mul", "x", graph("ReduceSum", graph("Pad", np.zeros(1), np.array([0, 10**12])))))
    outer = graph("Add", np.zeros((10**5, 1)), np.zeros((1, 10**5)))
    return graph.model(graph("Mul", "x", graph("ReduceSum", outer)))


@pytest.mark.parametrize("kind", ["input", "value", "after a chain", "pad", "outer sum"])
def test_sizes_are_checked_before_memory_is_taken(kind):
    with pytest.raises(ModelError, match="too large for unbend") as caught:
        read(many(kind))
    assert "the shape (" in caught.value.where


def test_no_map_is_made_for_a_value_that_is_too_large(monkeypatch):
    graph = Graph("N", 4)
    network = read(graph.model(graph("Pad", "x", np.array([0, 0, 0, 96]))))
    monkeypatch.setattr(sys.modules["unbend.network.evaluate"], "MAX_INDEX", 99)
    with pytest.raises(Unsupported, match="has 100 numbers for one row"):
        structure(network, network.nodes[0])


def test_too_little_memory_is_said(monkeypatch):
    def nothing_left(*_):
        raise MemoryError

    network = read(small())
    monkeypatch.setattr(sys.modules["unbend.network.evaluate"], "node_values", nothing_left)
    with pytest.raises(ModelError, match="not enough memory"):
        evaluate(network, np.zeros((1, 4)))


def test_evaluation_agrees_with_onnxruntime():
    model = small()
    x = inputs(model, 5)
    (expected,) = run(model, x)
    network = read(model)
    np.testing.assert_allclose(evaluate(network, x)[network.output.name][:, 0], expected, atol=1e-6)


def test_rows_of_the_wrong_width():
    with pytest.raises(ModelError, match="a row has 5 numbers, and graph takes 4"):
        evaluate(read(small()), np.zeros((2, 5)))


def test_names_of_columns_and_classes():
    model = small()
    helper.set_model_props(model, {"feature_names": '["a", "b", "c", "d"]', "classes": '{"0": "no", "1": "yes"}'})
    network = read(model)
    assert network.features == ("a", "b", "c", "d")
    assert network.classes == ("no", "yes")


def test_the_model_that_was_passed_is_not_changed():
    model = small()
    before = model.SerializeToString()
    read(model)
    assert model.SerializeToString() == before


@pytest.mark.parametrize(
    "draw",
    [
        lambda graph: graph("Dropout", "x", np.array(0.5), np.array(True)),
        lambda graph: graph("Bernoulli", "x"),
        lambda graph: graph("RandomNormalLike", "x"),
        lambda graph: graph("RandomUniformLike", "x"),
        lambda graph: graph("Add", "x", graph("RandomNormal", shape=[1, 4])),
        lambda graph: graph("Cast", graph("Multinomial", "x", sample_size=4), to=TensorProto.FLOAT),
    ],
)
def test_a_node_that_draws_random_numbers_is_a_bend(draw):
    graph = Graph("N", 4)
    network = read(graph.model(graph("Gemm", draw(graph), a(4, 3))))
    drawn = next(node for node in network.bends if node.random)
    assert network.reach(drawn) == "point"
    assert "its output is random" in drawn.random
    with pytest.raises(Unsupported, match="its output is random"):
        evaluate(network, np.ones((2, 4)))


@pytest.mark.parametrize(("ratio", "training"), [(0.5, False), (0.0, True)])
def test_a_dropout_that_drops_nothing_is_no_bend(ratio, training):
    graph = Graph("N", 4)
    network = read(graph.model(graph("Gemm", graph("Dropout", "x", np.array(ratio), np.array(training)), a(4, 3))))
    assert not network.bends
    assert evaluate(network, np.ones((2, 4)))[network.output.name].shape == (2, 1, 3)


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    def no(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "m.onnx").write_bytes(b"\x08\x09")
    monkeypatch.setattr(Path, "open", no)
    with pytest.raises(ModelError, match=r"cannot read .*m\.onnx: Permission denied") as raised:
        read(tmp_path / "m.onnx")
    assert "you may read it" in raised.value.try_
