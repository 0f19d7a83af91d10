"""What is constant in a network, and the shapes of what is not, however they hang together."""

import numpy as np
import onnx.shape_inference
import pytest
from onnx import TensorProto, helper
from onnx_graphs import Graph, a, run

from unbend.network import evaluate, read, with_lengths


def doubling(graph, value, times):
    """Blocks that each write the size of what they read into a Reshape: (N, L, 4) to (N, 4, L) and back."""
    for _ in range(times):
        sizes = [graph("Gather", graph("Shape", value), np.array([i]), axis=0) for i in (0, 2, 1)]
        value = graph("Relu", graph("Reshape", value, graph("Concat", *sizes, axis=0)))
    return value


@pytest.mark.parametrize("times", [3, 60])
def test_sizes_that_hang_on_sizes(times):
    graph = Graph("N", "L", 4)
    model = graph.model(doubling(graph, "x", times))
    network = with_lengths(read(model), {"L": 6})
    assert {node.op_type for node in network.nodes} == {"Reshape", "Relu"}
    assert all(network.has_shapes(node) for node in network.nodes)
    x = a(1, 6, 4).astype(np.float32)
    np.testing.assert_array_equal(evaluate(network, x)[network.output.name][0], run(model, x)[0])


def asked(times, monkeypatch):
    """How often inference is asked about a node of so many blocks."""
    calls = []
    known = onnx.shape_inference.infer_node_outputs

    def counted(*args, **how):
        calls.append(args)
        return known(*args, **how)

    graph = Graph("N", "L", 4)
    network = read(graph.model(doubling(graph, "x", times)))
    with monkeypatch.context() as patch:
        patch.setattr(onnx.shape_inference, "infer_node_outputs", counted)
        with_lengths(network, {"L": 6})
    return len(calls)


def test_its_work_grows_with_the_number_of_nodes(monkeypatch):
    assert 0 < asked(30, monkeypatch) <= 3 * asked(10, monkeypatch) + 3


def test_a_shape_that_only_the_whole_model_tells():
    graph = Graph("N", "L", 4)
    sizes = graph("Unsqueeze", graph("Gather", graph("Shape", "x"), np.array(1), axis=0), np.array([0]))
    wide = graph("Reshape", "x", graph("Concat", np.array([1]), sizes, np.array([4]), axis=0))
    total = graph("ReduceSum", wide, np.array([1]), keepdims=0)
    size = graph("Cast", graph("Shape", total), to=TensorProto.FLOAT)
    network = read(graph.model(graph("Mul", total, graph("Gather", size, np.array(1)))))
    assert network.shapes[total] == (1, 4)
    np.testing.assert_array_equal(network.constants[size], [1.0, 4.0])


def test_a_body_that_reads_from_outside():
    graph = Graph("N", 3)
    big = graph("Greater", graph("ReduceSum", "x", keepdims=0), np.array(0.0))
    inner = [helper.make_node("MatMul", ["x", graph.constant(a(3, 5))], ["then_out"])]
    other = [helper.make_node("MatMul", ["x", graph.constant(a(3, 5))], ["else_out"])]
    out = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("then_out", "else_out")}
    bodies = {
        "then_branch": helper.make_graph(inner, "then", [], [out["then_out"]]),
        "else_branch": helper.make_graph(other, "else", [], [out["else_out"]]),
    }
    found = graph("If", big, **bodies)
    network = read(graph.model(graph("Relu", found)))
    assert network.shapes[found] == (1, 5)


def test_a_shape_that_the_file_states_stands_where_inference_rounds_up():
    """The last window of a pool with ceil_mode is left out if it begins in the padding; inference counts it."""
    graph = Graph("N", 8, 5, 5)
    pooled = graph("AveragePool", "x", kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1)
    model = graph.model(graph("Relu", pooled))
    x = a(1, 8, 5, 5).astype(np.float32)
    shape = run(graph.model(pooled), x)[0].shape
    model.graph.value_info.append(helper.make_tensor_value_info(pooled, TensorProto.FLOAT, ["N", *shape[1:]]))
    assert read(model).shapes[pooled] == shape


def test_a_stated_shape_of_another_rank_is_not_believed():
    graph = Graph("N", 3)
    model = graph.model(graph("Relu", graph("Gemm", "x", a(3, 2), a(2))))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info(model.graph.output[0].name, TensorProto.FLOAT, []))
    assert read(model).shapes[model.graph.output[0].name] == (1, 2)
