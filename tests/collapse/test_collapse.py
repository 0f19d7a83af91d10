"""What collapse refuses, keeps, certifies and writes."""

import copy
import sys

import ml_dtypes
import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import Graph, a, assert_same, inputs, run
from trap_graphs import TRAPS

from unbend.affine import Affine, Convolution, Dense
from unbend.collapse import collapse
from unbend.collapse.find.stretches import MIXES, stretches
from unbend.collapse.write import rewrite
from unbend.collapse.write.write import Writer
from unbend.errors import UsageError
from unbend.network import read


def two_layers(*batch, dtype=np.float32, opset=18, weights=None):
    graph = Graph(*(batch or ("N",)), 4, dtype=dtype, opset=opset)
    first, second = weights or (a(4, 6), a(6, 3))
    value = graph("Add", graph("MatMul", "x", first), a(first.shape[1]))
    return graph.model(graph("MatMul", value, second))


@pytest.mark.parametrize("opset", range(13, onnx.defs.onnx_opset_version() + 1))
def test_every_opset_keeps_its_number(opset):
    from onnx.reference import ReferenceEvaluator

    model = two_layers(opset=opset)
    found = collapse(model)
    assert found.affine
    assert found.after.heavy == 1
    smaller = found.to_onnx()
    assert [(o.domain, o.version) for o in smaller.opset_import] == [("", opset)]
    x = inputs(model, 3)
    (expected,), (new,) = (ReferenceEvaluator(one).run(None, {"x": x}) for one in (model, smaller))
    np.testing.assert_allclose(new, expected, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("batch", [1, 8, "N", None])
def test_batch_axis(batch):
    model = two_layers(batch)
    found = collapse(model)
    assert found.after.heavy == 1
    assert_same(model, found.to_onnx(), *((batch,) if isinstance(batch, int) else (1, 3, 17)))


def test_vector_input_is_left_alone():
    graph = Graph(4)
    model = graph.model(graph("MatMul", graph("MatMul", "x", a(4, 6)), a(6, 3)))
    found = collapse(model)
    assert_same(model, found.to_onnx(), 1)


@pytest.mark.usefixtures("any_digits")
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-13), (np.float16, 4e-3), (ml_dtypes.bfloat16, 3e-2)])
def test_types_stay_and_weights_are_rounded_once(dtype, tolerance):
    model = two_layers(dtype=dtype)
    found = collapse(model)
    assert found.after.heavy == 1
    weights = {i.name: onnx.numpy_helper.to_array(i) for i in found.to_onnx().graph.initializer}
    assert {weight.dtype for weight in weights.values()} == {np.dtype(dtype)}
    own = {i.name: onnx.numpy_helper.to_array(i).astype(np.float64) for i in model.graph.initializer}
    first, _, second = own.values()
    exact = first @ second
    merged = next(weight for weight in weights.values() if weight.ndim == 2).T
    if dtype == np.float64:
        np.testing.assert_array_equal(merged, exact)
    else:
        apart, towards = np.abs(merged.astype(np.float64) - exact), np.where(merged.astype(np.float64) > exact, -1, 1)
        other = np.nextafter(merged, (np.inf * towards).astype(dtype)).astype(np.float64)
        assert np.all(apart < np.abs(other - merged.astype(np.float64)))
    if dtype != ml_dtypes.bfloat16:
        assert_same(model, found.to_onnx(), tolerance=tolerance)
    else:
        assert found.certificate.evidence.witness == "onnxruntime, in float32"


def test_what_overflows_in_half_precision_is_kept():
    model = two_layers(dtype=np.float16, weights=(300 * np.ones((4, 4)), 300 * np.ones((4, 2))))
    found = collapse(model)
    assert not found.changed
    reason = "a merged number is too large for float16: 3.6e+05, and 6.55e+04 is its largest"
    assert found.stretches[0].reason == reason


def test_a_cast_stays_between_two_stretches_of_one_type():
    graph = Graph("N", 4, dtype=np.float64)
    value = graph("MatMul", graph("MatMul", "x", a(4, 6)), a(6, 5))
    graph.dtype = np.dtype(np.float32)
    value = graph("MatMul", graph("Cast", value, to=TensorProto.FLOAT), a(5, 6))
    model = graph.model(graph("MatMul", value, a(6, 2)))
    found = collapse(model)
    assert [node.op_type for node in found.to_onnx().graph.node if node.op_type == "Cast"] == ["Cast"]
    assert found.after.heavy == 2
    assert_same(model, found.to_onnx())


