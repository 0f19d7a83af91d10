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

import numpy as np

from unbend.regression.moments import Block, Moments
from unbend.regression.solution import Solution, intercept_of


def refined(solution: Solution, moments: Moments, blocks: Iterable[Block]) -> Solution:
    """A solution from moments, made as good as one by QR.

    Parameters
    ----------
    solution, moments : of the rows; no column may have been dropped
    blocks : the same rows again
    """
    root = solution.root
    if root is None:
        raise TypeError("ridge has no error of squares to refine")
    offset = moments.offset[:-1]
    base = float(moments.offset[-1] - offset @ solution.coef)
    total, cross, squares = 0.0, np.zeros(len(offset)), 0.0
    for block in blocks:
        moved, weights = block.z - moments.shift, block.weights
        x, residual = moved[:, :-1], moved[:, -1] - moved[:, :-1] @ solution.coef - base
        weighted = residual if weights is None else weights * residual
        total += weighted.sum() * solution.has_intercept
        cross += weighted @ x
        squares += weighted @ residual
    gradient = cross - offset * total
    step = root @ (root.T @ gradient)
    coef = solution.coef + step
    y_offset = moments.offset[-1] + total / solution.n
    rss = max(float(squares - total**2 / solution.n - gradient @ step), 0.0)
    return replace(
        solution,
        coef=coef,
        intercept=intercept_of(moments.shift, np.array([*offset, y_offset]), solution.coef, step),
        rss=rss,
        squared=False,
        method=f"{solution.method}, refined by a second reading",
    )
