"""Ordinary least squares, computed as accurately as the rows allow and no dearer than they need.

Moments are enough where they carry the digits; else a second reading refines the solution, or factors the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from unbend.errors import SelfCheckError
from unbend.regression.moments import Block, Moments
from unbend.regression.ordinary import Collinear, ordinary
from unbend.regression.rank import relations
from unbend.regression.refine import refined
from unbend.regression.solution import Solution
from unbend.regression.triangle import EPS, RowFactor, Triangle, triangle_of
from unbend.regression.trust import digits_each

ENOUGH = 12
"""Digits of the coefficients and of the residual variance with which one reading is enough."""
REFINABLE = 1e5
"""Condition number up to which a step of refinement makes up for the squares in moments: 1e5² roundings are 1e-6."""


def least_squares(
    moments: Moments,
    names: Sequence[str],
    blocks: Callable[[], Iterable[Block]],
    *,
    collinear: Collinear = "error",
    optional: Sequence[bool] | None = None,
    intercept: bool = True,
) -> Solution:
    """The coefficients that minimise the sum of squared residuals, by the cheapest way that gives their digits.

    Parameters
    ----------
    moments : of [x | y]; `Moments.about_origin` for a fit without an intercept
    names : of the p columns of x
    blocks : reads the same rows again
    collinear, optional : as `ordinary` has them
    intercept : whether there is one

    Raises
    ------
    DataError
        If columns are collinear and may not be dropped.
    SelfCheckError
        If rounding leaves no digit of a coefficient.
    """
    triangle = triangle_of(moments)
    solution = None if relations(triangle) else _centred(ordinary(triangle, names), intercept)
    if solution is None or solution.condition > REFINABLE:
        triangle = row_triangle(moments, blocks(), intercept)
        return _checked(_centred(ordinary(triangle, names, collinear=collinear, optional=optional), intercept))
    if solution.digits >= ENOUGH and EPS * solution.tss <= 10**-ENOUGH * solution.rss:
        return solution
    return refined(solution, moments, blocks())


def row_triangle(moments: Moments, blocks: Iterable[Block], intercept: bool = True) -> Triangle:
    """A second reading: QR of the rows."""
    factor = RowFactor(moments, intercept)
    for block in blocks:
        factor.see(block.z, block.weights)
    return factor.triangle()


def _centred(solution: Solution, intercept: bool) -> Solution:
    """A solution that knows whether it has an intercept."""
    if intercept:
        return solution
    return replace(solution, effective_df=solution.effective_df - 1.0, has_intercept=False)


def _checked(solution: Solution) -> Solution:
    """A solution of which rounding leaves something."""
    if solution.digits > 0:
        return solution
    worst = ("intercept", *solution.names)[int(np.argmin(digits_each(solution)))]
    raise SelfCheckError(
        f"rounding leaves no digit of the coefficient of {worst}",
        where=f"the condition number of the columns is {solution.condition:.2g}",
        try_="leave out columns that are nearly the same, or shrink the coefficients: --ridge auto",
    )