def whole_numbers(*nodes):
    graph = Graph("N", 4)
    graph.inputs[0].type.tensor_type.elem_type = TensorProto.INT64
    value = "x"
    for op_type, constant in nodes:
        value = graph(op_type, value, np.array([constant]))
    value = graph("MatMul", graph("Cast", value, to=TensorProto.FLOAT), a(4, 6))
    return graph.model(graph("MatMul", value, a(6, 3)))


def test_integer_input():
    model = whole_numbers()
    found = collapse(model)
    assert found.affine
    assert found.after.heavy == 1
    x = np.arange(12).reshape(3, 4)
    np.testing.assert_allclose(run(found.to_onnx(), x), run(model, x), atol=1e-4)


def test_integer_division_rounds_and_is_no_affine_map():
    model = whole_numbers(("Div", 2), ("Mul", 2))
    found = collapse(model)
    assert not found.affine
    assert [kept.op_type for kept in found.kept] == ["Div"]
    assert found.kept[0].reason == "it computes in whole numbers and rounds"
    x = np.arange(12).reshape(3, 4)
    np.testing.assert_allclose(run(found.to_onnx(), x), run(model, x), atol=1e-4)


def test_free_image_size():
    graph = Graph("N", 3, "H", "W")
    value = graph("Relu", graph("Conv", "x", a(4, 3, 3, 3), pads=[1, 1, 1, 1]))
    value = graph("Flatten", graph("GlobalAveragePool", value))
    model = graph.model(graph("Gemm", graph("Gemm", value, a(4, 5)), a(5, 2)))
    found = collapse(model)
    assert found.after.heavy == 2
    assert not found.kept
    for height, width in ((7, 9), (32, 17)):
        assert_same(model, found.to_onnx(), 1, 3, H=height, W=width)
    str(found)


def test_free_sequence_length():
    graph = Graph("N", "T", 4)
    model = graph.model(graph("MatMul", graph("MatMul", "x", a(4, 6)), a(6, 3)))
    found = collapse(model)
    assert found.after.heavy == 1
    for length in (1, 5, 200):
        assert_same(model, found.to_onnx(), T=length)


def unknown_op(shape=True):
    graph = Graph("N", 4)
    value = graph("Strange", graph("Gemm", graph("Gemm", "x", a(4, 6)), a(6, 4), label="second"), domain="my.own")
    value = graph("Gemm", graph("Gemm", graph("Relu", value), a(4, 6)), a(6, 3))
    model = graph.model(value, check=False)
    if shape:
        name = next(node for node in model.graph.node if node.op_type == "Strange").output[0]
        model.graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4]))
        model = onnx.shape_inference.infer_shapes(model)
    return model


@pytest.mark.parametrize(("shape", "products"), [(True, 2), (False, 3)])
def test_around_an_op_that_nobody_knows_stretches_are_certified_one_by_one(shape, products):
    model = unknown_op(shape)
    found = collapse(model)
    assert [(bend.op_type, bend.known) for bend in found.bends] == [("my.own.Strange", False), ("Relu", True)]
    assert found.after.heavy == products
    assert not found.certificate.evidence.whole
    assert found.certificate.holds
    assert "each collapsed stretch, run on its own" in " ".join(str(found).split())
    assert [node.op_type for node in found.to_onnx().graph.node].count("Strange") == 1


def test_overridable_initializer_is_never_folded():
    graph = Graph("N", 4)
    graph.constant(a(4, 6), "w")
    graph.inputs.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 6]))
    value = graph("MatMul", graph("MatMul", "x", "w"), a(6, 5))
    model = graph.model(graph("MatMul", value, a(5, 2)))
    found = collapse(model)
    assert found.after.heavy == 2
    smaller = found.to_onnx()
    assert [value.name for value in smaller.graph.input] == ["x", "w"]
    assert_same(model, smaller)


def branching(read_inside):
    graph = Graph("N", 4)
    hidden = graph("MatMul", graph("MatMul", "x", a(4, 6)), a(6, 4))
    bodies = [
        helper.make_graph(
            [helper.make_node(op, [hidden if read_inside else "x"], [op])],
            op,
            [],
            [helper.make_tensor_value_info(op, TensorProto.FLOAT, None)],
        )
        for op in ("Relu", "Neg")
    ]
    positive = graph("Greater", graph("ReduceSum", "x" if read_inside else hidden), np.array(0.0))
    value = graph("If", positive, then_branch=bodies[0], else_branch=bodies[1])
    value = graph("Relu", graph("Reshape", value, np.array([-1, 4])))
    return graph.model(graph("MatMul", graph("MatMul", value, a(4, 5)), a(5, 2)))


