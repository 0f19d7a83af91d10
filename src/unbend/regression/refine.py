"""One step of refinement: a second reading for the residuals, which take the error of the squares out again.

The residuals are summed about the shift that the moments have, so a large mean costs nothing, and the corrected
intercept is put together in exact arithmetic. The step multiplies the error of the coefficients by the squared
condition number in roundings, so up to a condition number of 1e5 nothing is left that a QR factorization would not
leave as well.

Source: Björck (1987), Linear Algebra and its Applications 88/89, 31-48 (corrected seminormal equations).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

import numpy as np

from unbend.regression.moments import Moments
from unbend.regression.solution import Solution


def refined(solution: Solution, moments: Moments, blocks: Iterable[np.ndarray]) -> Solution:
    """A solution from moments, made as good as one by QR.

    Parameters
    ----------
    solution, moments : of the rows; no column may have been dropped
    blocks : the same rows [x | y] again, (n, q) each
    """
    root = solution.root
    if root is None:
        raise TypeError("ridge has no error of squares to refine")
    shift, y_shift = moments.shift[:-1], moments.shift[-1]
    offset = solution.mean - shift
    base = float((solution.y_mean - y_shift) - offset @ solution.coef)
    total, cross, squares = 0.0, np.zeros(len(shift)), 0.0
    for z in blocks:
        x = z[:, :-1] - shift
        residual = (z[:, -1] - y_shift) - x @ solution.coef - base
        total += residual.sum()
        cross += residual @ x
        squares += residual @ residual
    gradient = cross - offset * total
    step = root @ (root.T @ gradient)
    coef = solution.coef + step
    constant = base + total / solution.n - float(offset @ step)
    rss = max(float(squares - total**2 / solution.n - gradient @ step), 0.0)
    return replace(
        solution,
        coef=coef,
        intercept=_intercept(y_shift, shift, solution.coef, step, constant),
        rss=rss,
        squared=False,
        method=f"{solution.method}, refined by a second reading",
    )


def _intercept(y_shift: float, shift: np.ndarray, coef: np.ndarray, step: np.ndarray, constant: float) -> float:
    """constant + y_shift − shift · (coef + step), rounded once."""
    exact = Fraction(constant) + Fraction(y_shift)
    for mean, *parts in zip(shift.tolist(), coef.tolist(), step.tolist(), strict=True):
        exact -= Fraction(mean) * sum(map(Fraction, parts))
    return float(exact)
