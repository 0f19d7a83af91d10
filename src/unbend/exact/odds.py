"""The sums of one reading for logistic regression of two classes, in one compiled pass."""

from __future__ import annotations

import numpy as np

from unbend.exact.compiled import passes, readable

COLUMNS = 32
"""Up to so many columns the pass is faster than BLAS and NumPy."""


def compiled_odds(columns: int) -> bool:
    """Whether there is a compiled pass for so many columns, and it is worth it."""
    return passes is not None and 0 < columns <= COLUMNS


def odds(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray | None, shift: np.ndarray, beta: np.ndarray, *, hessian: bool
) -> tuple[float, float, np.ndarray, np.ndarray | None]:
    """Loss, largest log-odds, gradient and Hessian at log-odds [1, x − shift] · beta.

    Parameters
    ----------
    x : (n, p)
    y : (n, 1), 1 where a row is of the second class, else 0
    weights : (n,), not negative, or None
    shift : (p,)
    beta : (1 + p,)
    hessian : whether it is wanted

    Returns
    -------
    Less the log-likelihood; the largest absolute log-odds; the gradient of the loss, (1 + p,); its Hessian, or None.

    Notes
    -----
    Where `compiled_odds` only. Checked against: NumPy in extended precision, 1e-13.
    """
    assert passes is not None
    totals, gradient = np.zeros(2), np.zeros(len(beta))
    squares = np.zeros((len(beta), len(beta))) if hessian else None
    passes.odds(
        readable(x), readable(y), None if weights is None else readable(weights), shift, beta, totals, gradient, squares
    )
    return float(totals[0]), float(totals[1]), gradient, squares
