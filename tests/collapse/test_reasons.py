"""Why a stretch is kept is said as it is."""

import pytest
from onnx_graphs import Graph, a
from random_graphs import random_model

from unbend.collapse import collapse


def reason(model) -> str:
    return collapse(model, cost="macs").stretches[0].reason


def test_a_single_node():
    graph = Graph("N", 3, 6, 6)
    assert reason(graph.model(graph("Relu", graph("Conv", "x", a(4, 3, 3, 3))))) == "it is one Conv already"


def test_a_product_and_its_bias():
    graph = Graph("N", 5, 4)
    model = graph.model(graph("Relu", graph("Add", graph("MatMul", "x", a(4, 8)), a(8))))
    assert reason(model) == "it is in its cheapest form already"


def test_a_waist():
    graph = Graph("N", 5, 16)
    model = graph.model(graph("Relu", graph("MatMul", graph("MatMul", "x", a(16, 2)), a(2, 16))))
    assert reason(model) == "what composes in it would take 1280 multiplications instead of 320"


def test_a_padded_convolution_of_a_padded_one():
    graph = Graph("N", 2, 40, 40)
    value = graph("Conv", "x", a(2, 2, 3, 3), pads=[1] * 4)
    model = graph.model(graph("Relu", graph("Conv", value, a(2, 2, 3, 3), pads=[1] * 4)))
    assert reason(model) == "no two of its maps have a product or a sum of a simpler form"


@pytest.mark.parametrize("seed", [2559263, 4414754, 5970606, 5232710, 7632855, 1626852, 8649527, 6910312, 3383594])
def test_what_once_was_collapsed_twice(seed):
    once = collapse(random_model(seed), cost="macs").to_onnx()
    assert not collapse(once, cost="macs").changed


@pytest.mark.parametrize("window", [5, 7])
def test_an_image_smaller_than_its_window(window):
    graph = Graph("N", 2, 4, 9)
    value = graph("Conv", graph("Conv", "x", a(3, 2, 1, 1), a(3)), a(2, 3, window, 3))
    padded = graph("Conv", graph("Relu", value), a(2, 2, 1, 1), pads=[1] * 4)
    found = collapse(graph.model(padded, check=False), cost="macs")
    assert not found.changed
    assert "its image is smaller than its window" in [one.reason for one in found.kept]


def test_what_is_saved_is_counted_as_people_count():
    graph = Graph("N", 5)
    found = collapse(graph.model(graph("Add", graph("Add", "x", a(5)), a(5))), cost="macs")
    assert "saves 1 node." in " ".join(str(found).split())
