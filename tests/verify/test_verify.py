"""A certificate holds for what collapse wrote, and is refused for anything else, with what and where."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx_graphs import Graph, a
from random_graphs import random_model
from tampering import attribute, changed, one_number, tamper, without_bias, written
from trap_graphs import TRAPS

from unbend.cli import main
from unbend.errors import InputError
from unbend.verify import verify
from unbend.verify.ops import _OPS, Unread

PAD1 = {"pads": [1, 1, 1, 1]}


def branches() -> onnx.ModelProto:
    """A 3 × 3 branch, a 1 × 1 branch and a normalised identity, a bend, and a head."""
    graph = Graph("N", 4, 7, 6)
    statistics = (1 + 0.1 * a(4), a(4), a(4), np.exp(a(4)))
    terms = [
        graph("Conv", "x", a(4, 4, 3, 3), a(4), **PAD1),
        graph("Conv", "x", a(4, 4, 1, 1), a(4)),
        graph("BatchNormalization", "x", *statistics),
    ]
    bent = graph("Relu", graph("Sum", *terms), label="bend")
    pooled = graph("Flatten", graph("GlobalAveragePool", bent))
    return graph.model(graph("Gemm", graph("Gemm", pooled, a(4, 5), a(5)), a(5, 3), a(3)))


def chain() -> onnx.ModelProto:
    """Two 3 × 3 kernels that become one 5 × 5."""
    graph = Graph("N", 1, 9, 9)
    return graph.model(graph("Conv", graph("Conv", "x", a(2, 1, 3, 3), a(2)), a(1, 2, 3, 3), a(1)))


def test_an_axis_of_the_length_minus_one_is_free(tmp_path):
    model = branches()
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_value = -1
    assert verify(*written(tmp_path, model)).holds


def test_a_body_with_constants_and_an_output_that_nobody_reads_is_the_same(tmp_path):
    graph = Graph("N", 4)
    inner = graph("MatMul", graph("MatMul", "x", a(4, 9)), a(9, 4))
    ends = [onnx.helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, ["N", 2])]
    sizes = onnx.helper.make_node("Constant", [], ["sizes"], value=numpy_helper.from_array(np.array([2, 2])))
    halves = onnx.helper.make_node("Split", [inner, "sizes"], ["out", "rest"], axis=1)
    body = onnx.helper.make_graph([sizes, halves], "body", [], ends)
    flag = graph("Greater", graph("ReduceSum", "x", keepdims=0), np.array(0.0))
    model = graph.model(graph("If", flag, then_branch=body, else_branch=body))
    assert verify(*written(tmp_path, model)).holds


def test_products_that_are_too_small_for_their_type_hold(tmp_path):
    graph = Graph("N", 4)
    model = graph.model(graph("MatMul", graph("MatMul", "x", 1e-20 * a(4, 9)), a(9, 3) * [1.0, 1.0, 1e-26]))
    assert verify(*written(tmp_path, model)).holds


@pytest.mark.parametrize("name", TRAPS)
def test_what_collapse_wrote_holds(name, tmp_path):
    found = verify(*written(tmp_path, TRAPS[name][0]()))
    assert found.holds, found
    assert all(one.used <= 1 for one in found.stretches)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_types_hold(dtype, tmp_path):
    graph, rng = Graph("N", 6, dtype=dtype), np.random.default_rng(1)
    first, second, last = (rng.normal(size=shape) for shape in ((6, 6), (6, 4), (4, 2)))
    model = graph.model(graph("Gemm", graph("Relu", graph("Gemm", graph("Gemm", "x", first), second)), last))
    found = verify(*written(tmp_path, model))
    assert found.holds
    assert len(found.stretches) == 1


def test_free_height_and_width_are_tried_at_even_and_odd_lengths(tmp_path):
    graph = Graph("N", 3, "H", "W")
    model = graph.model(graph("Add", graph("Conv", "x", a(4, 3, 3, 3), **PAD1), graph("Conv", "x", a(4, 3, 1, 1))))
    files = written(tmp_path, model)
    assert {size["x"][2] % 2 for size in json.loads(files[2].read_text())["sizes"]} == {0, 1}
    assert verify(*files).holds


@pytest.mark.parametrize("seed", range(150))
def test_random_networks_hold(seed, tmp_path):
    assert verify(*written(tmp_path, random_model(seed))).holds


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed(4, one_number), "at random signs"),
        (changed(2, one_number), "at random signs"),
        (changed(1, lambda b: b * 1.001), "at the origin"),
        (changed(4, lambda w: w[::-1]), "at random signs"),
        (changed(4, lambda w: w[:, ::-1]), "at random signs"),
        (changed(4, lambda w: np.swapaxes(w, 2, 3)), "at random signs"),
        (without_bias, "at the origin"),
    ],
)
def test_a_changed_number_is_found(change, said, tmp_path):
    original, smaller, certificate = written(tmp_path, branches())
    tamper(smaller, certificate, change)
    found = verify(original, smaller, certificate)
    assert not found.holds
    assert said in found.wrong[0]
    assert "is allowed" in found.wrong[0]


def test_a_kernel_that_lost_its_border_is_found(tmp_path):
    original, smaller, certificate = written(tmp_path, chain())
    tamper(smaller, certificate, changed(4, lambda w: w[..., 1:-1, 1:-1]))
    tamper(smaller, certificate, attribute("Conv", "kernel_shape", [3, 3]))
    assert "has the shape" in verify(original, smaller, certificate).wrong[0]
    tamper(smaller, certificate, attribute("Conv", "pads", [-1, -1, -1, -1]))
    assert "at random signs" in verify(original, smaller, certificate).wrong[0]


def bend_becomes(op_type: str) -> Callable[[onnx.ModelProto], None]:
    def apply(model: onnx.ModelProto) -> None:
        next(node for node in model.graph.node if node.op_type == "Relu").op_type = op_type

    return apply


def another_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = model.graph.node[0].output[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (bend_becomes("LeakyRelu"), "Relu bend has no equal"),
        (another_output, "the outputs are"),
        (lambda model: model.graph.input[0].type.tensor_type.shape.dim[2].Clear(), "x is"),
    ],
)
def test_a_change_between_the_stretches_is_found(change, said, tmp_path):
    original, smaller, certificate = written(tmp_path, branches())
    tamper(smaller, certificate, change)
    assert any(said in one for one in verify(original, smaller, certificate).wrong)


def test_another_file_or_certificate_is_refused(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    original, smaller, certificate = written(tmp_path / "one", branches())
    others = written(tmp_path / "two", chain())
    for files in (
        (others[0], smaller, certificate),
        (original, others[1], certificate),
        (original, smaller, others[2]),
    ):
        found = verify(*files)
        assert not found.holds
        assert len(found.wrong) == 1
        assert "was made for other files than" in found.wrong[0]
        assert "What you can do: name the two files that it was made for" in " ".join(str(found).split())
        assert "[exact]" not in str(found)


@pytest.mark.parametrize("key", ["collapsed", "original", "offset", "settled"])
def test_a_bound_that_says_nothing_is_refused(key, tmp_path):
    original, smaller, certificate = written(tmp_path, branches())
    stated = json.loads(certificate.read_text())
    stated["stretches"][0]["bound"][key] = 0.5
    certificate.write_text(json.dumps(stated))
    assert "wider than rounding explains" in verify(original, smaller, certificate).wrong[0]


@pytest.mark.parametrize("text", ["", "{}", '{"verb": "certificate", "format": 99}', "[1]"])
def test_what_is_no_certificate_cannot_be_read(text, tmp_path):
    original, smaller, certificate = written(tmp_path, chain())
    certificate.write_text(text)
    with pytest.raises(InputError):
        verify(original, smaller, certificate)


def test_the_command_line(tmp_path, capsys):
    onnx.save(branches(), tmp_path / "a.onnx")
    files = [str(tmp_path / name) for name in ("a.onnx", "b.onnx", "b.certificate.json")]
    assert main(["collapse", files[0], "-o", files[1], "--cost", "macs"]) == 0
    assert main(["collapse", "--verify", *files]) == 0
    assert main(["collapse", "--verify", *files[:2]]) == 0
    assert "The certificate holds" in capsys.readouterr().out
    tamper(Path(files[1]), Path(files[2]), changed(4, one_number))
    assert main(["collapse", "--verify", *files]) == 1
    assert main(["collapse", "--verify", files[0], files[1], str(tmp_path / "none.json")]) == 3
    assert main(["collapse", "--verify", files[0]]) == 2
    assert main(["collapse", "--verify", *files[:2], "--certificate", files[2]]) == 1
    assert main(["collapse", "--verify", *files[:2], "--certificate", str(tmp_path / "none.json")]) == 3
    assert main(["collapse", "--verify", *files, "--certificate", files[2]]) == 2
    assert main(["collapse", "--verify", *files, "-o", str(tmp_path / "c.onnx")]) == 2
    assert main(["collapse", "--verify", *files, "--check"]) == 2
    assert not (tmp_path / "c.onnx").exists()


def test_a_classifier_that_ends_in_a_zipmap_is_read_as_if_it_ended_before(tmp_path):
    graph = Graph("N", 4)
    hidden = graph("Gemm", graph("Gemm", "x", np.eye(4), a(4)), np.eye(4)[:, :3], a(3))
    scores = graph("Softmax", hidden)
    model = graph.model(graph("ZipMap", scores, domain="ai.onnx.ml", classlabels_int64s=[0, 1, 2]), check=False)
    kind = model.graph.output[0].type.sequence_type.elem_type.map_type
    kind.key_type, kind.value_type.tensor_type.elem_type = onnx.TensorProto.INT64, onnx.TensorProto.FLOAT
    kind.value_type.tensor_type.shape.SetInParent()
    found = verify(*written(tmp_path, model))
    assert found.wrong == found.unread == ()
    assert len(found.stretches) == 1


def test_an_einsum_of_several_constants_holds(tmp_path):
    graph = Graph("N", 4)
    product = graph("Einsum", a(4, 5), "x", a(5), equation="ij,ni,j->nj")
    found = verify(*written(tmp_path, graph.model(graph("Gemm", product, a(5, 2), a(2)))))
    assert found.wrong == found.unread == ()
    assert len(found.stretches) == 1


def test_a_constant_with_a_tensor_among_its_attributes_holds(tmp_path):
    """The exporters' chains of sizes, as in silero-vad."""
    graph = Graph("N", 4)
    value = onnx.helper.make_tensor("value", onnx.TensorProto.FLOAT, [1], [0.5])
    shift = graph("ConstantOfShape", np.array([5]), value=value)
    product = graph("MatMul", graph("Add", graph("MatMul", "x", a(4, 5)), shift), a(5, 2))
    found = verify(*written(tmp_path, graph.model(product)))
    assert found.wrong == found.unread == ()
    assert len(found.stretches) == 1


