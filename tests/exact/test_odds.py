"""The compiled pass of logistic regression against NumPy in extended precision."""

from __future__ import annotations

import numpy as np
import pytest

from unbend.exact import compiled_odds, odds
from unbend.exact.compiled import passes


def expected(x, y, weights, shift, beta):
    rows = np.column_stack([np.ones(len(x)), x.astype(float) - shift]).astype(np.longdouble)
    score = rows @ beta.astype(np.longdouble)
    w = np.ones(len(x)) if weights is None else weights
    share = 1 / (1 + np.exp(-score))
    loss = (w * (np.logaddexp(0, score) - y[:, 0] * score)).sum()
    spread = w * share * (1 - share)
    return loss, np.abs(score).max(initial=0), (w * (share - y[:, 0])) @ rows, (rows * spread[:, None]).T @ rows


@pytest.mark.parametrize("kernel", ["numpy"] if passes is None else passes.KERNELS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "p"), [(0, 2), (1, 1), (7, 3), (513, 20), (300, 32)])
def test_sums(kernel, weighted, dtype, n, p):
    if passes is None:
        assert not compiled_odds(p)
        return
    rng = np.random.default_rng(n)
    x, y = (3 * rng.normal(size=(n, p))).astype(dtype), (rng.random((n, 1)) < 0.5).astype(float)
    weights = rng.random(n) if weighted else None
    shift, beta = rng.normal(size=p), rng.normal(size=p + 1)
    before = passes.use(kernel)
    try:
        found = odds(x, y, weights, shift, beta, hessian=True)
        assert odds(x, y, weights, shift, beta, hessian=False)[3] is None
    finally:
        passes.use(before)
    for ours, theirs in zip(found, expected(x, y, weights, shift, beta), strict=True):
        scale = float(np.abs(theirs).max(initial=0))
        np.testing.assert_allclose(ours, np.asarray(theirs, float), rtol=0, atol=1e-13 * scale)


def test_far_out():
    if not compiled_odds(1):
        return
    x, y = np.array([[-1e4], [-709.0], [0.0], [709.0], [1e4]]), np.array([[0.0], [0.0], [1.0], [1.0], [1.0]])
    loss, largest, gradient, hessian = odds(x, y, None, np.zeros(1), np.array([0.0, 1.0]), hessian=True)
    assert loss == pytest.approx(np.log(2), rel=1e-15)
    assert largest == 1e4
    assert hessian is not None
    np.testing.assert_allclose(gradient, [-0.5, 0.0], atol=1e-12)
    np.testing.assert_allclose(hessian, [[0.25, 0.0], [0.0, 0.0]], atol=1e-12)
