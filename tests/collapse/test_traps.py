"""Every trap, in every kind: the known number of products, the same function, all names kept, nothing left to do."""

import numpy as np
import onnx
import pytest
from kinds import KINDS
from onnx import numpy_helper
from onnx_graphs import Graph, a
from trap_graphs import TRAPS
from witness import assert_agree, assert_kept

from unbend.collapse import collapse
from unbend.errors import ModelError

CASES = [(name, kind) for name, one in TRAPS.items() for kind in KINDS if isinstance(one.answers[kind], int)]

UNINFERRED = {"mean_variance_normalization"}
"""What onnx's own inference fails at, in the original too."""


def shapes(model, one):
    """Shapes of the input to try: two batches, and the lengths of its free axes."""
    axes = [axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim]
    batches = (axes[0],) if axes[0] else (1, 3)
    lengths = one.lengths if 0 in axes[1:] else ((),) * len(batches)
    pairs = zip(batches * len(lengths), lengths * len(batches), strict=False)
    return [_shape(axes, rows, put_in) for rows, put_in in list(pairs)[: max(len(batches), len(lengths))]]


def _shape(axes, rows, put_in):
    left = iter(put_in)
    return (rows, *(size or next(left) for size in axes[1:]))


@pytest.mark.usefixtures("any_digits")
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_trap(name, kind):
    one = TRAPS[name]
    model = one.model(kind)
    found = collapse(model)
    smaller = found.to_onnx()
    assert found.after.heavy == one.answers[kind]
    assert found.after.nodes <= found.before.nodes
    assert found.after.macs <= found.before.macs
    assert found.after.parameters <= 1.1 * found.before.parameters
    assert found.certificate is None or found.certificate.holds
    for one_of_both in (model, smaller):
        onnx.checker.check_model(one_of_both, full_check=name not in UNINFERRED)
    assert_kept(model, smaller)
    assert_agree(model, smaller, shapes(model, one))
    assert not collapse(smaller).changed


def test_there_are_enough():
    assert len(TRAPS) >= 100
    assert len(CASES) >= 400


def test_sparse_weights_are_refused_with_why():
    graph = Graph("N", 4)
    values = numpy_helper.from_array(np.array([1.5, -2.0, 3.0], dtype=np.float32), "sparse")
    indices = numpy_helper.from_array(np.array([1, 6, 11], dtype=np.int64))
    sparse = onnx.helper.make_sparse_tensor(values, indices, [4, 4])
    graph.nodes.append(onnx.helper.make_node("Constant", [], ["thin"], sparse_value=sparse))
    model = graph.model(graph("MatMul", graph("MatMul", "x", a(4, 4)), "thin"))
    with pytest.raises(ModelError, match="Sparse tensors are not supported"):
        collapse(model)
