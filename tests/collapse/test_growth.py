"""The network may store a tenth more numbers where that saves many multiplications, and more if it is allowed to."""

import numpy as np
import pytest
from onnx_graphs import Graph, a, assert_same

from unbend.collapse import collapse


def chain(more: int = 0):
    """A grouped 3 × 3 and a 2 × 2 of stride 2 that are one 4 × 4 of stride 2; then `more` numbers behind a bend."""
    graph = Graph("N", 8, 12, 12)
    value = graph("Conv", "x", a(8, 2, 3, 3), pads=[1, 1, 1, 1], group=4)
    value = graph("Relu", graph("Conv", value, a(8, 2, 2, 2), group=4, strides=[2, 2]))
    if more:
        value = graph("Conv", value, a(more // 8, 8, 1, 1))
    return graph.model(value)


@pytest.mark.parametrize(
    ("more", "allowed", "products"), [(0, False, 2), (0, True, 1), (640, False, 2), (4000, False, 2)]
)
def test_numbers_grow_within_a_tenth_of_the_network(more, allowed, products):
    model = chain(more)
    found = collapse(model, cost="macs", allow_growth=allowed)
    assert found.after.heavy == products
    grew = found.after.parameters / found.before.parameters
    assert grew <= 1.1 or allowed
    if found.changed:
        assert found.after.macs < 0.6 * found.before.macs or more
        assert grew > 1
        added = found.after.parameters - found.before.parameters
        assert f"and stores {added} more numbers." in str(found).replace("\n", " ")
        assert_same(model, found.to_onnx(), 1, 3)
    else:
        assert "stores 256 numbers, more than it may without --allow-growth" in found.stretches[0].reason


def test_what_saves_most_for_each_number_grows_first():
    graph = Graph("N", 8, 12, 12)
    value = graph("Conv", "x", a(8, 2, 3, 3), pads=[1, 1, 1, 1], group=4)
    value = graph("Relu", graph("Conv", value, a(8, 2, 2, 2), group=4, strides=[2, 2]))
    value = graph("Conv", value, a(8, 2, 3, 3), pads=[1, 1, 1, 1], group=4)
    value = graph("Relu", graph("Conv", value, a(8, 2, 2, 2), group=4, strides=[2, 2]))
    found = collapse(graph.model(graph("Conv", value, a(40, 8, 1, 1))), cost="macs")
    assert [one.collapsed for one in found.stretches] == [True, False, False]


def shared(behind: int, *, through_a_bend: bool):
    """A kernel that two convolutions share, and a scale that belongs to one of them; then `behind`² numbers."""
    graph = Graph("N", 2, behind, behind)
    kernel, scale = graph.constant(a(2, 2, 1, 1)), graph.constant(np.exp(a(2, 1, 1)))
    value = graph("Conv", "x", kernel)
    value = graph("Mul", graph("Relu", value), scale) if through_a_bend else graph("Relu", graph("Mul", value, scale))
    value = graph("Conv", graph("Tanh", value), kernel)
    return graph.model(graph("MatMul", value, a(behind, behind)))


@pytest.mark.parametrize("through_a_bend", [False, True])
def test_a_kernel_is_stored_twice_where_that_saves_a_scale_of_many_pixels(through_a_bend):
    model = shared(64, through_a_bend=through_a_bend)
    found = collapse(model, cost="macs")
    assert "Mul" not in [node.op_type for node in found.to_onnx().graph.node]
    assert found.after.parameters == found.before.parameters + 2
    assert found.after.macs == found.before.macs - 2 * 64 * 64
    assert_same(model, found.to_onnx(), 1, 3)


@pytest.mark.parametrize("through_a_bend", [False, True])
def test_it_is_not_where_the_scale_has_few_pixels(through_a_bend):
    assert not collapse(shared(6, through_a_bend=through_a_bend), cost="macs").changed
