"""Ordinary least squares, computed as accurately as the rows allow and no dearer than they need.

Moments are read first. Where they carry enough digits that may be all; else, or where readings are cheap because the
rows are in memory, further readings refine the solution to the last digit. Columns that are nearly collinear are
factored from the rows before that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np

from unbend.errors import SelfCheckError
from unbend.exact import Double
from unbend.regression.covariance import coefficient_axes
from unbend.regression.least_norm import least_norm_of_triangle
from unbend.regression.moments import Block, Moments
from unbend.regression.ordinary import Collinear, ordinary_each
from unbend.regression.polynomial import Polynomial
from unbend.regression.rank import relations
from unbend.regression.refine import BEYOND, LAST_BIT, MOST, refined
from unbend.regression.rows import Blocks, summed
from unbend.regression.solution import Solution
from unbend.regression.triangle import EPS, RowFactor, Triangle, triangle_of
from unbend.regression.trust import digits_each, rounding_errors

Readings = Literal["whatever it takes", "as many as it takes", "few", "as few as possible"]
"""What a reading of the rows costs: nothing that counts; little, as from memory; much, as from a large file; or more
than digits are worth."""

ENOUGH = 1e-14
"""Rounding of the largest effect of a column, as a share of all effects, with which one reading is enough."""
OF_RESIDUALS = 1e-12
"""Rounding of the sum of squared residuals with which one reading is enough."""
REFINABLE = 1e5
"""Condition number up to which a factor of moments is as good as one of the rows: two steps of refinement do."""
CHEAP, NARROW = 2e6, 30
"""Standard errors are refined where rows times columns squared are no more than the first, and columns than the second:
some milliseconds."""


def least_squares(
    moments: Moments,
    names: Sequence[str],
    blocks: Blocks,
    *,
    collinear: Collinear = "error",
    optional: Sequence[bool] | None = None,
    intercept: bool = True,
    readings: Readings = "as many as it takes",
    terms: Polynomial | None = None,
) -> tuple[Solution, ...]:
    """The coefficients that minimise the sum of squared residuals of each target.

    Parameters
    ----------
    moments : of [x | targets]; `Moments.about_origin` for a fit without an intercept
    names : of the p columns of x
    blocks : reads the same rows again
    collinear, optional : as `ordinary` has them
    intercept : whether there is one
    readings : how many are worth taking
    terms : what the columns are, if they are powers and products of shifted columns; `Solution.reported` is then for
        the powers and products of the columns as they are

    Raises
    ------
    DataError
        If columns are collinear and may not be dropped.
    SelfCheckError
        If rounding leaves no digit of a coefficient.

    Notes
    -----
    Checked against: rational arithmetic, 15 digits of coefficients, standard errors and sums of squares; on columns
    whose condition number is up to 1e12.
    """
    triangle = triangle_of(moments, len(moments.shift) - len(names))
    found = relations(triangle)
    solutions = [] if found else finished(ordinary_each(triangle, names, found=found, overwrite=True), intercept)
    if found or solutions[0].condition > REFINABLE:
        triangle = row_triangle(moments, blocks, intercept, triangle.targets)
        found = [relation if terms is None else terms.relation(relation) for relation in relations(triangle)]
        if found and collinear == "least norm":
            of_triangle = partial(least_norm_of_triangle, intercept=intercept, weight=moments.weight)
            each = [of_triangle(triangle, names, found, target=j) for j in range(triangle.targets)]
            return tuple(replace(one, shares=moments.shares) for one in each)
        each = ordinary_each(triangle, names, collinear=collinear, optional=optional, found=found, overwrite=True)
        solutions = finished(each, intercept)
    if readings != "as few as possible" and not (readings == "few" and all(map(_precise, solutions))):
        few = readings == "few"
        errors = readings == "whatever it takes" or (not few and _cheap(moments.n, len(names)))
        rows = _rows(solutions[0], terms) if errors else None
        bits = LAST_BIT if terms is None else BEYOND
        solutions = refined(solutions, triangle, moments, blocks, most=1 if few else MOST, bits=bits, rows=rows)
    if terms is not None:
        solutions = [_in_units(one, terms) for one in solutions]
    return tuple(_checked(per_row(one, moments.weight, moments.shares)) for one in solutions)


def _cheap(n: int, p: int) -> bool:
    """Whether the inverse of the cross products is refined in some milliseconds."""
    return n * p**2 <= CHEAP and p <= NARROW


def _rows(solution: Solution, terms: Polynomial | None) -> Double:
    """(1 + p, 1 + p) the intercept and each coefficient that is reported, in terms of those that are computed."""
    rows = Double.of(np.eye(len(solution.coef) + 1)) if terms is None else terms.back_exactly()
    known = np.array([solution.has_intercept, *(name not in solution.dropped for name in solution.names)])
    return rows * known * known[:, None]


def _in_units(solution: Solution, terms: Polynomial) -> Solution:
    """A solution with what it is for the columns as they are; it keeps no inverse of its own."""
    found = Double.of(np.array([solution.intercept, *solution.coef]), solution.low)
    reported = terms.coefficients(found)
    units = replace(
        solution,
        intercept=float(reported.hi[0]),
        coef=reported.hi[1:],
        low=reported.lo,
        error=abs(terms.back) @ (rounding_errors(solution) if solution.error is None else solution.error),
        axes=terms.back @ coefficient_axes(solution),
    )
    return replace(solution, refined_sway=None, in_units=units)


def row_triangle(moments: Moments, blocks: Blocks, intercept: bool = True, targets: int = 1) -> Triangle:
    """A reading of the rows for their QR factorization."""
    return summed(blocks, partial(_row_factor, moments, intercept, targets)).triangle()


def _row_factor(moments: Moments, intercept: bool, targets: int, block: Block, first: object = None) -> RowFactor:
    factor = RowFactor(moments, intercept, targets)
    factor.see(block.z, block.weights)
    return factor


def finished(solutions: Sequence[Solution], intercept: bool) -> Sequence[Solution]:
    """Solutions that know whether they have an intercept."""
    if intercept:
        return solutions
    return [replace(one, effective_df=one.effective_df - 1.0, has_intercept=False, intercept=0.0) for one in solutions]


def _precise(solution: Solution) -> bool:
    """Whether moments carry the digits: 14 of the effects of the columns, 12 of the residual variance."""
    moved = rounding_errors(solution)[1:] * solution.length
    total = np.sqrt(solution.tss) + np.abs(solution.coef) @ solution.length
    return bool((moved <= ENOUGH * total).all()) and EPS * solution.tss <= OF_RESIDUALS * solution.rss


def per_row(solution: Solution, weight: float, shares: float) -> Solution:
    """A solution whose weights, of the sum `weight`, are made of mean 1; `shares` is of these, as `Solution` has it."""
    unit = weight / solution.n
    if unit == 1.0:
        return replace(solution, shares=shares)
    size = np.sqrt(unit)
    return replace(
        solution,
        shares=shares,
        rss=solution.rss / unit,
        tss=solution.tss / unit,
        explained=None if solution.explained is None else solution.explained / unit,
        refined_sway=None if solution.refined_sway is None else solution.refined_sway * size,
        root=None if solution.root is None else solution.root * size,
        axes=None if solution.axes is None else solution.axes * size,
        length=solution.length / size,
        in_units=None if solution.in_units is None else per_row(solution.in_units, weight, shares),
    )


def _checked(solution: Solution) -> Solution:
    """A solution of which rounding leaves something."""
    if solution.reported.digits > 0:
        return solution
    worst = ("intercept", *solution.names)[int(np.argmin(digits_each(solution)))]
    raise SelfCheckError(
        f"rounding leaves no digit of the coefficient of {worst}",
        where=f"the condition number of the columns is {solution.condition:.2g}",
        try_="leave out columns that are nearly the same, or shrink the coefficients: --ridge auto",
    )
