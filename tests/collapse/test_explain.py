"""The worked derivation: its numbers are those of the network, its symbols are balanced, its text is stable."""

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_graphs import Graph, a
from trap_graphs import TRAPS

from unbend.cli import main
from unbend.collapse import explain
from unbend.network import evaluate, read

GOLDEN = Path(__file__).parent / "golden" / "explain.txt"
AFFINE = [
    "linear_mlp", "alpha_and_beta", "scaler_before_and_after", "linear_then_batch_normalization", "flatten_between",
    "transpose_and_reshape_between", "convolutions_to_one_matrix", "residual_of_two_layers", "three_branches",
    "nested_sums", "concat_in_the_middle", "slice_of_a_layer", "pad_of_a_row", "low_rank_adapter",
    "one_dimensional_convolution", "global_pool_then_linear_layers", "shape_of_the_input", "there_and_back",
]  # fmt: skip


@pytest.mark.parametrize("name", AFFINE)
def test_weight_and_bias_are_the_network(name):
    model = TRAPS[name][0]()
    network = read(model)
    found = explain(model)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(5, *network.shapes["x"]))
    expected = evaluate(network, x)[network.output.name].reshape(5, -1)
    assert found.parts[0].affine
    assert found.weight is not None
    assert found.bias is not None
    scale = np.abs(expected).max()
    np.testing.assert_allclose(x.reshape(5, -1) @ found.weight.T + found.bias, expected, atol=1e-10 * scale)
    assert found.parts[0].additivity.holds


@pytest.mark.parametrize("name", AFFINE)
def test_running_map_of_each_line_is_its_value(name):
    network = read(TRAPS[name][0]())
    part = explain(network).parts[0]
    x = np.random.default_rng(2).normal(size=(3, *network.shapes["x"]))
    for line in part.derivations[0].lines:
        node = next(node for node in network.nodes if node.label == line.label)
        value = evaluate(network, x, [node.outputs[0]])[node.outputs[0]].reshape(3, -1)
        found = x.reshape(3, -1) @ line.running_weight.T + line.running_bias
        np.testing.assert_allclose(found, value, atol=1e-10 * max(1.0, np.abs(value).max()))


def test_numbers_of_each_layer_are_those_of_the_file():
    graph = Graph("N", 3)
    first, second, shift = a(4, 3), a(2, 4), a(4)
    model = graph.model(graph("Gemm", graph("Gemm", "x", first, shift, transB=1), second, transB=1))
    lines = explain(model).parts[0].derivations[0].lines
    assert [line.number for line in lines] == [1, 2]
    np.testing.assert_array_equal(lines[0].weight, first.astype(np.float32))
    np.testing.assert_array_equal(lines[0].bias, shift.astype(np.float32))
    np.testing.assert_array_equal(lines[1].weight, second.astype(np.float32))
    assert lines[1].bias is None


def test_a_stretch_with_two_sources_is_worked_out_from_each():
    graph = Graph("N", 3)
    left, right = graph("Relu", "x"), graph("Tanh", "x")
    both = graph("Add", graph("Gemm", left, a(3, 2), a(2)), graph("Gemm", right, a(3, 2)))
    model = graph.model(both)
    part = explain(model).parts[0]
    network = read(model)
    x = np.random.default_rng(3).normal(size=(4, *network.shapes["x"]))
    values = evaluate(network, x, [left, right, both])
    total = sum(values[one.source].reshape(4, -1) @ one.weight.T for one in part.derivations)
    bias = values[both].reshape(4, -1) - total
    np.testing.assert_allclose(bias, np.broadcast_to(bias[0], bias.shape), atol=1e-12)
    assert {one.source for one in part.derivations} == {left, right}


def test_numbers_go_on_from_stretch_to_stretch():
    part = explain(TRAPS["relu_among_four"][0]()).parts[0]
    numbers = [line.number for one in part.derivations for line in one.lines]
    assert numbers == [1, 2, 3, 4]
    assert not part.affine
    assert not part.additivity.holds


@pytest.mark.parametrize("model", [None, *AFFINE, "relu_among_four"])
def test_latex_is_balanced(model):
    text = explain(TRAPS[model][0]() if model else None).to_latex()
    assert text.count("{") == text.count("}") > 0
    assert text.count("\\[") == text.count("\\]")
    assert re.findall(r"\\begin\{(\w+)\}", text) == re.findall(r"\\end\{(\w+)\}", text)
    assert text.count("\\left") == text.count("\\right")


def test_golden_text():
    assert str(explain()) == GOLDEN.read_text()


def test_a_large_network_is_outlined():
    text = str(explain(TRAPS["wide_linear_mlp"][0]()))
    assert "10 × 784" in text
    assert len(text.splitlines()) < 60


@pytest.mark.parametrize("name", ["only_a_relu", "identities", "softmax_between", "split_into_two"])
def test_every_shape_of_network_has_an_explanation(name):
    found = explain(TRAPS[name][0]())
    assert str(found)
    assert found.to_dict()["verb"] == "explain"


def test_a_network_that_nobody_can_run():
    graph = Graph("N", 4)
    model = graph.model(graph("Strange", graph("Gemm", "x", a(4, 3)), domain="my.own"), check=False)
    found = explain(model)
    assert found.parts[0].additivity is None
    assert "Strange" in str(found)


def test_an_input_of_free_size():
    graph = Graph("N", 3, "H", "W")
    (part,) = explain(graph.model(graph("Relu", graph("Conv", "x", a(4, 3, 3, 3))))).parts
    assert part.lengths == {"H": 96, "W": 96}
    assert not part.additivity.holds


def test_a_fixed_batch_of_many_rows():
    graph = Graph(8, 4)
    assert str(explain(graph.model(graph("Relu", graph("Gemm", "x", a(4, 3))))))


def test_to_dict_has_the_numbers():
    found = explain(TRAPS["linear_mlp"][0]())
    derivation = found.to_dict()["parts"][0]["derivations"][0]
    np.testing.assert_allclose(derivation["weight"], found.weight)
    np.testing.assert_allclose(derivation["bias"], found.bias)


def test_an_example_says_at_which_lengths(tmp_path, capsys):
    graph = Graph("N", "time", 4)
    onnx.save(graph.model(graph("MatMul", graph("MatMul", "x", a(4, 6)), a(6, 2))), tmp_path / "a.onnx")
    np.save(tmp_path / "x.npy", np.zeros((1, 3, 4), dtype=np.float32))
    assert main(["explain", str(tmp_path / "a.onnx"), "--example", str(tmp_path / "x.npy"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parts"][0]["lengths"] == {"time": 3}
    assert main(["explain", "--example", str(tmp_path / "x.npy")]) == 2
    assert "the example has no network" in capsys.readouterr().err