@pytest.mark.parametrize("read_inside", [True, False])
def test_branches_are_left_alone_and_what_they_read_stays(read_inside):
    model = branching(read_inside)
    found = collapse(model)
    assert "If" in {bend.op_type for bend in found.bends}
    assert found.changed
    assert_same(model, found.to_onnx(), 1, 3)


def test_functions_are_put_in_place_of_their_calls():
    graph = Graph("N", 4)
    graph.functions.append(
        helper.make_function(
            "own", "Layer", ["a", "b"], ["c"], [helper.make_node("MatMul", ["a", "b"], ["c"])],
            [helper.make_opsetid("", 18)],
        )
    )  # fmt: skip
    value = graph("Layer", graph("Layer", "x", a(4, 6), domain="own"), a(6, 2), domain="own")
    found = collapse(graph.model(value, check=False))
    assert found.after.heavy == 1


def test_rows_that_are_mixed():
    graph = Graph("N", 4)
    value = graph("MatMul", "x", a(4, 4))
    value = graph("Sub", value, graph("ReduceMean", value, np.array([0]), keepdims=1))
    model = graph.model(graph("MatMul", value, a(4, 2)))
    assert_same(model, collapse(model).to_onnx())


def test_what_is_only_right_for_one_row_fails_its_certificate():
    graph = Graph("N", 4)
    rows = graph("Gather", graph("Shape", "x"), np.array(0))
    value = graph("Mul", graph("MatMul", "x", a(4, 4)), graph("Cast", rows, to=TensorProto.FLOAT))
    model = graph.model(graph("MatMul", value, a(4, 2)))
    found = collapse(model)
    assert not found.changed
    assert found.stretches[0].reason == "its certificate failed"
    assert_same(model, found.to_onnx())


def test_a_node_that_turns_the_rows_round_is_no_part_of_a_stretch():
    graph = Graph("N", 4)
    back = (np.array([-1]), np.array([-100_000]), np.array([0]), np.array([-1]))
    value = graph("Slice", graph("MatMul", "x", a(4, 4)), *back)
    model = graph.model(graph("MatMul", value, a(4, 2)))
    found = collapse(model)
    assert not found.changed
    assert [(one.op_type, one.reason) for one in found.kept] == [("Slice", MIXES)]
    assert_same(model, found.to_onnx())


def test_rows_that_a_state_holds_second_stay_there_behind_an_op_that_nobody_knows():
    model = TRAPS["rows_along_the_second_axis"][0]()
    found = collapse(model)
    assert [one.op_type for one in found.kept] == ["Transpose", "Squeeze"]


def test_names_metadata_and_texts_stay():
    graph = Graph("N", 4)
    kept = graph("Gemm", "x", a(4, 6), label="kept node")
    model = graph.model(graph("Gemm", graph("Gemm", graph("Relu", kept), a(6, 5)), a(5, 2), outputs=["answer"])[0])
    model.graph.node[0].doc_string = "why"
    helper.set_model_props(model, {"feature_names": "a,b,c,d"})
    smaller = collapse(model).to_onnx()
    assert [output.name for output in smaller.graph.output] == ["answer"]
    assert (smaller.graph.node[0].name, smaller.graph.node[0].doc_string) == ("kept node", "why")
    kept_and_added = {"feature_names": "a,b,c,d", "unbend.collapsed": "true"}
    assert {p.key: p.value for p in smaller.metadata_props} == kept_and_added
    assert smaller.producer_name == "tests"
    assert smaller.ir_version == model.ir_version


def test_several_outputs_keep_their_order():
    graph = Graph("N", 4)
    hidden = graph("MatMul", "x", a(4, 6))
    straight = graph("MatMul", hidden, a(6, 5))
    model = graph.model(graph("Relu", straight), hidden, straight)
    assert_same(model, collapse(model).to_onnx())


def test_one_value_under_two_names():
    graph = Graph("N", 4)
    doubled = graph("MatMul", "x", a(4, 4))
    model = graph.model(graph("Identity", graph("Identity", doubled)), doubled)
    assert_same(model, collapse(model).to_onnx())


