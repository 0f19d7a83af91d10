"""Linear regression on a table that is open already."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from unbend.data import Table
from unbend.errors import UsageError
from unbend.regression.design import Design, design_moments
from unbend.regression.few_rows import of_few_rows
from unbend.regression.least_squares import Readings
from unbend.regression.linear import LinearFit, Origin, linear_fit
from unbend.regression.moments import Moments
from unbend.regression.ordinary import Collinear, without_hyphen
from unbend.regression.polynomial import polynomial
from unbend.regression.refusals import constant_target, refuse_options, refuse_table, too_few_rows
from unbend.regression.ridge import ridge as solve_ridge
from unbend.regression.rows import TableBlocks, kept_if_few
from unbend.regression.sandwich import Sandwich
from unbend.regression.solution import Solution
from unbend.regression.weighting import PRECISION, Weights, weighting

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
    again = kept_if_few(TableBlocks(table, weights=weights))
    if degree == 1:
        return Design(again, table.names, None, intercept)
    terms = polynomial(table.coding, degree)
    return Design.of_powers(again, terms, intercept) if centred else Design(again, terms.names, terms, intercept)


def _moments(table: Table, design: Design, weights: str | None) -> Moments:
    moments = design_moments(table, design, weights, plain=design.terms is None)
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
    return (
        origin
        if weights is None
        else origin.with_note(weighting(weights, PRECISION if errors.plain else "", table.n - n))
    )


def _with_root(solution: Solution, errors: Sandwich) -> Solution:
    """The solution, if it has what a covariance other than the classical one is of."""
    if solution.root is None and not errors.plain:
        raise UsageError(
            "coefficients of least norm have no standard errors, so there is no covariance to choose",
            try_="leave --covariance and --cluster out, or let columns be left out: --collinear drop",
        )
    return solution
