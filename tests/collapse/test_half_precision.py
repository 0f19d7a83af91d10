"""Half precision: a collapse is no further from the truth than the original, and its bounds hold op by op.

The oracle rounds what each op makes to the type, in NumPy and in ONNX's reference evaluator.
"""

import ml_dtypes
import numpy as np
import onnx_ir as ir
import pytest
from onnx.reference import ReferenceEvaluator
from onnx_graphs import Graph, a

from unbend.collapse import collapse
from unbend.collapse.certify.bound import bound
from unbend.collapse.certify.evidence import evidence
from unbend.collapse.certify.precision import ALLOWED, Digits
from unbend.collapse.certify.reach import Collapsed, Original
from unbend.collapse.certify.witness import widened
from unbend.collapse.find.stretches import stretches
from unbend.collapse.write.rewrite import plan, rewrite
from unbend.network import read

HALF = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]


def averaging(dtype):
    """64 hidden numbers that are nearly the same, and their mean: rounding averages out in the original."""
    rng = np.random.default_rng(1)
    first = rng.standard_normal((8, 1)) + 0.1 * rng.standard_normal((8, 64))
    second = np.abs(rng.standard_normal((64, 1))) / 64
    graph = Graph("N", 8, dtype=dtype)
    return graph.model(graph("MatMul", graph("MatMul", "x", first), second)), first, second


def errors(first, second, dtype):
    """The errors of the two products and of the one, rounded op by op, on many rows."""
    first, second = (one.astype(dtype).astype(float) for one in (first, second))
    x = np.random.default_rng(2).standard_normal((4000, len(first))).astype(dtype).astype(float)

    def half(y):
        return y.astype(dtype).astype(float)

    truth = x @ first @ second
    found = half(half(x @ first) @ second), half(x @ half(first @ second))
    return [np.sqrt(np.mean((one - truth) ** 2)) for one in found]


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_a_stretch_that_would_lose_digits_stays_and_says_so(dtype):
    model, first, second = averaging(dtype)
    found = collapse(model)
    own, new = errors(first, second, dtype)
    assert new > ALLOWED * own
    assert not found.changed
    reason = found.stretches[0].reason
    assert reason.startswith(f"in {dtype} its collapsed form would be ")
    assert float(reason.split()[7]) == pytest.approx(new / own, rel=0.2)
    assert reason == collapse(model).stretches[0].reason


def test_in_float32_it_collapses():
    model, *_ = averaging(np.float32)
    assert collapse(model).after.heavy == 1


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_what_gains_digits_collapses(dtype):
    rng = np.random.default_rng(3)
    first, second = rng.standard_normal((32, 32)), rng.standard_normal((32, 8))
    third = rng.standard_normal((8, 8))
    graph = Graph("N", 32, dtype=dtype)
    model = graph.model(graph("MatMul", graph("MatMul", graph("MatMul", "x", first), second), third))
    network = read(model)
    (one,) = (plan(network, stretch) for stretch in stretches(network).stretches)
    assert Digits(network).rounding(one).ratio < 1.0
    assert collapse(model).after.heavy == 1


