"""Random networks: collapsing keeps the function, is never dearer by any count, and is done after one time."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx_graphs import assert_same
from random_graphs import random_model

from unbend.collapse import collapse
from unbend.network import evaluate, read

CANCELLED = 0.05
"""Where outputs cancel to almost nothing, rounding is measured against this share of the input."""


@settings(max_examples=400, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10_000_000))
def test_collapse(seed):
    model = random_model(seed)
    found = collapse(model)
    assert found.after.nodes <= found.before.nodes
    assert found.after.macs <= found.before.macs
    assert found.after.parameters <= 1.1 * found.before.parameters
    fixed = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value
    assert_same(model, found.to_onnx(), *((1,) if fixed else (1, 4)), floor=CANCELLED)
    assert not collapse(found.to_onnx()).changed


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10_000_000))
def test_evaluation_in_float64_agrees_with_onnxruntime(seed):
    import onnxruntime

    model = random_model(seed)
    network = read(model)
    x = np.random.default_rng(seed).normal(size=(1, *network.shapes["x"])).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    run = dict(zip([o.name for o in session.get_outputs()], session.run(None, {"x": x[0]}), strict=True))
    found = evaluate(network, x)
    for name, expected in run.items():
        scale = max(float(np.abs(expected).max(initial=0)), CANCELLED * float(np.abs(x).max()))
        np.testing.assert_allclose(found[name][0], expected, rtol=0, atol=2e-5 * scale)
