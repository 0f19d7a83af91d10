"""The networks that the benchmark collapses: merged by hand they are the same, and collapsed as well."""

from importlib import import_module

import numpy as np
import onnxruntime
import pytest

from unbend.collapse import collapse

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytestmark = pytest.mark.torch

CASES = {one.name.split()[0]: one for one in import_module("benchmarks.networks.case").cases()}
merging = import_module("benchmarks.networks.merging")
exporting = import_module("benchmarks.networks.exporting")

MERGED = ("c", "d", "e", "f", "g1", "h1", "h2", "o", "u1", "u2", "u3")
EXPORTED = {"a1": 1, "e": 4, "h1": 2, "o": 1, "t": 2}
"""Small networks, with the heavy ops that their collapse leaves."""


def outputs(model, rows: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: rows})[0]


def test_every_network_has_a_place():
    assert len(CASES) == 32


@pytest.mark.parametrize("key", MERGED)
def test_merged_by_hand_it_is_the_same(key):
    case = CASES[key]
    module = case.module()
    merged = merging.in_double(module)
    with torch.no_grad():
        truth = module.double()(case.rows(2).double())
        found = merged(case.rows(2).double())
    assert torch.max(torch.abs(found - truth)) < 1e-12 * torch.max(torch.abs(truth))


def test_nobody_merges_a_plain_network():
    assert merging.by_hand(CASES["a1"].module()) is None


@pytest.mark.parametrize("key", EXPORTED)
def test_collapsed_it_is_the_same(key):
    case = CASES[key]
    path, rows = exporting.exported(case), case.rows(3).numpy()
    result = collapse(str(path))
    assert result.after.heavy == EXPORTED[key]
    before, after = (outputs(model, rows) for model in (path.read_bytes(), result.to_onnx().SerializeToString()))
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-5 * np.abs(before).max())