# A collapse that is wrong must not pass.


def _kept(found):
    return not found.changed and "certificate" in found.stretches[0].reason


@pytest.mark.parametrize("share", [1e-3, 1e-5])
def test_one_wrong_weight_of_many_is_caught(monkeypatch, share):
    """One output of 1,000 is off by a small share of its size."""
    original = Writer.constant

    def spoiled(self, array, stem, dtype):
        array = np.array(array, dtype=np.float64)
        if stem.endswith("_W"):
            array[-1] *= 1 + share
        return original(self, array, stem, dtype)

    model = two_layers(weights=(a(4, 30), a(30, 1000) / 30))
    assert collapse(model).changed
    monkeypatch.setattr(Writer, "constant", spoiled)
    assert _kept(collapse(model)) or share < 1e-4
    if share < 1e-4:
        assert collapse(two_layers(dtype=np.float64, weights=(a(4, 30), a(30, 1000)))).changed is False


def test_a_wrong_composition_is_caught_before_anything_is_written(monkeypatch):
    original = Affine.then

    def careless(self, second):
        product = original(self, second)
        return Affine(product.linear, product.offset.mean(keepdims=True))

    monkeypatch.setattr(Affine, "then", careless)
    found = collapse(TRAPS["linear_mlp"][0]())
    assert not found.changed
    assert found.stretches[0].reason.startswith("its certificate failed at ")


def test_a_border_that_is_off_is_caught(monkeypatch):
    original = Affine.then

    def careless(self, second):
        """The bias goes through a padded convolution as if there were no border."""
        product = original(self, second)
        if isinstance(product.linear, Convolution) and product.offset.size > product.linear.out_shape[1]:
            inner = product.offset[..., 2:3, 2:3]
            return Affine(product.linear, inner)
        return product

    graph = Graph("N", 4, 6, 6)
    value = graph("BatchNormalization", "x", 1 + a(4), a(4), a(4), np.exp(a(4)))
    model = graph.model(graph("Conv", value, a(5, 4, 3, 3), pads=[1, 1, 1, 1]))
    monkeypatch.setattr(Affine, "then", careless)
    found = collapse(model)
    assert not found.changed
    assert_same(model, found.to_onnx())


def test_wrong_for_several_rows_is_caught(monkeypatch):
    def fixed(self, target, source, stem, dtype):
        shape = self.constant(np.array(target, dtype=np.int64), f"{stem}_shape", np.dtype(np.int64))
        return self.node("Reshape", [source, shape], stem, dtype)

    monkeypatch.setattr(Writer, "_reshape", fixed)
    found = collapse(TRAPS["convolutions_to_one_matrix"][0]())
    assert not found.changed
    assert "cannot be certified" in found.stretches[0].reason


def test_a_good_stretch_is_collapsed_although_another_fails(monkeypatch):
    original = rewrite.plan

    def plan(network, stretch):
        found = original(network, stretch)
        if stretch.sources == ("x",):
            for edge in found.edges:
                for step in edge.steps:
                    if step.node is None and isinstance(step.affine.linear, Dense):
                        step.affine.linear.stored[0] += 1
        return found

    monkeypatch.setattr(sys.modules["unbend.collapse.collapse"], "plan", plan)
    model = TRAPS["relu_among_four"][0]()
    found = collapse(model)
    assert [one.collapsed for one in found.stretches] == [False, True]
    assert_same(model, found.to_onnx())


# Writing.


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(two_layers(), path)
    return path


def test_save(file, tmp_path):
    found = collapse(file)
    smaller = found.save(tmp_path / "smaller.onnx")
    assert_same(onnx.load(file), onnx.load(smaller))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.onnx", "smaller.certificate.json", "smaller.onnx"]


def test_the_input_is_never_overwritten(file):
    before = file.read_bytes()
    with pytest.raises(UsageError, match="is an input"):
        collapse(file).save(file, force=True)
    assert file.read_bytes() == before


def test_a_file_of_somebody_else_is_not_overwritten(file, tmp_path):
    other = tmp_path / "notes.txt"
    other.write_text("mine")
    with pytest.raises(UsageError, match="unbend did not make it"):
        collapse(file).save(other)
    assert other.read_text() == "mine"
    collapse(file).save(other, force=True)
    assert_same(onnx.load(file), onnx.load(other))


