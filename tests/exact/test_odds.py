"""The compiled pass of logistic regression against NumPy in extended precision."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from unbend.exact import compiled_odds, odds
from unbend.exact.compiled import passes


def expected(x, y, weights, shift, beta):
    """Loss, largest log-odds, weight of each class, gradient and Hessian, term by term."""
    rows = np.column_stack([np.ones(len(x)), x.astype(float) - shift]).astype(np.longdouble)
    scores = np.column_stack([np.zeros(len(x)), rows @ beta.astype(np.longdouble).T])
    w = np.ones(len(x)) if weights is None else weights
    is_class = np.eye(len(beta) + 1)[y[:, 0].astype(int)]
    total = np.logaddexp.reduce(scores, axis=1)
    share = np.exp(scores - total[:, None])[:, 1:]
    loss = (w * (total - (scores * is_class).sum(axis=1))).sum()
    spread = share[:, :, None] * (np.eye(len(beta)) - share[:, None, :]) * w[:, None, None]
    return (
        loss,
        np.ptp(scores, axis=1).max(initial=0),
        (w @ is_class)[1:],
        ((share - is_class[:, 1:]) * w[:, None]).T @ rows,
        np.einsum("iab,ij,ik->ajbk", spread, rows, rows),
    )


compiled = pytest.mark.skipif(passes is None, reason="the package was built without a C compiler")


def test_without_compiled_passes_there_are_no_compiled_odds(monkeypatch):
    monkeypatch.setattr(sys.modules["unbend.exact.odds"], "passes", None)
    assert not compiled_odds(1)


@compiled
@pytest.mark.parametrize("kernel", [] if passes is None else passes.KERNELS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "p", "k"), [(0, 2, 1), (1, 1, 1), (7, 3, 2), (513, 20, 1), (300, 32, 3), (90, 5, 31)])
def test_sums(kernel, weighted, dtype, n, p, k):
    assert compiled_odds(p, k + 1)
    rng = np.random.default_rng(n)
    x, y = (3 * rng.normal(size=(n, p))).astype(dtype), rng.integers(0, k + 1, (n, 1)).astype(float)
    weights = rng.random(n) if weighted else None
    shift, beta = rng.normal(size=p), rng.normal(size=(k, p + 1))
    before = passes.use(kernel)
    try:
        found = odds(x, y, weights, shift, beta, hessian=True)
        assert odds(x, y, weights, shift, beta, hessian=False).hessian is None
    finally:
        passes.use(before)
    actual = found.loss, found.largest, found.weights, found.gradient, found.hessian
    for ours, theirs in zip(actual, expected(x, y, weights, shift, beta), strict=True):
        scale = float(np.abs(theirs).max(initial=0))
        np.testing.assert_allclose(ours, np.asarray(theirs, float), rtol=0, atol=1e-13 * scale)


@compiled
def test_far_out():
    x, y = np.array([[-1e4], [-709.0], [0.0], [709.0], [1e4]]), np.array([[0.0], [0.0], [1.0], [1.0], [1.0]])
    found = odds(x, y, None, np.zeros(1), np.array([[0.0, 1.0]]), hessian=True)
    assert found.loss == pytest.approx(np.log(2), rel=1e-15)
    assert found.largest == 1e4
    assert found.hessian is not None
    np.testing.assert_allclose(found.gradient, [[-0.5, 0.0]], atol=1e-12)
    np.testing.assert_allclose(found.hessian[0, :, 0], [[0.25, 0.0], [0.0, 0.0]], atol=1e-12)


@compiled
def test_three_classes_far_out():
    x, y = np.array([[-1e4], [0.0], [1e4]]), np.array([[2.0], [0.0], [1.0]])
    found = odds(x, y, None, np.zeros(1), np.array([[0.0, 1.0], [0.0, -1.0]]), hessian=True)
    assert found.loss == pytest.approx(np.log(3), rel=1e-15)
    assert found.largest == 2e4
    np.testing.assert_allclose(found.gradient[:, 0], 1 / 3, atol=1e-12)


@compiled
def test_missing_numbers_are_seen():
    for k in (1, 2):
        found = odds(np.array([[1.0, np.nan]]), np.zeros((1, 1)), None, np.zeros(2), np.ones((k, 3)), hessian=False)
        assert np.isnan(found.loss)
