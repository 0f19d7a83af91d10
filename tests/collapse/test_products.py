"""Matrices across products of two values: where it pays, what is said of it, and the certificate that covers it."""

import json

import numpy as np
import onnx
import pytest
from onnx_graphs import Graph, a, assert_same

from unbend.collapse import collapse
from unbend.collapse.certify.certificate import to_json
from unbend.verify import verify
from unbend.verify.given import check
from unbend.verify.measures import Tensor, Values
from unbend.verify.ops import Unknown
from unbend.verify.piece import between
from unbend.verify.reading import read


def attention(
    width=8, values=8, out=8, *, tokens: int | str = 5, bend="Softmax", bias=True, head=False, between=None, domain=""
):
    """Attention of one head, with its axis of heads if `head`; `between` its product and the output's matrix."""
    graph = Graph("N", tokens, width)

    def layer(value, into, of):
        made = graph("MatMul", value, a(of, into))
        return graph("Add", made, a(into)) if bias else made

    def heads(value, order):
        split = graph("Reshape", value, np.array([0, 0 if isinstance(tokens, str) else tokens, 1, values]))
        return graph("Transpose", split, perm=order)

    query, key, value = (layer("x", values, width) for _ in range(3))
    if head:
        query, key, value = (
            heads(one, order) for one, order in ((query, [0, 2, 1, 3]), (key, [0, 2, 3, 1]), (value, [0, 2, 1, 3]))
        )
    else:
        key = graph("Transpose", key, perm=[0, 2, 1])
    mixed = graph("MatMul", graph(bend, graph("MatMul", query, key), domain=domain), value)
    if head:
        mixed = graph("Reshape", graph("Transpose", mixed, perm=[0, 2, 1, 3]), np.array([0, -1, values]))
    if between is not None:
        mixed = graph(*between(mixed))
    return graph.model(layer(mixed, out, values))


def collapsed(model, **sizes):
    found = collapse(model, cost="macs")
    assert found.after.nodes <= found.before.nodes
    assert found.after.parameters <= found.before.parameters
    assert_same(model, found.to_onnx(), 1, 3, **sizes)
    assert not collapse(found.to_onnx(), cost="macs").changed
    return found


def ops(found) -> list[str]:
    return [node.op_type for node in found.to_onnx().graph.node]


@pytest.mark.parametrize("head", [False, True])
@pytest.mark.parametrize("tokens", [5, "tokens"])
def test_values_and_outputs_of_one_head_are_one_matrix(head, tokens):
    found = collapsed(attention(head=head, tokens=tokens), **({"tokens": 7} if tokens == "tokens" else {}))
    assert found.before.heavy - found.after.heavy == 1
    assert found.before.parameters - found.after.parameters == 8 * 8 + 2 * 8  # a matrix, and the biases of keys, values
    assert ops(found).count("Add") == 2
    assert "part of another" in str(found)


@pytest.mark.parametrize(("widths", "macs"), [((8, 8, 3), 5 * 3 * (8 + 5)), ((3, 8, 8), 5 * 3 * (5 + 8))])
def test_the_matrix_stands_where_the_product_is_narrow(widths, macs):
    found = collapsed(attention(*widths, bias=False))
    scores = 2 * 5 * widths[0] * widths[1] + 25 * widths[1]
    assert found.after.macs == scores + macs


def test_a_narrow_value_stays_one():
    assert not collapse(attention(values=3, bias=False), cost="macs").changed


def test_a_bias_goes_through_only_what_adds_up_to_one():
    assert ops(collapsed(attention(bend="Sigmoid"))).count("Add") == 4
    assert ops(collapsed(attention())).count("Add") == 2


@pytest.mark.parametrize(
    ("between", "products"),
    [
        (lambda value: ("Mul", value, np.array(0.5)), 5),
        (lambda value: ("Mul", value, a(8)), 5),
        (lambda value: ("Add", value, a(5, 8)), 5),
        (lambda value: ("Relu", value), 6),
        (lambda value: ("MatMul", a(5, 5), value), 7),
    ],
    ids=["number", "columns", "positions", "bend", "rows"],
)
def test_what_stands_between(between, products):
    assert collapsed(attention(between=between)).after.heavy == products


def test_one_product_of_a_graph_network_goes_before_its_first_layer():
    graph = Graph("N", 5, 3)
    edges = graph("Sigmoid", graph("MatMul", "x", a(3, 5)))
    found = collapsed(graph.model(graph("Relu", graph("MatMul", edges, graph("MatMul", "x", a(3, 16))))))
    assert found.after.macs == 5 * 3 * 5 + 5 * 5 * 3 + 5 * 3 * 16


def written(model, folder):
    """The original, the collapsed model and its certificate as files."""
    original, smaller, certificate = (folder / name for name in ("a.onnx", "b.onnx", "b.certificate.json"))
    onnx.save(model, original)
    found = collapse(original, cost="macs")
    found.save(smaller)
    return found, (original, smaller, certificate)


