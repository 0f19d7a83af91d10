"""Running networks under onnxruntime: rows, batches, inner values."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_graphs import Graph, a

from unbend.errors import ModelError
from unbend.network import Runner, evaluate, read


def layers(*shape):
    graph = Graph(*shape, 4)
    hidden = graph("Relu", graph("Gemm", "x", a(4, 6), a(6)))
    return graph.model(graph("Gemm", hidden, a(6, 3))), hidden


@pytest.mark.parametrize("batch", [1, 8, "N"])
def test_rows_one_by_one_and_together(batch):
    model, hidden = layers(batch)
    network = read(model)
    x = np.random.default_rng(0).normal(size=(19, 4)).astype(np.float32)
    found = Runner(network, [hidden])(x)
    free, name = read(layers_with_free_batch(model)), network.output.name
    expected = evaluate(free, x, [hidden, name])
    for key in (hidden, name):
        np.testing.assert_allclose(found[key].reshape(19, -1), expected[key].reshape(19, -1), atol=1e-5)


def layers_with_free_batch(model):
    copy = type(model)()
    copy.CopyFrom(model)
    for value in (*copy.graph.input, *copy.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    return copy


def test_batches_are_put_together_again(monkeypatch):
    network = read(layers("N")[0])
    x = a(50, 4)
    whole = Runner(network)(x)[network.output.name]
    monkeypatch.setattr("unbend.network.run.MAX_BATCH", 7)
    parts = list(Runner(network).blocks(x))
    assert [len(part[network.output.name]) for part in parts] == [7] * 7 + [1]
    np.testing.assert_allclose(np.concatenate([part[network.output.name] for part in parts]), whole, atol=1e-6)


def test_a_network_that_mixes_its_rows_is_run_row_by_row():
    graph = Graph("N", 4)
    mean = graph("ReduceMean", "x", np.array([0]), keepdims=1)
    network = read(graph.model(graph("Sub", "x", mean)))
    runner = Runner(network)
    assert runner.batch_size == 1
    np.testing.assert_array_equal(runner(a(5, 4))[network.output.name], np.zeros((5, 1, 4)))


def test_whole_numbers_are_not_tried_with_negative_ones():
    from onnx import TensorProto

    graph = Graph("N", 2)
    graph.inputs[0].type.tensor_type.elem_type = TensorProto.INT64
    network = read(graph.model(graph("Gather", a(2, 3), "x")))
    assert Runner(network)(np.array([[0, 1], [1, 1]]))[network.output.name].shape == (2, 1, 2, 3)


def test_outputs_that_are_not_numbers():
    graph = Graph("N", 4)
    network = read(graph.model(graph("Log", "x")))
    found = Runner(network)(np.array([[-1.0, 0.0, 1.0, 2.0]] * 3))[network.output.name]
    np.testing.assert_allclose(found[:, 0], [[np.nan, -np.inf, 0.0, np.log(2)]] * 3, atol=1e-6)


def test_an_op_that_onnxruntime_does_not_have():
    graph = Graph("N", 4)
    network = read(graph.model(graph("Strange", "x", domain="my.own"), check=False))
    with pytest.raises(ModelError, match="onnxruntime cannot run"):
        Runner(network)


def test_rows_that_do_not_fit():
    with pytest.raises((ModelError, ValueError)):
        Runner(read(layers("N")[0]))(np.zeros((3, 5)))


def test_labels_beside_the_numbers_are_compared_as_text():
    graph = Graph("N", 3)
    scores = graph("Gemm", "x", a(3, 3))
    graph.initializers.append(helper.make_tensor("labels", TensorProto.STRING, [3], [b"a", b"b", b"c"]))
    label = graph("Gather", "labels", graph("ArgMax", scores, axis=1, keepdims=0), axis=0)
    model = graph.model(scores, label)
    model.graph.output[1].type.tensor_type.elem_type = TensorProto.STRING
    x = np.random.default_rng(1).normal(size=(5, 3))
    found = Runner(read(model))(x)
    assert not Runner(read(model)).mixes_rows
    assert found[label].ravel().tolist() == ["abc"[place] for place in found[scores].argmax(axis=-1).ravel()]
