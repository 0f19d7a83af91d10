"""What merging a small branch into half precision loses: a LoRA adapter, against the same arithmetic in NumPy."""

import ml_dtypes
import numpy as np
import pytest
from onnx_graphs import Graph

from unbend.collapse import collapse

BF16 = np.dtype(ml_dtypes.bfloat16)


def adapted(size, dtype=BF16):
    """A layer with an adapter of rank 4, and the float64 values of its stored numbers."""
    rng = np.random.default_rng(0)
    base, down = rng.standard_normal((48, 32)) / 7, rng.standard_normal((48, 4)) / 7
    up = size * rng.standard_normal((4, 32))
    graph = Graph("N", 48, dtype=dtype)
    branch = graph("MatMul", graph("MatMul", "x", down), up)
    model = graph.model(graph("Relu", graph("Add", graph("MatMul", "x", base), branch)))
    return model, *(one.astype(dtype).astype(float) for one in (base, down, up))


def size(array):
    return np.sqrt(np.mean(array**2))


@pytest.mark.parametrize("adapter", [0.1, 0.01])
def test_a_merge_says_what_it_takes_of_an_adapter(adapter):
    model, base, down, up = adapted(adapter)
    found = collapse(model)
    branch = found.certificate.half.branch
    merged = base + down @ up
    lost = size(merged.astype(BF16).astype(float) - merged) / size(down @ up)
    assert branch.share == pytest.approx(size(down @ up) / size(merged), rel=0.15)
    assert branch.merged == pytest.approx(lost, rel=0.15)

    x = np.random.default_rng(1).standard_normal((2000, 48)).astype(BF16).astype(float)

    def half(y):
        return y.astype(BF16).astype(float)

    truth, effect = x @ merged, size(x @ down @ up)
    unmerged = half(half(x @ base) + half(half(x @ down) @ up))
    assert branch.rounding.original == pytest.approx(size(unmerged - truth) / effect, rel=0.15)
    assert branch.rounding.collapsed == pytest.approx(size(half(x @ half(merged)) - truth) / effect, rel=0.15)


def test_the_report_and_the_certificate_tell_it():
    found = collapse(adapted(0.01)[0])
    text = " ".join(str(found).split())
    branch = found.certificate.half.branch
    assert f"The branch that ends at {branch.label} makes" in text
    assert "Merged weights are rounded to bfloat16, which takes" in text


def test_a_branch_of_the_same_size_is_not_told_of():
    model, *_ = adapted(0.5)
    found = collapse(model)
    assert found.changed
    assert found.certificate.half.branch is None
    assert "as on an accelerator" in " ".join(str(found).split())


def test_float32_has_none_of_this():
    found = collapse(adapted(0.01, np.dtype(np.float32))[0])
    assert found.certificate.half is None
    assert "accelerator" not in str(found)
