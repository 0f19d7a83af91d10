"""A bias before zero padding: expansions are one convolution at every size, with a border that is exact."""

from collections import Counter

import numpy as np
import onnx
import pytest
from onnx_graphs import Graph, a, run

from unbend.collapse import collapse
from unbend.verify import verify

FREE, FIXED = ("height", "width"), (13, 16)
SIZES = [(13, 16), (7, 9), (8, 8), (12, 5), (33, 20), (3, 4)]


def expansion(channels: int, size: tuple, kernel: int = 3, stride: int = 1, last: bool = True, opset: int = 18):
    """1 × 1, k × k, 1 × 1, all with biases; the padding is the second's."""
    graph, wide = Graph("N", channels, *size, opset=opset), 4 * channels
    value = graph("Conv", "x", a(wide, channels, 1, 1), a(wide))
    pads = {"pads": [kernel // 2] * 4, "strides": [stride] * 2}
    value = graph("Conv", value, a(wide if last else 16, wide, kernel, kernel), a(wide if last else 16), **pads)
    return graph, graph("Conv", value, a(16, wide, 1, 1), a(16)) if last else value


def branches(channels: int, size: tuple):
    """An expansion beside a convolution, added up."""
    graph = Graph("N", channels, *size)
    wide = graph("Conv", "x", a(2 * channels, channels, 1, 1), a(2 * channels))
    one = graph("Conv", wide, a(8, 2 * channels, 3, 3), a(8), pads=[1] * 4)
    return graph, graph("Relu", graph("Add", one, graph("Conv", "x", a(8, channels, 3, 3), a(8), pads=[1] * 4)))


def one_axis(channels: int, size: tuple):
    """The same of a signal."""
    graph = Graph("N", channels, size[0])
    value = graph("Conv", "x", a(4 * channels, channels, 1), a(4 * channels))
    return graph, graph("Conv", value, a(16, 4 * channels, 5), a(16), pads=[2, 2])


CHANNEL = {"Pad": 1, "Conv": 1}
TABLE = {"Conv": 1, "Gather": 1, "Add": 1}
BESIDE = {"Conv": 2, "Shape": 1, "Slice": 1, "Expand": 1, "Add": 1}
TILED = {"Conv": 2, "Shape": 1, "Slice": 1, "Concat": 1, "Tile": 1, "Add": 1}
CASES = {
    "narrow, free": (lambda: expansion(3, FREE), CHANNEL),
    "narrow, fixed": (lambda: expansion(3, FIXED), CHANNEL),
    "wide, free": (lambda: expansion(8, FREE), BESIDE),
    "wide, fixed": (lambda: expansion(8, FIXED), TABLE),
    "5 × 5, free": (lambda: expansion(8, FREE, kernel=5), BESIDE),
    "5 × 5, fixed": (lambda: expansion(8, FIXED, kernel=5), TABLE),
    "two layers, free": (lambda: expansion(8, FREE, last=False), BESIDE),
    "two layers, fixed": (lambda: expansion(8, FIXED, last=False), TABLE),
    "strided, fixed": (lambda: expansion(8, FIXED, stride=2), TABLE),
    "strided, free": (lambda: expansion(8, FREE, stride=2), {"Conv": 2}),
    "opset 13": (lambda: expansion(8, FREE, opset=13), BESIDE),
    "opset 9": (lambda: expansion(8, FREE, opset=9), BESIDE),
    "opset 7": (lambda: expansion(8, FREE, opset=7), TILED),
    "opset 7, narrow": (lambda: expansion(3, FREE, opset=7), CHANNEL),
    "branches, narrow, free": (lambda: branches(3, FREE), CHANNEL | {"Relu": 1}),
    "branches, wide, free": (lambda: branches(8, FREE), BESIDE | {"Relu": 1}),
    "branches, wide, fixed": (lambda: branches(8, FIXED), TABLE | {"Relu": 1}),
    "one axis, free": (lambda: one_axis(8, FREE), BESIDE),
    "one axis, narrow": (lambda: one_axis(2, FREE), CHANNEL),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bias_before_the_padding_collapses_at_every_size(case, tmp_path):
    build, ops = CASES[case]
    graph, value = build()
    model = graph.model(value)
    before, after = tmp_path / "before.onnx", tmp_path / "after.onnx"
    onnx.save(model, before)
    found = collapse(str(before), cost="macs")
    assert Counter(node.op_type for node in found.to_onnx().graph.node) == ops
    assert found.after.macs < found.before.macs
    assert found.after.parameters < found.before.parameters
    shape = [axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim]
    for size in [FIXED[: len(shape) - 2]] if shape[2] else [one[: len(shape) - 2] for one in SIZES]:
        x = np.random.default_rng(1).normal(size=(2, shape[1], *size)).astype(np.float32)
        (expected,), (new,) = run(model, x), run(found.to_onnx(), x)
        np.testing.assert_allclose(new, expected, rtol=0, atol=3e-6 * np.abs(expected).max())
    found.save(after)
    assert verify(before, after).holds
    assert not collapse(str(after), cost="macs").changed


def test_a_table_is_counted_as_what_is_stored():
    graph, value = expansion(8, FIXED)
    found = collapse(graph.model(value), cost="macs")
    stored = sum(
        one.dims[0] * int(np.prod(one.dims[1:])) for one in found.to_onnx().graph.initializer if one.data_type == 1
    )
    assert found.after.parameters == stored == 8 * 16 * 9 + 16 * 9


@pytest.mark.torch
@pytest.mark.parametrize("case", ["narrow, free", "wide, free", "wide, fixed", "opset 13", "opset 9"])
def test_each_form_is_written_as_a_torch_module(case):
    torch = pytest.importorskip("torch")
    graph, value = CASES[case][0]()
    model = graph.model(value)
    module = collapse(model, cost="macs").to_torch()
    channels = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    for size in SIZES if "fixed" not in case else [FIXED]:
        x = np.random.default_rng(1).normal(size=(2, channels, *size)).astype(np.float32)
        (expected,) = run(model, x)
        found = module(torch.from_numpy(x)).detach().numpy()
        np.testing.assert_allclose(found, expected, rtol=0, atol=3e-6 * np.abs(expected).max())


def test_a_report_names_what_is_written():
    graph, value = expansion(8, FIXED)
    found = collapse(graph.model(value), cost="macs")
    assert found.stretches[0].into == ("Conv", "Add")


def test_a_report_says_what_a_border_beside_a_convolution_is():
    graph, value = expansion(8, FREE)
    found = collapse(graph.model(value), cost="macs")
    assert found.stretches[0].into == ("Conv", "Add of Conv of ones")
    assert "the part that was rewritten gives" in " ".join(str(found).split())
