"""A mean of every channel drops its axes itself where its stretch is written anew."""

from collections import Counter

import numpy as np
import onnx
import pytest
from onnx_graphs import Graph, a, run

from unbend.collapse import collapse
from unbend.verify import verify


def head(size: tuple, opset: int = 18, *, two: bool = True):
    """Mean, one or two layers, as exporters write them."""
    graph = Graph("N", 6, *size, opset=opset)
    mean = graph("ReduceMean", "x", np.array([2, 3])) if opset >= 18 else graph("ReduceMean", "x", axes=[2, 3])
    value = graph("Gemm", graph("Reshape", mean, np.array([-1, 6])), a(6, 8), a(8))
    return graph.model(graph("Gemm", value, a(8, 3), a(3)) if two else value)


@pytest.mark.parametrize(("size", "opset"), [((7, 5), 18), ((7, 5), 13), (("height", "width"), 18)])
def test_a_head_is_a_mean_and_one_product(size, opset, tmp_path):
    before, after = tmp_path / "before.onnx", tmp_path / "after.onnx"
    model = head(size, opset)
    onnx.save(model, before)
    found = collapse(str(before), cost="macs")
    assert Counter(node.op_type for node in found.to_onnx().graph.node) == {"ReduceMean": 1, "Gemm": 1}
    for shape in [(7, 5)] if size == (7, 5) else [(7, 5), (8, 8), (1, 3)]:
        x = np.random.default_rng(0).normal(size=(3, 6, *shape)).astype(np.float32)
        np.testing.assert_allclose(run(found.to_onnx(), x)[0], run(model, x)[0], rtol=0, atol=3e-6)
    found.save(after)
    assert verify(before, after).holds


def test_it_is_no_reason_by_itself():
    assert not collapse(head((7, 5), two=False), cost="macs").changed


def test_a_mean_in_a_free_stretch_of_which_the_reshape_is_all_that_could_go_stays():
    found = collapse(head(("height", "width"), two=False), cost="macs")
    assert not found.changed
