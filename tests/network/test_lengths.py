"""Networks looked at with lengths for their free axes: each at its own, whatever was computed at another."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_graphs import Graph, a, run

from unbend.network import at_lengths, evaluate, read, with_lengths
from unbend.network.axes import axes_of
from unbend.network.graph import Port


def lengths_in_numbers():
    """Its input, times its own length, plus a shift that an exporter left as a chain of constants."""
    graph = Graph("N", 2, "L")
    length = graph("Cast", graph("Gather", graph("Shape", "x"), np.array(2)), to=TensorProto.FLOAT)
    shift = graph("Mul", graph("Cast", np.array([3], dtype=np.int64), to=TensorProto.FLOAT), np.array([2.0]))
    return graph.model(graph("Add", graph("Mul", "x", length), shift))


@pytest.mark.parametrize("length", [1, 8, 97])
def test_what_is_constant_at_one_length_is_not_at_another(length):
    model = lengths_in_numbers()
    network = with_lengths(at_lengths(read(model)), {"L": length})
    x = np.abs(a(1, 2, length)).astype(np.float32)  # a sum that does not cancel
    np.testing.assert_allclose(evaluate(network, x)[network.output.name][0], run(model, x)[0], rtol=1e-6)


def test_constants_of_no_length_are_shared():
    network = at_lengths(read(lengths_in_numbers()))
    made = {value.name for node in network.model.graph for value in node.outputs}
    other = with_lengths(network, {"L": 5})
    assert len(made & network.lasting.keys()) == 2
    assert all(other.constants[name] is network.lasting[name] for name in made & network.lasting.keys())


def test_a_network_is_made_once_at_each_length():
    network = read(lengths_in_numbers())
    assert with_lengths(network, {"L": 5}) is with_lengths(network, {"L": 5})


@pytest.mark.parametrize(
    ("shapes", "rows", "free"),
    [
        ({"x": ("N", 4), "z": ("N", 3)}, {"x": 0, "z": 0}, ()),
        ({"x": ("users", 4), "z": ("items", 3)}, {"x": 0, "z": 0}, ()),
        ({"x": (None, 4), "z": (None, 3)}, {"x": 0, "z": 0}, ()),
        ({"x": ("N", "L"), "mask": ("N", "L")}, {"x": 0, "mask": 0}, ("L",)),
        ({"x": ("N", "L"), "state": (2, "N", 8), "rate": ()}, {"x": 0, "state": 1}, ("L",)),
        ({"x": (None, 9), "state": (2, None, 8)}, {"x": 0, "state": 1}, ()),
        ({"rate": (), "x": ("N", 4)}, {"x": 0}, ()),
        ({"nodes": ("n", 4), "edges": ("e", 3), "ends": (2, "e")}, {"nodes": 0}, ("e",)),
        ({"square": ("N", "N")}, {}, ("N",)),
        ({"x": (1, 9), "state": (2, 1, 8)}, {}, ()),
        ({"images": ("N", 3, "H", "W")}, {"images": 0}, ("H", "W")),
    ],
)
def test_which_axes_count_rows(shapes, rows, free):
    found = axes_of([Port(name, shape, None) for name, shape in shapes.items()])
    assert (dict(found.rows), tuple(found.free)) == (rows, free)


def test_axes_of_one_name_have_one_length():
    graph = Graph("N", 2, "L")
    graph.inputs.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", 5, "L"]))
    network = at_lengths(read(graph.model(graph("Concat", "x", "z", axis=1))))
    assert network.shapes["x"][2] == network.shapes["z"][2]
    assert network.shapes[network.output.name][1] == 7


@pytest.mark.parametrize(("free", "most"), [(("h", "w"), 256**2), (("d", "h", "w"), 64**3)])
def test_values_of_many_free_axes_stay_small(free, most):
    graph = Graph("N", 2, *free)
    network = at_lengths(read(graph.model(graph("Relu", "x"))))
    looked_at = [network, *(other() for other in network.elsewhere)]
    assert all(np.prod(other.shapes["x"]) <= 2 * most for other in looked_at)