def chain(dtype, kind):
    if kind == "matrices":
        graph = Graph("N", 12, dtype=dtype)
        value = graph("Add", graph("MatMul", "x", a(12, 20)), a(20))
        return graph.model(graph("Relu", graph("Add", graph("MatMul", value, a(20, 6)), a(6))))
    graph = Graph("N", 3, 7, 6, dtype=dtype)
    value = graph("Conv", "x", a(8, 3, 1, 1), a(8))
    if kind == "branches":
        value = graph("Add", graph("Conv", "x", a(8, 3, 3, 3), a(8), pads=[1] * 4), value)
        value = graph("Mul", value, np.abs(a(8, 1, 1)) + 0.5)
    else:
        value = graph("Conv", value, a(2, 8, 3, 3), a(2), pads=[1] * 4)
    return graph.model(graph("Relu", value))


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("kind", ["matrices", "branches", "bias before the padding"])
def test_the_certified_bounds_hold_when_every_op_is_rounded(dtype, kind):
    network = read(chain(dtype, kind))
    plans = [plan(network, stretch) for stretch in stretches(network).stretches]
    one = next(each for each in plans if each.collapses)
    stated, rng = bound(network, one), np.random.default_rng(4)
    forms = Original(network, one.stretch), Collapsed(network, one.stretch, one)
    shapes = {name: (40, *network.shapes[name]) for name in one.stretch.sources}
    rows = {name: forms[0].cast(rng.uniform(-1, 1, shape), name) for name, shape in shapes.items()}
    truths = [form.values(rows) for form in forms]
    for form, truth, allowed in zip(forms, truths, stated.executed, strict=True):
        for name, y in form.executed(rows).items():
            assert np.abs(y - truth[name]).max() <= allowed
    for name, y in truths[0].items():
        assert np.abs(truths[1][name] - y).max() <= stated.slope + stated.shift


@pytest.mark.parametrize("kind", ["matrices", "branches", "bias before the padding"])
def test_op_by_op_is_what_the_reference_evaluator_gives(kind):
    """It rounds what each op makes, as `executed` does; sums of its Conv are rounded on the way as well."""
    dtype = HALF[0]
    model = chain(dtype, kind)
    network = read(model)
    one = next(each for each in (plan(network, s) for s in stretches(network).stretches) if each.collapses)
    x = np.random.default_rng(5).standard_normal((1, *network.shapes["x"][1:])).astype(dtype)
    forms = Original(network, one.stretch), Collapsed(network, one.stretch, one)
    for form, file in zip(forms, (network.model, rewrite(network, [one])), strict=True):
        (expected,) = ReferenceEvaluator(ir.to_proto(file)).run(None, {"x": x})
        (found,) = form.executed({"x": x[None].astype(float).reshape(1, *network.shapes["x"])}).values()
        apart = np.abs(np.maximum(found, 0.0).reshape(expected.shape) - expected.astype(float))
        assert apart.max() <= 4 * float(ml_dtypes.finfo(dtype).eps) * np.abs(found).max()
        assert np.mean(apart == 0) > 0.5


@pytest.mark.parametrize(
    ("dtype", "planted"), [(HALF[0], "bias"), (HALF[0], 1.03), (HALF[1], "bias"), (HALF[1], 1.3)], ids=str
)
def test_a_wrong_collapse_fails(dtype, planted):
    """A bias that is gone, a channel that is off; onnxruntime runs both in float32, where half of it would be seen."""
    network = read(chain(dtype, "branches"))
    plans = [one for one in (plan(network, stretch) for stretch in stretches(network).stretches) if one.collapses]
    model = rewrite(network, plans)
    assert evidence(network, model, plans).used < 0.3
    stored = {value.const_value.numpy().ndim: value for value in model.graph.initializers.values()}
    value = stored[1] if planted == "bias" else stored[4]
    wrong = value.const_value.numpy().astype(float)
    wrong[:1] *= 0.0 if planted == "bias" else planted
    value.const_value = ir.tensor(wrong.astype(dtype), name=value.name)
    assert not evidence(network, model, plans).holds


def test_a_bfloat16_model_is_run_by_onnxruntime_in_float32_and_stays_what_it_is():
    model = chain(HALF[1], "branches")
    found = collapse(model)
    assert found.changed
    assert found.certificate.evidence.witness == "onnxruntime, in float32"
    types = {value.dtype for value in found.model.graph.initializers.values()}
    assert types == {ir.DataType.BFLOAT16}
    wide = widened(found.model)
    assert {value.dtype for value in wide.graph.initializers.values()} == {ir.DataType.FLOAT}
    assert {value.dtype for value in found.model.graph.inputs} == {ir.DataType.BFLOAT16}