def test_what_cannot_be_computed_is_said_and_is_not_called_wrong(tmp_path, monkeypatch):
    def unread(node, operands, measure):
        raise Unread(f"{node.label} is of a form that nobody knows")

    files = written(tmp_path, TRAPS["part_written_by_scatter"][0]())
    monkeypatch.setitem(_OPS, ("", "ScatterND"), unread)
    found = verify(*files)
    assert not found.wrong
    assert not found.holds
    assert "ScatterND_" in found.unread[0]
    assert "could be checked in part only: 1 of 1 stretches" in str(found).replace("\n", " ")


def test_a_missing_certificate_says_what_writes_one(tmp_path):
    with pytest.raises(InputError, match="No such file") as raised:
        verify(tmp_path / "a.onnx", tmp_path / "b.onnx")
    assert "-o SMALLER writes it beside SMALLER" in raised.value.try_


def test_sizes_that_a_network_computes_are_followed(tmp_path):
    """As exporters write attention: the target of a Reshape from the sizes of a value, some of them by arithmetic."""
    graph = Graph("N", "L", 12)
    value = graph("Add", graph("MatMul", graph("MatMul", "x", a(12, 24)), a(24, 12)), a(12))
    size = graph("Shape", value)
    rows, length = (graph("Slice", size, np.array([i]), np.array([i + 1])) for i in (0, 1))
    halves = graph("Cast", graph("Div", graph("Cast", np.array([12]), to=1), np.array([4.0])), to=7)
    heads = graph("Reshape", value, graph("Concat", rows, length, np.array([4]), halves, axis=0))
    bent = graph("Relu", graph("Transpose", heads, perm=[0, 2, 1, 3]))
    back = graph("Reshape", graph("Transpose", bent, perm=[0, 2, 1, 3]), graph("Shape", value))
    taken = graph("Expand", graph("MatMul", graph("MatMul", back, a(12, 20)), a(20, 12)), graph("Shape", back))
    found = verify(*written(tmp_path, graph.model(taken)))
    assert found.wrong == found.unread == ()
    assert len(found.stretches) == 2


