"""Random networks: collapsing keeps the function, is never dearer by any count, and is done after one time."""

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx_graphs import Graph, a
from random_graphs import random_kind, random_model
from witness import LACKING, assert_agree, assert_kept, assert_near

from unbend.collapse import collapse
from unbend.network import evaluate, read

CANCELLED = 0.05
"""Where outputs cancel to almost nothing, rounding is measured against this share of the input."""


@settings(max_examples=70, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10_000_000))
def test_collapse(seed):
    kind, model = random_kind(seed)
    found = collapse(model)
    smaller = found.to_onnx()
    assert found.after.nodes <= found.before.nodes
    assert found.after.macs <= found.before.macs
    assert found.after.parameters <= 1.1 * found.before.parameters
    onnx.checker.check_model(smaller, full_check=True)
    assert_kept(model, smaller)
    assert_agree(model, smaller, _shapes(model, kind), floor=CANCELLED)
    assert not collapse(smaller).changed


def _shapes(model, kind):
    axes = [axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim]
    lengths = iter((9, 12)) if kind == "dynamic" else iter(())
    return [(axes[0] or rows, *(size or next(lengths, 11) for size in axes[1:])) for rows in (1, 3)]


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10_000_000))
def test_evaluation_in_float64_agrees_with_onnxruntime(seed):
    import onnxruntime

    model = random_model(seed)
    network = read(model)
    x = np.random.default_rng(seed).normal(size=(1, *network.shapes["x"])).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    run = dict(zip([o.name for o in session.get_outputs()], session.run(None, {"x": x[0]}), strict=True))
    found = evaluate(network, x)
    for name, expected in run.items():
        scale = max(float(np.abs(expected).max(initial=0)), CANCELLED * float(np.abs(x).max()))
        np.testing.assert_allclose(found[name][0], expected, rtol=0, atol=2e-5 * scale)


def test_a_sum_of_branches_of_one_value_is_seen_through_what_reads_it():
    graph = Graph("N", 5)
    part = graph("Slice", graph("Div", "x", np.array(2.0)), np.array([0]), np.array([3]), np.array([1]))
    wide = graph("Gemm", graph("Concat", "x", part, axis=1), a(2, 8), transB=1)
    model = graph.model(graph("Slice", wide, np.array([0]), np.array([9]), np.array([1])))
    found = collapse(model)
    assert [node.op_type for node in found.to_onnx().graph.node] == ["Gemm"]
    assert found.after.macs == 10
    assert_agree(model, found.to_onnx(), [(3, 5)])


def test_a_value_with_two_public_names_is_made_twice_rather_than_handed_on_twice():
    graph = Graph("N", 4, 3)
    value = graph("Reshape", "x", np.array([0, 12]))
    model = graph.model(graph("Transpose", value, perm=[0, 1]), graph("Flatten", graph("Dropout", value)))
    found = collapse(model)
    assert len(found.to_onnx().graph.node) == 2
    assert not collapse(found.to_onnx()).changed


def test_a_mean_before_what_is_gone():
    graph = Graph("N", 3)
    mean = graph("ReduceMean", "x", np.array([1]), keepdims=1)
    model = graph.model(graph("Flatten", graph("Dropout", mean)))
    assert_agree(model, collapse(model).to_onnx(), [(3, 3)])


def test_what_reads_a_copy_that_stays_reads_the_value_itself():
    graph = Graph("N", 5)
    copy = graph("Mean", "x", "x")
    product = graph("Gemm", graph("Concat", "x", copy, axis=1), a(10, 1))
    model = graph.model(graph("Add", graph("Concat", product, copy, axis=1), np.array(0.5)))
    found = collapse(model)
    assert found.after.macs == 5
    assert not collapse(found.to_onnx()).changed


def test_the_witness_sees_a_thousandth():
    model = Graph("N", 4)
    weight = a(4, 4)
    right = model.model(model("MatMul", "x", weight))
    other = Graph("N", 4)
    wrong = other.model(other("MatMul", "x", 1.001 * weight))
    wrong.graph.output[0].name = wrong.graph.node[0].output[0] = right.graph.output[0].name
    assert_agree(right, right, [(3, 4)])
    with pytest.raises(AssertionError):
        assert_agree(right, wrong, [(3, 4)])
    assert not LACKING & {"MatMul", "Conv", "Gemm"}
    assert_near(np.ones(3), np.ones(3), 0.0)
