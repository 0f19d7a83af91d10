"""Shapes that a network computes are plain numbers in the module: for any rows and lengths, and nothing of unbend."""

import io

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_graphs import Graph, a
from written import SINGLE, assert_near, by_runtime, by_torch

from unbend.errors import ModelError
from unbend.network import read
from unbend.network.to_torch import to_torch

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.torch


def one(*numbers):
    return np.array(numbers, np.int64)


def at(graph, axis, of="x"):
    """The length of an axis, as a vector of one number."""
    return graph("Unsqueeze", graph("Gather", graph("Shape", of), np.array(axis)), one(0))


def heads(graph):
    """x (N, L, 6) in two heads, and back."""
    wide = graph("MatMul", "x", a(6, 6))
    split = graph("Concat", at(graph, 0), at(graph, 1, wide), one(2, 3), axis=0)
    turned = graph("Transpose", graph("Reshape", wide, split), perm=[0, 2, 1, 3])
    back = graph("Transpose", graph("Relu", turned), perm=[0, 2, 1, 3])
    return graph(
        "Reshape", back, graph("Concat", graph("Slice", graph("Shape", back), one(0), one(2)), one(-1), axis=0)
    )


def causal(graph):
    """x xᵀ where a token comes first or is itself, else a large negative number."""
    scores = graph("MatMul", "x", graph("Transpose", "x", perm=[0, 2, 1]))
    square = graph("Concat", at(graph, 1), at(graph, 1), axis=0)
    ones = graph("ConstantOfShape", square, value=helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0]))
    seen = graph("Greater", graph("Trilu", ones, np.array(0), upper=0), np.array(0.5))
    return graph("Where", seen, scores, np.array(-9.0))


def positions(graph):
    """x and a row of a table for each place."""
    length = graph("Gather", graph("Shape", "x"), np.array(1))
    places = graph("Range", np.array(0), length, np.array(1))
    return graph("Add", "x", graph("Gather", a(32, 6), places))


def spread(graph):
    """One row for all, spread by a shape in which −1 stands for what is there, as TorchScript writes it."""
    shape = graph("Concat", at(graph, 0), one(-1), one(6), axis=0)
    ones = graph("ConstantOfShape", one(3), value=helper.make_tensor("v", TensorProto.INT64, [1], [1]))
    target = graph("Where", graph("Equal", shape, one(-1, -1, -1)), ones, shape)
    return graph("Add", graph("Expand", a(1, 1, 6), target), "x")


def halves(graph):
    """Pairs of neighbours side by side: half as long, twice as wide, and once more."""
    half = graph("Div", at(graph, 1), one(2))
    wide = graph("Reshape", "x", graph("Concat", one(0), half, graph("Mul", one(6), one(2)), axis=0))
    whole = graph("Mul", graph("Add", half, half), one(6))
    return graph("Concat", graph("Reshape", wide, graph("Concat", one(0), whole, axis=0)), a(1, 3), axis=1)


def scaled(graph):
    """x over the square root of its length, which is a tensor here."""
    length = graph("Cast", graph("Gather", graph("Shape", "x"), np.array(1)), to=TensorProto.FLOAT)
    return graph("Div", "x", graph("Sqrt", length))


def counted(graph):
    """All numbers of a row in a row."""
    row = graph("Div", graph("Size", "x"), graph("Gather", graph("Shape", "x"), np.array(0)))
    return graph("Reshape", "x", graph("Concat", one(-1), graph("Unsqueeze", row, one(0)), axis=0))


def either(graph):
    """Spread to whichever is longer, which the file does not say."""
    row = graph("Slice", "x", one(0), one(1), one(1))
    return graph("Mul", graph("Expand", row, graph("Shape", "x")), "x")


BUILDS = [heads, causal, positions, spread, scaled, counted, either]


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.__name__)
def test_lengths_are_free(build):
    graph = Graph("N", "L", 6)
    model = graph.model(build(graph))
    for rows, length in ((1, 4), (3, 7), (2, 1)):
        x = np.random.default_rng(rows).normal(size=(rows, length, 6)).astype(np.float32)
        assert_near(by_torch(model, {"x": x}), by_runtime(model, {"x": x}), SINGLE)


def test_lengths_are_halved():
    graph = Graph(1, "L", 6)
    model = graph.model(halves(graph))
    for length in (2, 8):
        x = np.random.default_rng(length).normal(size=(1, length, 6)).astype(np.float32)
        assert_near(by_torch(model, {"x": x}), by_runtime(model, {"x": x}), SINGLE)


