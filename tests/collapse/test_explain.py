"""The worked derivation: its numbers are those of the network, its symbols are balanced, its text is stable."""

import json
import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from onnx_graphs import Graph, a
from trap_graphs import TRAPS

from unbend.cli import main
from unbend.collapse import explain
from unbend.document.formula import Matrix, Product, Sum, Symbol, to_text
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
        found = x.reshape(3, -1) @ line.running.weights["x"].T + line.running.bias
        np.testing.assert_allclose(found, value, atol=1e-10 * max(1.0, np.abs(value).max()))


def test_numbers_of_each_layer_are_those_of_the_file():
    graph = Graph("N", 3)
    first, second, shift = a(4, 3), a(2, 4), a(4)
    model = graph.model(graph("Gemm", graph("Gemm", "x", first, shift, transB=1), second, transB=1))
    lines = explain(model).parts[0].derivations[0].lines
    assert [line.number for line in lines] == [1, 2]
    np.testing.assert_array_equal(lines[0].weights["1"], first.astype(np.float32))
    np.testing.assert_array_equal(lines[0].bias, shift.astype(np.float32))
    np.testing.assert_array_equal(lines[1].weights["2"], second.astype(np.float32))
    assert lines[1].bias is None


def test_a_stretch_with_two_sources_has_one_offset():
    graph = Graph("N", 3)
    left, right = graph("Relu", "x"), graph("Tanh", "x")
    both = graph("Add", graph("Gemm", left, a(3, 2), a(2)), graph("Gemm", right, a(3, 2)))
    model = graph.model(graph("Gemm", both, a(2, 2), a(2)))
    network = read(model)
    (found,) = explain(model).parts[0].derivations
    assert found.sources == (left, right)
    x = np.random.default_rng(3).normal(size=(4, *network.shapes["x"]))
    values = evaluate(network, x, [left, right, found.output])
    total = sum(values[name] @ weight.T for name, weight in found.weights.items()) + found.bias
    np.testing.assert_allclose(total, values[found.output], atol=1e-12)


def sum_of_two():
    graph = Graph("N", 3)
    given(graph, "z", 2)
    both = graph("Add", graph("Gemm", "x", a(3, 4), a(4)), graph("Gemm", "z", a(2, 4), a(4)))
    return graph.model(graph("Gemm", graph("Gemm", both, a(4, 5), a(5)), a(5, 2), a(2)))


def joined():
    graph = Graph("N", 3)
    given(graph, "z", 2)
    both = graph("Concat", graph("Gemm", "x", a(3, 2), a(2)), graph("Gemm", "z", a(2, 3), a(3)), axis=1)
    return graph.model(graph("Gemm", both, a(5, 2), a(2)))


def sum_of_three():
    graph = Graph("N", 3)
    given(graph, "z", 2)
    given(graph, "12", 4)
    first = graph("Add", graph("Gemm", "x", a(3, 4), a(4)), graph("Gemm", "z", a(2, 4), a(4)))
    both = graph("Sub", graph("Gemm", first, a(4, 4), a(4)), "12")
    return graph.model(graph("Gemm", both, a(4, 2), a(2)))


def residual_of_two():
    graph = Graph("N", 4)
    given(graph, "z", 2)
    both = graph("Add", "x", graph("Gemm", "z", a(2, 4), a(4)))
    around = graph("Add", both, graph("Gemm", graph("Gemm", both, a(4, 3), a(3)), a(3, 4), a(4)))
    return graph.model(graph("Add", "x", around))


def wide():
    graph = Graph("N", 40)
    given(graph, "z", 30)
    both = graph("Add", graph("Gemm", "x", a(40, 20), a(20)), graph("Gemm", "z", a(30, 20), a(20)))
    return graph.model(graph("Gemm", both, a(20, 9), a(9)))


SEVERAL = [sum_of_two, joined, sum_of_three, residual_of_two, wide]


def given(graph, name, columns):
    graph.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", columns]))


def answer(model, feeds):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {name: x.astype(np.float32) for name, x in feeds.items()})[0]


