"""Networks with several inputs: of numbers, whole numbers and truth values, with axes of their own."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from onnx_graphs import Graph, a

from unbend.collapse import collapse
from unbend.errors import ModelError
from unbend.network import read
from unbend.verify import verify


def given(graph, name, dtype, shape):
    graph.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
    return name


def outputs(model, feeds):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def checked(model, tmp_path, feeds, *, heavy, **how):
    """Collapse, save, verify; the outputs under onnxruntime stay, and so many products are left."""
    onnx.save(model, tmp_path / "model.onnx")
    found = collapse(tmp_path / "model.onnx", cost="macs", **how)
    found.save(tmp_path / "smaller.onnx")
    assert found.after.heavy == heavy, str(found)
    assert found.certificate is None or found.certificate.holds
    assert verify(tmp_path / "model.onnx", tmp_path / "smaller.onnx").holds
    for each in feeds:
        for one, other in zip(outputs(model, each), outputs(found.to_onnx(), each), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5 * max(1.0, float(np.max(np.abs(one)))))
    return found


def two_towers():
    graph = Graph("users", 4)
    given(graph, "z", TensorProto.FLOAT, ["items", 3])
    left = graph("Relu", graph("Gemm", graph("Gemm", "x", a(4, 16), a(16)), a(16, 5), a(5)))
    right = graph("Relu", graph("MatMul", graph("MatMul", "z", a(3, 9)), a(9, 5)))
    return graph.model(graph("MatMul", left, graph("Transpose", right, perm=[1, 0])))


def rows(**shapes):
    rng = np.random.default_rng(3)
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def test_two_towers(tmp_path):
    checked(two_towers(), tmp_path, [rows(x=(7, 4), z=(2, 3)), rows(x=(1, 4), z=(5, 3))], heavy=3)


def test_a_stretch_that_reads_two_inputs(tmp_path):
    graph = Graph("N", 4)
    given(graph, "z", TensorProto.FLOAT, ["N", 6])
    both = graph("Add", graph("MatMul", "x", a(4, 32)), graph("MatMul", "z", a(6, 32)))
    model = graph.model(graph("Gemm", both, a(32, 2), a(2)))
    found = checked(model, tmp_path, [rows(x=(3, 4), z=(3, 6)), rows(x=(1, 4), z=(1, 6))], heavy=2)
    assert found.affine
    assert found.after.macs == 4 * 2 + 6 * 2


def test_two_inputs_that_are_joined(tmp_path):
    graph = Graph(None, 4)
    given(graph, "z", TensorProto.FLOAT, [None, 6])
    hidden = graph("Gemm", graph("Concat", "x", "z", axis=1), a(10, 30), a(30))
    model = graph.model(graph("Gemm", hidden, a(30, 2), a(2)))
    checked(model, tmp_path, [rows(x=(3, 4), z=(3, 6))], heavy=1)


def transformer():
    """Token and type embeddings, a mask, one head of attention, and a product of two matrices after it."""
    graph = Graph("batch", "length")
    graph.inputs[0].type.tensor_type.elem_type = TensorProto.INT64
    mask = given(graph, "mask", TensorProto.INT64, ["batch", "length"])
    kinds = given(graph, "kinds", TensorProto.INT64, ["batch", "length"])
    h = graph("Add", graph("Gather", a(50, 8), "x"), graph("Gather", a(2, 8), kinds))
    q, k, v = (graph("Add", graph("MatMul", h, a(8, 8)), a(8)) for _ in range(3))
    scores = graph("MatMul", q, graph("Transpose", k, perm=[0, 2, 1]))
    left_out = graph("Sub", np.array(1.0), graph("Cast", mask, to=TensorProto.FLOAT))
    bias = graph("Mul", graph("Unsqueeze", left_out, np.array([1])), np.array(-1e4))
    mixed = graph("MatMul", graph("Softmax", graph("Add", scores, bias), axis=-1), v)
    return graph.model(graph("MatMul", graph("MatMul", graph("Relu", mixed), a(8, 24)), a(24, 3)))


def tokens(batch, length, seed=0):
    rng = np.random.default_rng(seed)
    mask = (np.arange(length) < rng.integers(1, length + 1, (batch, 1))).astype(np.int64)
    shape = (batch, length)
    return {"x": rng.integers(0, 50, shape), "mask": mask, "kinds": rng.integers(0, 2, shape)}


def test_a_transformer(tmp_path):
    found = checked(transformer(), tmp_path, [tokens(1, 5), tokens(4, 12), tokens(2, 33)], heavy=6)
    evidence = found.certificate.evidence
    assert evidence.whole
    assert [set(sizes) for sizes in found.certificate.sizes] == [{"x", "mask", "kinds"}] * 3


def test_whole_numbers_stay_in_the_table_that_they_index():
    from unbend.collapse.write.probes import input_probes, sized

    network = next(sized(read(transformer())))
    for group in input_probes(network, 0, {}):
        assert group["x"].min() >= 0
        assert group["x"].max() < 50
        assert group["kinds"].max() < 2
        assert set(np.unique(group["mask"])) <= {0, 1}
    assert max(group["x"].max() for group in input_probes(network, 0, {})) > 25


def test_a_state_with_its_rows_second(tmp_path):
    graph = Graph("N", 4)
    state = given(graph, "state", TensorProto.FLOAT, [2, "N", 5])
    first = graph("Squeeze", graph("Slice", state, np.array([0]), np.array([1]), np.array([0])), np.array([0]))
    new = graph("Tanh", graph("Add", graph("MatMul", graph("MatMul", "x", a(4, 20)), a(20, 5)), first))
    network = read(model := graph.model(new))
    assert network.axes.rows == {"x": 0, "state": 1}
    checked(model, tmp_path, [rows(x=(3, 4), state=(2, 3, 5))], heavy=1)


def test_a_number_that_is_compared_takes_that_value():
    graph = Graph("N", 4)
    rate = given(graph, "rate", TensorProto.INT64, [])
    high = graph("Where", graph("Equal", rate, np.array(16000)), np.array(2.0), np.array(1.0))
    network = read(graph.model(graph("Mul", "x", high)))
    from unbend.collapse.write.probes import input_probes

    assert all((group["rate"] == 16000).all() for group in input_probes(network, 0, {}))


def graph_network():
    """Edges that read their nodes: their number stands in two inputs, and is not that of the rows."""
    graph = Graph("nodes", 4)
    edges = given(graph, "edges", TensorProto.FLOAT, ["edges_", 3])
    ends = given(graph, "ends", TensorProto.INT64, ["edges_"])
    also = given(graph, "also", TensorProto.INT64, [2, "edges_"])
    messages = graph("Relu", graph("MatMul", graph("MatMul", edges, a(3, 9)), a(9, 4)))
    sent = graph("Add", messages, graph("Gather", "x", ends))
    total = graph("ReduceSum", sent, np.array([0]), keepdims=1)
    count = graph("ReduceSum", graph("Cast", also, to=TensorProto.FLOAT), np.array([0, 1]), keepdims=0)
    return graph.model(graph("Add", graph("MatMul", graph("MatMul", total, a(4, 9)), a(9, 2)), count))


def test_the_edges_of_a_graph(tmp_path):
    model = graph_network()
    assert read(model).axes.rows == {"x": 0}
    assert read(model).axes.free == {"edges_": (("edges", 0), ("ends", 0), ("also", 1))}
    ends, also = np.array([0, 2, 2, 1, 0]), np.zeros((2, 5), np.int64)
    feeds = rows(x=(3, 4), edges=(5, 3)) | {"ends": ends, "also": also}
    checked(model, tmp_path, [feeds], heavy=2)


def test_a_sum_over_the_rows_is_no_identity(tmp_path):
    graph = Graph("N", 4)
    given(graph, "z", TensorProto.FLOAT, ["N", 4])
    total = graph("ReduceSum", graph("Add", "x", "z"), np.array([0]), keepdims=1)
    model = graph.model(graph("MatMul", graph("MatMul", total, a(4, 9)), a(9, 2)))
    checked(model, tmp_path, [rows(x=(3, 4), z=(3, 4))], heavy=1)
    assert not collapse(model, cost="macs").affine


def test_lengths_of_which_nothing_is_left_are_passed_over():
    """A window of 200 numbers has no place in 32."""
    from unbend.collapse.write.probes import sized

    graph = Graph("N", "L")
    frames = graph("Slice", "x", np.array([199]), np.array([2**31]), np.array([1]))
    network = read(graph.model(graph("Mul", frames, np.array(2.0))))
    assert [one.shapes["x"] for one in sized(network)] == [(1, 224), (1, 576)]


def test_truth_values(tmp_path):
    graph = Graph("N", 4)
    given(graph, "keep", TensorProto.BOOL, ["N", 4])
    chosen = graph("Where", "keep", "x", np.array(0.0))
    model = graph.model(graph("MatMul", graph("MatMul", chosen, a(4, 9)), a(9, 2)))
    keep = np.array([[True, False, True, False]] * 3)
    checked(model, tmp_path, [rows(x=(3, 4)) | {"keep": keep}], heavy=1)


def test_timed(tmp_path):
    asked = []

    def meter(models, feeds, seconds):
        asked.append({name: array.shape[0] for name, array in feeds.items()})
        return [np.full(9, 1.0 + len(model.graph)) for model in models]

    found = collapse(transformer(), cost="measured", meter=meter)
    assert found.timing is not None
    assert all(rows == 1 for given in asked for rows in given.values())
    assert {"x", "mask", "kinds"} in map(set, asked)  # the whole network, beside pieces of it


def test_examples_by_name(tmp_path):
    example = tokens(2, 21)
    found = checked(transformer(), tmp_path, [tokens(3, 8)], heavy=6, example=example)
    assert found.certificate.evidence.sizes[0] == (1, 21)


@pytest.mark.parametrize(
    ("example", "said"),
    [
        ({"y": np.zeros((1, 4))}, "has no input 'y'"),
        ({"x": np.zeros((1, 2, 3))}, "does not fit"),
        ({"x": np.array([["a"]])}, "no array of numbers"),
        ({"x": np.zeros((1, 3)), "mask": np.ones((1, 4))}, "length is 3 in x, 4 in mask"),
        (np.zeros((1, 3)), "has 3 inputs"),
    ],
)
def test_examples_that_do_not_fit(example, said):
    with pytest.raises(ModelError, match=said):
        collapse(transformer(), example)


def test_on_the_command_line(tmp_path, monkeypatch, capsys):
    from unbend.cli.run import main

    monkeypatch.chdir(tmp_path)
    onnx.save(transformer(), "model.onnx")
    for name, array in tokens(1, 21).items():
        np.save(f"{name}.npy", array)
    files = [word for name in ("x", "mask", "kinds") for word in ("--example", f"{name}={name}.npy")]
    line = ["collapse", "model.onnx", "-o", "smaller.onnx", "--cost", "macs", *files, "--json"]
    assert main(line) == 0
    assert json.loads(capsys.readouterr().out)["certificate"]["evidence"]["sizes"][0] == [1, 21]
    assert main(["collapse", "model.onnx", "--example", "nowhere.npy"]) == 3
    assert "nowhere.npy" in capsys.readouterr().err