def test_an_error_leaves_no_file(file, tmp_path, monkeypatch):
    def full(model, path):
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(ir, "save", full)
    with pytest.raises(OSError, match="No space"):
        collapse(file).save(tmp_path / "smaller.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_external_data_comes_out_in_one_file(tmp_path):
    model = two_layers(weights=(a(4, 600), a(600, 300)))
    onnx.save(
        copy.deepcopy(model), tmp_path / "big.onnx", save_as_external_data=True, location="big.data", size_threshold=0
    )
    found = collapse(tmp_path / "big.onnx")
    found.save(tmp_path / "smaller.onnx")
    assert_same(model, onnx.load(tmp_path / "smaller.onnx", load_external_data=False))


# What is said.


def test_result_as_json_and_text():
    found = collapse(TRAPS["linear_mlp"][0](), name="three layers")
    answer = found.to_dict()
    assert answer["affine"] is True
    assert answer["before"]["heavy"] == 3
    text = str(found)
    assert "This network has no bend: it is one linear regression" in text
    assert "onnxruntime" in text


PARTS = 8
"""The traps are gone through in so many tests."""


def test_sizes_are_counted_by_hand():
    graph = Graph("N", 2, 5, 5)
    value = graph("Conv", "x", a(4, 2, 3, 3), a(4))
    model = graph.model(graph("Gemm", graph("Flatten", value), a(36, 3), a(3)))
    before = collapse(model).before
    assert (before.nodes, before.heavy) == (3, 2)
    assert before.macs == 9 * 72 + 36 * 3
    assert before.parameters == 72 + 4 + 108 + 3


@pytest.mark.parametrize("part", range(PARTS))
def test_the_price_of_a_plan_is_what_its_network_then_costs(part):
    priced = [name for name in list(TRAPS)[part::PARTS] if _costs_what_its_plans_do(TRAPS[name][0]())]
    assert len(priced) > len(TRAPS) / PARTS / 3


def _costs_what_its_plans_do(model):
    """Whether all of the model is in stretches that collapse each by itself; asserts that their prices add up then."""
    network, found = read(model), collapse(model)
    plans = [rewrite.plan(network, stretch) for stretch in stretches(network).stretches]
    whole = found.before.parameters == sum(one.before.parameters for one in plans) and not found.kept
    if not (plans and whole and all(one.collapses for one in plans) and all(one.collapsed for one in found.stretches)):
        return False
    assert found.after.macs == sum(one.after.macs for one in plans)
    assert found.after.parameters == sum(one.after.parameters for one in plans)
    assert found.after.nodes == sum(one.after.nodes for one in plans) + len(network.bends)
    return True


@pytest.mark.parametrize("odd", [np.inf, np.nan])
def test_numbers_that_are_not_finite_are_left_alone(odd):
    graph = Graph("N", 4)
    value = graph("Gemm", graph("Gemm", "x", a(4, 4)), a(4, 4))
    model = graph.model(graph("Mul", value, np.array([odd, 0.0, 1.0, 2.0])))
    found = collapse(model)
    assert [kept.reason for kept in found.kept] == ["it holds a number that is not finite"]
    assert found.after.heavy == 1
    x = inputs(model, 3)
    np.testing.assert_allclose(run(found.to_onnx(), x), run(model, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "bias",
    [
        np.array([1.0, 1.001, 1.002, 1.003], np.float16),
        (1000.0 + 6.1035e-5 * np.arange(4)).astype(np.float32),
    ],
    ids=["float16", "float32"],
)
def test_biases_that_differ_by_little_stay_apart(bias):
    graph = Graph("N", 4, dtype=bias.dtype)
    weights = np.eye(4, dtype=bias.dtype)
    found = collapse(graph.model(graph("Gemm", graph("Gemm", "x", weights), weights, bias)))
    assert found.changed
    stored = [numpy_helper.to_array(one) for one in found.to_onnx().graph.initializer]
    assert any(array.ndim == 1 and np.array_equal(array, bias) for array in stored)


def test_a_network_that_mixes_its_rows_is_no_regression_of_one_row():
    graph = Graph("N", 4)
    mean = graph("ReduceMean", "x", np.array([0]), keepdims=1)
    found = collapse(graph.model(graph("Gemm", graph("Sub", "x", mean), a(4, 2))))
    assert found.mixes_rows
    assert not found.affine
    assert "mixes the rows" in str(found)