@pytest.mark.parametrize("options", [{}, {"bend": "Sigmoid"}, {"head": True, "tokens": "tokens"}, {"out": 3}], ids=str)
def test_the_certificate_names_what_it_takes_as_given_and_holds(options, tmp_path):
    found, files = written(attention(**options), tmp_path)
    stated = json.loads(files[2].read_text())
    assert any(end.get("given") for one in stated["stretches"] for end in one["sources"])
    assert found.certificate.holds
    checked = verify(*files)
    assert checked.holds
    assert "What a stretch takes as given was drawn 48 times" in " ".join(str(checked).split())


def changed(found, files, change):
    """The verdict on a collapsed model that was changed, and whose certificate says that it was made for it."""
    model = onnx.load(files[1])
    change(model)
    onnx.save(model, files[1])
    files[2].write_text(to_json(found.certificate, files[1], files[0]))
    return verify(*files)


def test_another_number_in_the_merged_matrix_is_found(tmp_path):
    found, files = written(attention(), tmp_path)

    def change(model):
        name = next(one for one in model.graph.initializer if one.name.startswith("v20"))
        array = onnx.numpy_helper.to_array(name).copy()
        array.reshape(-1)[5] *= 1.001
        name.CopyFrom(onnx.numpy_helper.from_array(array, name.name))

    assert "at random signs" in changed(found, files, change).wrong[0]


def test_weights_that_do_not_add_up_hand_no_bias_on(tmp_path):
    """The same two files but for a Sigmoid in the place of the Softmax: the bias of the values is wrong then."""
    found, files = written(attention(), tmp_path)

    def bend(model):
        next(node for node in model.graph.node if node.op_type == "Softmax").op_type = "Sigmoid"

    first = onnx.load(files[0])
    bend(first)
    onnx.save(first, files[0])
    wrong = changed(found, files, bend).wrong
    assert any("at the origin" in line for line in wrong)


def test_a_stretch_is_no_map_of_what_it_is_given(tmp_path):
    _, files = written(attention(), tmp_path)
    stated = json.loads(files[2].read_text())
    for one in stated["stretches"]:
        for end in one["sources"]:
            end["given"] = True
    files[2].write_text(json.dumps(stated))
    assert any("does not depend on" in line for line in verify(*files).wrong)


@pytest.mark.parametrize("other", ["Relu", "MatMul"])
def test_what_is_given_is_one_factor_of_one_product_and_no_more(other, tmp_path):
    graph = Graph("N", 4, 4)
    made = graph("Relu", "x") if other == "Relu" else graph("MatMul", "x", "x")
    onnx.save(graph.model(graph("MatMul", made, a(4, 4))), tmp_path / "a.onnx")
    piece = between(read(tmp_path / "a.onnx"), ["x"], [graph.nodes[-1].output[0]], {})
    with pytest.raises(Unknown, match="x is taken as given"):
        check(piece, ["x"])


def test_what_is_made_of_what_is_given_is_made_again_for_other_numbers(tmp_path):
    graph = Graph("N", 4)
    given = graph("Tanh", graph("MatMul", "x", a(4, 4)))
    onnx.save(graph.model(graph("Mul", "x", graph("MatMul", given, a(4, 4)))), tmp_path / "a.onnx")
    piece = between(read(tmp_path / "a.onnx"), ["x", given], [graph.nodes[-1].output[0]], {})
    signs = np.array([[1.0, -1.0, 1.0, 1.0]])
    one, other = (piece({"x": Tensor(np.ones((1, 4))), given: each}, Values())[0].array for each in (signs, -signs))
    np.testing.assert_array_equal(one, -other)
    assert one.all()


def test_stretches_that_are_tried_by_themselves_get_weights_that_add_up():
    """Nobody can run an op of an unknown domain, so that each stretch is cut out, its weights random."""
    graph = Graph("N", 5, 8)
    query, key, value = (graph("Add", graph("MatMul", "x", a(8, 8)), a(8)) for _ in range(3))
    found = graph("Softmax", graph("MatMul", query, graph("Transpose", key, perm=[0, 2, 1])))
    mixed = graph("Add", graph("MatMul", graph("MatMul", found, value), a(8, 8)), a(8))
    graph.nodes.append(onnx.helper.make_node("Strange", [mixed], ["strange"], domain="elsewhere"))
    graph.domains.add("elsewhere")
    model = graph.model("strange", check=False)
    model.graph.output[0].type.tensor_type.CopyFrom(model.graph.input[0].type.tensor_type)
    done = collapse(model, cost="macs")
    assert done.before.heavy - done.after.heavy == 1
    assert not done.certificate.evidence.whole
    assert done.certificate.holds


def test_it_is_timed_as_any_stretch_in_doubt():
    seen = []

    def meter(models, feeds, seconds):
        seen.append(len(models))
        return [np.full(5, 1.0 + 0.5 * i) for i in range(len(models))]

    found = collapse(attention(values=8, out=8), cost="measured", meter=meter)
    assert seen
    assert not found.changed
