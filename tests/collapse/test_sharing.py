"""Numbers that several stretches share: counted by who still reads them; equal merged weights are stored once."""

import numpy as np
import pytest
from onnx_graphs import Graph, a, assert_same
from random_graphs import random_kind

from unbend.collapse import collapse


def collapsed(model):
    found = collapse(model, cost="macs")
    assert found.after.parameters <= found.before.parameters
    assert_same(model, found.to_onnx(), 1, 3)
    assert not collapse(found.to_onnx(), cost="macs").changed
    return found


def towers(count: int, *, weights=((8, 16), (16, 8)), last: bool = True):
    """Two layers, `count` times with a bend between; the last one with layers of its own where not `last`."""
    graph = Graph("N", weights[0][0])
    shared, value = [graph.constant(a(*shape)) for shape in weights], "x"
    for i in range(count):
        own = shared if last or i + 1 < count else [a(*shape) for shape in weights]
        for weight in own:
            value = graph("MatMul", value, weight)
        value = graph("Relu", value)
    return graph.model(value)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_towers_of_the_same_layers_stay_towers_of_the_same_layer(count):
    found = collapsed(towers(count))
    assert found.after.heavy == count
    assert found.after.parameters == 64
    assert len(found.to_onnx().graph.initializer) == 1


def test_layers_of_their_own_are_stored_beside_those_that_are_shared():
    found = collapsed(towers(3, last=False))
    assert (found.after.heavy, found.after.parameters) == (3, 128)


def test_a_waist_that_is_shared_stays_one():
    assert not collapse(towers(3, weights=((8, 2), (2, 8))), cost="macs").changed


def test_different_products_of_a_shared_layer_are_written_where_they_are_no_more_numbers_together():
    graph = Graph("N", 4)
    shared = graph.constant(a(4, 64))
    value = graph("Relu", graph("MatMul", graph("MatMul", "x", shared), a(64, 4)))
    found = collapsed(graph.model(graph("MatMul", graph("MatMul", value, shared), a(64, 4))))
    assert (found.after.heavy, found.after.parameters) == (2, 32)


def test_what_a_bend_needs_too_stays_and_only_the_rest_is_merged():
    graph = Graph("N", 8)
    shared = graph.constant(a(8, 8))
    value = graph("MatMul", graph("Mul", graph("Mul", "x", a(8)), a(8)), shared)
    found = collapsed(graph.model(graph("Softmax", graph("MatMul", graph("Relu", value), shared))))
    assert [node.op_type for node in found.to_onnx().graph.node].count("Mul") == 1
    assert found.after.parameters == 64 + 8


def test_a_tower_that_is_refused_leaves_the_others_what_they_shared(monkeypatch):
    """The numbers that the others counted on being gone are still read: they stay as they were, too."""
    from unbend.collapse.certify.precision import Digits

    def lost(_, plans, good):
        return {one: "it is the second" for one in plans if "MatMul_6" in one.stretch.label}

    monkeypatch.setattr(Digits, "lost", lost)
    found = collapse(towers(3), cost="macs")
    assert not found.changed
    assert sum("another stretch that shares its numbers stays" in one.reason for one in found.stretches) == 2


def test_numbers_that_the_collapse_frees_are_counted_at_once():
    model = random_kind(5359)[1]
    assert np.prod(model.graph.initializer[1].dims) == 3  # it is the network that this was found with
    assert not collapse(collapse(model, cost="macs").to_onnx(), cost="macs").changed
