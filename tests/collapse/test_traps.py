"""Every trap keeps its function at several batch sizes and comes out with the known number of products."""

import numpy as np
import pytest
from onnx_graphs import assert_same
from trap_graphs import TRAPS

from unbend.collapse import collapse
from unbend.network import evaluate, read


@pytest.mark.parametrize("name", TRAPS)
def test_trap(name):
    build, products = TRAPS[name]
    model = build()
    found = collapse(model)
    assert found.after.heavy == products
    assert found.after.nodes <= found.before.nodes
    assert found.after.macs <= found.before.macs
    assert found.after.parameters <= found.before.parameters
    fixed = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value
    assert_same(model, found.to_onnx(), *((1,) if fixed else (1, 3, 17)))
    assert found.certificate is None or found.certificate.holds


@pytest.mark.parametrize("name", TRAPS)
def test_collapsed_again_nothing_changes(name):
    once = collapse(TRAPS[name][0]()).to_onnx()
    assert not collapse(once).changed


@pytest.mark.parametrize("name", TRAPS)
def test_the_file_read_again_is_the_same_function_in_float64(name):
    model = TRAPS[name][0]()
    before, after = read(model), read(collapse(model).to_onnx())
    x = np.random.default_rng(3).normal(size=(4, *before.shapes["x"]))
    own, new = evaluate(before, x), evaluate(after, x)
    for output, expected in own.items():
        np.testing.assert_allclose(new[output], expected, atol=1e-5 * np.abs(expected).max(initial=1e-30))
