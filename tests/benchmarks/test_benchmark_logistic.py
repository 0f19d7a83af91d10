"""The contenders of the logistic benchmark solve the same problem, and their gradients are measured right."""

from importlib import import_module
from typing import Any

import numpy as np
import pytest

LOGISTIC: Any = import_module("benchmarks.logistic")


@pytest.mark.parametrize("classes", [2, 4])
def test_contenders_agree(classes: int) -> None:
    data = LOGISTIC.rows(3000, 4, classes)
    found = [
        LOGISTIC.ours(data),
        LOGISTIC.scikit_learns(data, {"solver": "newton-cholesky", "tol": 1e-10}),
        LOGISTIC.statsmodelss(data),
    ]
    for one in found:
        np.testing.assert_allclose(one.scores, found[0].scores, rtol=1e-6, atol=1e-9)
        assert data.gradient(one) < 1e-12


def test_the_gradient_is_that_of_the_mean_log_likelihood() -> None:
    data = LOGISTIC.rows(3000, 4, 2)
    scores = np.array([[0.3, 0.1, -0.2, 0.4, 0.0]])

    def loss(scores: np.ndarray) -> float:
        score = data.x @ scores[0, 1:] + scores[0, 0]
        return float(np.mean(np.logaddexp(0, score) - data.y * score))

    steps = 1e-5 * np.eye(5)
    slopes = [(loss(scores + step) - loss(scores - step)) / 2e-5 for step in steps]
    assert data.gradient(LOGISTIC.Fitted(scores)) == pytest.approx(np.abs(slopes).max(), rel=1e-6)