@pytest.mark.parametrize("make", SEVERAL)
def test_several_inputs_have_a_matrix_each_and_one_offset(make, tmp_path, capsys):
    model = make()
    onnx.save(model, tmp_path / "a.onnx")
    assert main(["explain", str(tmp_path / "a.onnx"), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["parts"][0]["derivations"]
    weights = {name: np.array(weight) for name, weight in found["weights"].items()}
    assert list(weights) == [value.name for value in model.graph.input]
    rng = np.random.default_rng(6)
    feeds = {name: rng.normal(size=(5, weight.shape[1])) for name, weight in weights.items()}
    none = {name: np.zeros_like(x) for name, x in feeds.items()}
    bias = np.array(found["bias"])
    scale = np.abs(answer(model, feeds)).max()
    np.testing.assert_allclose(np.broadcast_to(bias, (5, len(bias))), answer(model, none), atol=1e-5 * scale)
    total = sum(x @ weights[name].T for name, x in feeds.items()) + bias
    np.testing.assert_allclose(total, answer(model, feeds), atol=1e-5 * scale)


@pytest.mark.parametrize("make", SEVERAL)
def test_symbols_are_the_numbers(make):
    """Every formula, worked out from the matrices of the steps that it names, is the matrix beside it."""
    (found,) = explain(make()).parts[0].derivations
    known = {f"W_{below}": weight for line in found.lines for below, weight in line.weights.items()}
    known |= {f"b_{line.number}": line.bias for line in found.lines if line.bias is not None}
    (*equations, (whole, none)) = found.formula
    assert none is None
    assert len(equations) == len(found.sources) + 1
    for equation, value in equations:
        assert worked(equation.sides[1], known) == pytest.approx(value, abs=1e-9)
    names = ["[12]" if name == "12" else name for name in found.sources]
    terms = " + ".join([*(f"W_{name} {name}" for name in names), "b"])
    assert to_text(whole) == f"{found.output} = {terms}"


def worked(expression, known):
    """The value of an expression."""
    match expression:
        case Matrix(values):
            return values
        case Symbol("I"):
            return 1.0
        case Symbol(name, below):
            return known[f"{name}_{below}"]
        case Product(factors):
            value = worked(factors[-1], known)
            for factor in reversed(factors[:-1]):
                value = product(worked(factor, known), value)
            return value
        case Sum(terms):
            return sums([worked(term, known) for term in terms])


def product(left, right):
    return left * right if np.ndim(left) == 0 or np.ndim(right) == 0 else left @ right


def sums(values):
    size = next((len(value) for value in values if np.ndim(value) == 2), None)
    return sum(value * np.eye(size) if size and np.ndim(value) == 0 else value for value in values)


@pytest.mark.parametrize("make", SEVERAL)
def test_the_one_formula_is_in_every_form(make):
    found = explain(make())
    terms = " + ".join([*(f"W_{n} {n}" for n in (("[12]" if n == "12" else n) for n in found.weights)), "b"])
    (derivation,) = found.parts[0].derivations
    assert f"the network is {derivation.output} = {terms}. [exact]" in " ".join(str(found).split())
    assert "b_z" not in str(found)
    assert "W_{x}\\," in found.to_latex()
    assert found._repr_html_().count("the network is ") == 1
    assert found.weight is None


def test_only_the_steps_of_an_output_stand_in_its_table():
    """Two outputs of one stretch: what leads to the other one is left out; a residual sum adds branches."""
    graph = Graph("N", 6)
    hidden = graph("Gemm", "x", a(6, 6), a(6), label="hidden")
    side = graph("Relu", graph("Gemm", hidden, a(6, 5), label="side"))
    bent = graph("Gemm", side, a(5, 6), a(6), label="back")
    (aside, total) = explain(graph.model(graph("Add", hidden, bent, label="sum"))).parts[0].derivations
    assert [line.label for line in aside.lines] == ["hidden", "side"]
    assert [line.label for line in total.lines] == ["hidden", "back", "sum"]
    assert total.lines[-1].text == "adds 2 branches"
    assert [line.number for line in total.lines] == [1, 3, None]


def test_several_outputs_are_one_regression_each():
    graph = Graph("N", 3)
    given(graph, "z", 2)
    both = graph("Add", graph("Gemm", "x", a(3, 4), a(4)), graph("Gemm", "z", a(2, 4), a(4)))
    model = graph.model(graph("Gemm", both, a(4, 2), a(2)), graph("Gemm", both, a(4, 3), a(3)))
    found = explain(model)
    assert "for every input each of its outputs is as above" in str(found)
    feeds = {"x": np.ones((1, 3)), "z": -np.ones((1, 2))}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for one in found.parts[0].derivations:
        (expected,) = session.run([one.output], {name: x.astype(np.float32) for name, x in feeds.items()})
        total = sum(feeds[name] @ weight.T for name, weight in one.weights.items()) + one.bias
        np.testing.assert_allclose(total, expected, atol=1e-5)
    assert len(found.parts[0].derivations) == 2


def test_no_identity_stands_in_a_product():
    graph = Graph("N", 2, 3)
    flat = graph("Flatten", "x")
    model = graph.model(graph("Gemm", flat, a(6, 2), a(2)))
    (equation, _), _ = explain(model).parts[0].derivations[0].formula
    assert to_text(equation) == "W_z = W_1"


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


@pytest.mark.parametrize(
    "name",
    [
        "only_a_relu",
        "identities",
        "softmax_between",
        "split_into_two",
        "labels_beside_the_scores",
        "labels_from_another_node",
    ],
)
def test_every_shape_of_network_has_an_explanation(name):
    found = explain(TRAPS[name][0]())
    assert str(found)
    assert found.to_dict()["verb"] == "explain"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["weight_of_infinity", "divided_by_the_input", "bias_of_infinity"])
def test_values_that_are_not_finite_are_no_check(name):
    assert explain(TRAPS[name][0]()).parts[0].additivity is None


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
    np.testing.assert_allclose(derivation["weights"]["x"], found.weight)
    np.testing.assert_allclose(derivation["bias"], found.bias)


def test_an_example_says_at_which_lengths(tmp_path, capsys):
    graph = Graph("N", "time", 4)
    onnx.save(graph.model(graph("MatMul", graph("MatMul", "x", a(4, 6)), a(6, 2))), tmp_path / "a.onnx")
    np.save(tmp_path / "x.npy", np.zeros((1, 3, 4), dtype=np.float32))
    assert main(["explain", str(tmp_path / "a.onnx"), "--example", str(tmp_path / "x.npy"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parts"][0]["lengths"] == {"time": 3}
    assert main(["explain", "--example", str(tmp_path / "x.npy")]) == 2
    assert "the example has no network" in capsys.readouterr().err
