"""The sums of one reading for logistic regression, in one compiled pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unbend.exact.compiled import passes, readable

PRODUCTS = 1 << 18
"""Up to so many products of two columns for two classes the pass is faster than BLAS and NumPy."""


@dataclass(frozen=True, eq=False)
class Likelihood:
    """Sums over rows.

    Attributes
    ----------
    loss : less the log-likelihood
    largest : the largest log-odds of one class against another
    weights : (k,) of the rows of each class but the first
    gradient : (k, 1 + p) of the loss
    hessian : (k, 1 + p, k, 1 + p) of the loss, or None
    """

    loss: float
    largest: float
    weights: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray | None


def compiled_odds(columns: int, classes: int = 2) -> bool:
    """Whether there is a compiled pass for so many columns and classes, and it is worth it."""
    return passes is not None and columns > 0 and classes * (classes - 1) // 2 * columns**2 <= PRODUCTS


def odds(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray | None, shift: np.ndarray, beta: np.ndarray, *, hessian: bool
) -> Likelihood:
    """The likelihood at log-odds [1, x − shift] · beta of each class against the first.

    Parameters
    ----------
    x : (n, p)
    y : (n, 1), the number of each row's class, from 0
    weights : (n,), not negative, or None
    shift : (p,)
    beta : (k, 1 + p), of all k + 1 classes but the first
    hessian : whether it is wanted

    Notes
    -----
    Where `compiled_odds` only. Checked against: NumPy in extended precision, 1e-13.
    """
    assert passes is not None
    k, q = beta.shape
    totals, gradient = np.zeros(2 + k), np.zeros((k, q))
    squares = np.zeros((k * q, k * q)) if hessian else None
    given = None if weights is None else readable(weights)
    passes.odds(readable(x), readable(y), given, shift, np.ascontiguousarray(beta), totals, gradient, squares)
    blocks = None if squares is None else squares.reshape(k, q, k, q)
    return Likelihood(float(totals[0]), float(totals[1]), totals[2:], gradient, blocks)