@pytest.mark.parametrize("size", [8, 16, 32, 64])
def test_a_scale_that_is_computed_from_a_size_is_rounded_as_its_type_says(tmp_path, size):
    """√(1 / √size) at both factors of a product, as PyTorch exports attention: each node makes a number of float32."""
    graph = Graph("N", 2, "L", size)
    queries, keys = graph("Tanh", "x"), graph("Sigmoid", "x")
    width = graph("Slice", graph("Shape", queries), np.array([-1]), np.array([np.iinfo(np.int64).max]))
    scale = graph("Cast", graph("Div", np.array([1.0]), graph("Sqrt", graph("Cast", width, to=1))), to=1)
    left = graph("Mul", queries, graph("Sqrt", scale))
    right = graph("Mul", graph("Transpose", keys, perm=[0, 1, 3, 2]), graph("Sqrt", scale))
    weights = graph("Softmax", graph("MatMul", left, right), axis=-1)
    found = verify(*written(tmp_path, graph.model(graph("MatMul", weights, "x"))))
    assert found.wrong == found.unread == ()
    assert len(found.stretches) == 1


@pytest.mark.parametrize("product", ["MatMul", "Gemm"])
def test_an_offset_that_is_a_product_of_constants_is_rounded_as_its_type_says(tmp_path, product):
    graph = Graph("N", 6)
    shift = graph(product, a(1, 500), a(500, 5))
    hidden = graph("Add", graph("MatMul", "x", a(6, 5)), shift)
    found = verify(*written(tmp_path, graph.model(graph("MatMul", hidden, a(5, 2)))))
    assert found.wrong == found.unread == ()
    assert len(found.stretches) == 1
