"""Linear regression on a table that is open already."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from unbend.data import Table
from unbend.data.distributed import Parts
from unbend.data.table import FEW
from unbend.errors import UsageError
from unbend.regression.design import Design
from unbend.regression.few_rows import of_few_rows
from unbend.regression.least_squares import Readings
from unbend.regression.linear import LinearFit, Origin, linear_fit
from unbend.regression.moments import Moments
from unbend.regression.ordinary import Collinear, without_hyphen
from unbend.regression.polynomial import polynomial
from unbend.regression.reading import gathered_moments, refuse_unsquarable, rows_are_gone
from unbend.regression.refusals import constant_target, no_weight, refuse_options, refuse_table, too_few_rows
from unbend.regression.ridge import ridge as solve_ridge
from unbend.regression.rows import TableBlocks, kept
from unbend.regression.sandwich import Sandwich, Weights
from unbend.regression.solution import Solution

CLASSICAL = Sandwich()


def fit_table(
    table: Table,
    *,
    degree: int = 1,
    ridge: float | Literal["gcv", "auto"] | None = None,
    level: float = 0.95,
    collinear: Collinear = "error",
    errors: Sandwich = CLASSICAL,
    weights: str | None = None,
    intercept: bool = True,
) -> LinearFit:
    """`fit` for a table that is open already; `errors` says which standard errors, the rest is as `fit` has it."""
    refuse_options(degree, level, collinear)
    collinear = without_hyphen(collinear)
    if ridge and not errors.plain:
        raise UsageError("ridge has no standard errors, so there is no covariance to choose", try_="leave one out")
    refuse_table(table)
    free = ridge or collinear == "least norm"
    design = _design(table, degree, weights, intercept, centred=not free)
    p = len(design.names)
    if table.n < p + 1 + intercept:
        how = {"intercept": intercept, "weights": weights}
        solution = _with_root(of_few_rows(table, design.blocks(), design.names, ridge, collinear, **how), errors)
        return linear_fit(_origin(table, weights, solution.n, errors), design.terms, solution, level)
    moments = _moments(table, design, weights)
    if moments.n < p + 1 + intercept and not free:
        raise too_few_rows(moments.n, p, intercept=intercept)
    origin = _origin(table, weights, moments.n, errors)
    if ridge:
        penalised = solve_ridge(moments.per_row, ridge, design.names, intercept=intercept)
        return linear_fit(origin, design.terms, replace(penalised, shares=moments.shares), level)
    optional = [j >= table.p for j in range(p)]
    (solution,), terms = design.solve(moments, collinear=collinear, optional=optional, readings=_readings(table))
    share = None if weights is None else Weights(weights, moments.weight / moments.n)
    uncertainty = errors.covariance(_with_root(solution, errors), table, terms, share)
    return linear_fit(replace(origin, weights=share), terms, solution, level, uncertainty)


def _design(table: Table, degree: int, weights: str | None, intercept: bool, centred: bool) -> Design:
    """The columns of the regression; rows that are few are read once and kept."""
    rows = TableBlocks(table, weights=weights)
    small = table.n_read * (table.p + 1) <= FEW and not isinstance(table.source, Parts)
    again = kept(rows) if small else rows
    if degree == 1:
        return Design(again, table.names, None, intercept)
    terms = polynomial(table.coding, degree)
    return Design.of_powers(again, terms, intercept) if centred else Design(again, terms.names, terms, intercept)


def _moments(table: Table, design: Design, weights: str | None) -> Moments:
    plain = design.terms is None and design.intercept and weights is None
    moments = (gathered_moments(table) if plain else None) or design.moments()
    if moments is None:
        raise rows_are_gone(table)
    if moments.n == 0 and weights is not None:
        raise no_weight(table, weights)
    refuse_unsquarable(moments, (*design.names, table.target))
    if moments.centred[-1, -1] <= 0:
        raise constant_target(table, moments.n, float(moments.mean[-1]))
    return moments


def _readings(table: Table) -> Readings:
    if table.decimals:
        return "whatever it takes"
    return "as many as it takes" if table.cheap else "few"


def _origin(table: Table, weights: str | None, n: int, errors: Sandwich) -> Origin:
    """Where the rows come from; with weights, how they count."""
    origin = Origin.of(table)
    if weights is None:
        return origin
    none = table.n - n
    lost = f"; {none} {'row of weight 0 is' if none == 1 else 'rows of weight 0 are'} left out" if none else ""
    noise = ": the variance of a row's noise is inversely proportional to it" if errors.plain else ""
    return origin.with_note(f"Rows are weighted by {weights}{noise}{lost}.")


def _with_root(solution: Solution, errors: Sandwich) -> Solution:
    """The solution, if it has what a covariance other than the classical one is of."""
    if solution.root is None and not errors.plain:
        raise UsageError(
            "coefficients of least norm have no standard errors, so there is no covariance to choose",
            try_="leave --covariance and --cluster out, or let columns be left out: --collinear drop",
        )
    return solution