@pytest.mark.parametrize("build", [heads, causal, positions, spread], ids=lambda build: build.__name__)
def test_they_stay_free_when_the_module_is_exported(build):
    graph = Graph("N", "L", 6)
    module = to_torch(read(graph.model(build(graph))))
    free = ({0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC},)
    again = torch.export.export(module, (torch.randn(2, 5, 6),), dynamic_shapes=free).module()
    x = torch.randn(3, 8, 6)
    torch.testing.assert_close(again(x), module(x))


def test_a_product_of_which_only_the_shape_is_read_is_not_computed():
    graph = Graph("N", "L", 6)
    split = graph("Concat", at(graph, 0), at(graph, 1), one(2, 4), axis=0)
    wide = graph("Transpose", graph("Reshape", graph("MatMul", "x", a(6, 8)), split), perm=[0, 2, 1, 3])
    model = graph.model(graph("Reshape", "x", graph("Concat", at(graph, 2, wide), one(-1), axis=0)))
    module = to_torch(read(model))
    assert not list(module.parameters())
    x = np.random.default_rng(0).normal(size=(2, 4, 6)).astype(np.float32)
    assert_near([module(torch.from_numpy(x)).numpy()], by_runtime(model, {"x": x}), 0.0)


def refused(model):
    with pytest.raises(ModelError) as caught:
        to_torch(read(model))
    return str(caught.value)


def test_a_shape_of_numbers_is_refused():
    graph = Graph("N", 6)
    shape = graph("Cast", graph("Slice", "x", one(0), one(2), one(1)), to=TensorProto.INT64)
    shape = graph("Reshape", shape, one(-1))
    said = refused(graph.model(graph("Reshape", "x", shape, label="odd"), check=False))
    assert "Reshape odd computes a shape from numbers" in said


def test_what_may_be_less_than_nothing_is_not_divided():
    graph = Graph("N", "L", 6)
    rest = graph("Div", graph("Sub", at(graph, 1), one(9)), one(2))
    said = refused(graph.model(graph("Tile", "x", graph("Concat", one(1), rest, one(1), axis=0))))
    assert "Tile" in said
    assert "computes a shape from numbers" in said


def test_a_value_that_nothing_gives_is_named():
    graph = Graph("N", 2, 6, 6)
    pooled, places = graph("MaxPool", "x", outputs=["pooled", "places"], label="pool", kernel_shape=[2, 2])
    assert "places" not in [node.target for node in to_torch(read(graph.model(pooled))).graph.nodes]
    said = refused(graph.model(pooled, graph("Identity", places)))
    assert "no torch layer gives places" in said
    assert "MaxPool pool makes it" in said


def test_a_mask_of_a_dropout():
    graph = Graph("N", 4)
    model = graph.model(*graph("Dropout", "x", outputs=["kept", "mask"]))
    kept, mask = to_torch(read(model))(torch.ones(3, 4))
    assert mask.dtype == torch.bool
    assert mask.all()
    assert (kept == 1).all()


def test_an_output_that_is_an_input_or_a_constant():
    graph = Graph("N", 4)
    model = graph.model(graph("Relu", "x"), graph("Identity", "x"), graph("Identity", graph.constant(a(2))))
    first, second, third = to_torch(read(model))(x := torch.randn(3, 4))
    assert torch.equal(first, x.relu())
    assert torch.equal(second, x)
    assert third.shape == (2,)


def test_nothing_of_unbend_is_in_a_saved_module():
    graph = Graph("N", "L", 6)
    file = io.BytesIO()
    torch.save(to_torch(read(graph.model(either(graph)))), file)
    assert b"unbend" not in file.getvalue()


@pytest.mark.parametrize("shared", [True, False])
def test_a_matrix_of_two_layers_is_one_parameter_and_vectors_are_each_layers_own(shared):
    graph = Graph("N", 4)
    weight, bias = graph.constant(a(4, 4)), graph.constant(a(4))
    other = weight if shared else graph.constant(a(4, 4))
    model = graph.model(graph("Gemm", graph("Relu", graph("Gemm", "x", weight, bias)), other, bias))
    assert [one.numel() for one in to_torch(read(model)).parameters()] == ([16, 4, 4] if shared else [16, 4, 16, 4])
