"""A border that an exporter wrote as rounded constants is the border of the interior that they were computed from."""

import numpy as np
import onnxruntime
from onnx_graphs import Graph, a, assert_same

from unbend.collapse import collapse


def bordered(off: float):
    """Normalised values within a border of what the normalisation makes of zero, a few units off; then a 3 × 3."""
    graph = Graph(1, 16, 12, 12)
    offset = a(16).astype(np.float32)
    value = graph("Conv", "x", a(16, 16, 1, 1), offset)
    value = graph("Pad", value, np.array([0, 0, 1, 1, 0, 0, 1, 1]), np.float32(0))
    border = offset * np.float32(1 + off)
    for axis, at in ((2, 0), (2, 13), (3, 0), (3, 13)):
        places = np.array([place for place in np.ndindex(1, 16, 14, 14) if place[axis] == at])
        value = graph("ScatterND", value, places, border[places[:, 1]])
    return graph.model(graph("Relu", graph("Conv", value, a(16, 16, 3, 3))))


def test_a_border_off_by_rounding_is_none():
    model = bordered(1e-7)
    found = collapse(model, cost="macs")
    assert found.after.nodes == 2
    assert_same(model, found.to_onnx(), 1)


def test_a_border_off_by_more_stays():
    model = bordered(1e-4)
    found = collapse(model, cost="macs")
    assert found.after.nodes > 2
    assert_same(model, found.to_onnx(), 1)


def test_a_large_channel_does_not_hide_the_borders_of_the_others():
    graph = Graph(1, 16, 12, 12)
    value = graph("Conv", "x", a(16, 16, 1, 1), 0.01 * a(16))
    kernel, bias = a(16, 16, 3, 3), np.zeros(16)
    kernel[0], bias[0] = 0.0, 1e6
    model = graph.model(graph("Conv", value, kernel, bias, pads=[1] * 4))
    found = collapse(model, cost="macs")
    assert found.changed
    zeros = {"x": np.zeros((1, 16, 12, 12), np.float32)}
    sessions = (onnxruntime.InferenceSession(one.SerializeToString()) for one in (model, found.to_onnx()))
    before, after = (np.asarray(each.run(None, zeros)[0]) for each in sessions)
    np.testing.assert_allclose(after[:, 1:], before[:, 1:], rtol=0, atol=1e-5)
