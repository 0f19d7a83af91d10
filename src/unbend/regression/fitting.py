"""`unbend fit`: linear or logistic regression of one column on the others, from any data, in one reading or a few."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from unbend.data import Source, Table, column_names, open_source, open_table
from unbend.data.distributed import connected, on_workers
from unbend.errors import UsageError
from unbend.output import refuse
from unbend.regression.columns import column_moments
from unbend.regression.few_rows import of_few_rows
from unbend.regression.least_squares import least_squares
from unbend.regression.linear import LinearFit, Origin, linear_fit
from unbend.regression.logistic_fit import LogisticFit, fit_classes
from unbend.regression.moments import Moments
from unbend.regression.ordinary import Collinear
from unbend.regression.quadratic import quadratic
from unbend.regression.reading import table_moments
from unbend.regression.refusals import (
    constant_target,
    refuse_clusters,
    refuse_constant_columns,
    refuse_options,
    refuse_table,
    too_few_rows,
)
from unbend.regression.ridge import ridge as solve_ridge
from unbend.regression.rows import TableBlocks
from unbend.regression.sandwich import Kind, Sandwich
from unbend.regression.solution import Solution
from unbend.regression.state import FitState

CLASSICAL = Sandwich()
WIDE = 2000
"""Cross products of more columns take more than 32 MB: they are formed only if there are rows enough."""


def fit(
    data: Any,
    target: str,
    *,
    degree: int = 1,
    ridge: float | Literal["gcv"] | None = None,
    level: float = 0.95,
    collinear: Collinear = "error",
    covariance: Kind = "classical",
    lags: int | None = None,
    cluster: str | Sequence[str] = (),
    order: str | None = None,
    exclude: Sequence[str] = (),
    classes: bool | None = None,
    save: str | Path | None = None,
    update: str | Path | FitState | None = None,
    force: bool = False,
    scheduler: str | None = None,
) -> LinearFit | LogisticFit:
    """Linear regression with an intercept; logistic regression where the target is a class.

    Parameters
    ----------
    data : a path, a folder, a glob, a frame, a `Source`; a DataFrame or an Array of Dask, or a dict of Arrays
    target : the column to explain
    degree : 2 adds squares and products
    ridge : strength of a penalty on standardised columns (0 is none), or "gcv" to let the data choose it (not for
        classes)
    level : of the confidence intervals
    collinear : where columns follow from others or outnumber the rows: "error"; "drop" to leave out those that follow
        from earlier ones; "least norm" for the smallest coefficients of all that fit equally well
    covariance : of the coefficients: "classical"; "HC0" to "HC3" if the noise may differ from row to row; "HAC" if it
        may also be correlated from row to row
    lags : how many rows apart noise may be correlated, for "HAC"; None chooses by the number of rows
    cluster : one or two columns; the noise may be correlated in any way among rows that agree in one. They are no
        features
    order : for "HAC", the column that the rows are sorted by; it is no feature. None keeps their order
    exclude : columns that are not used
    classes : False refuses a target that is text; True takes numbers for classes
    save : a file that keeps what is needed to go on with more rows, or to merge with others (`FitState`)
    update : a saved fit: these rows come on top of those that it has seen, in its columns, coding and degree
    force : `save` overwrites a file that unbend did not make
    scheduler : address of a Dask scheduler, such as "tcp://10.0.0.1:8786", whose workers read the files; they must see
        them under the same path. A collection of Dask needs none where a client is there

    Raises
    ------
    DataError
        If the data cannot be read or cannot be regressed: the target constant, columns collinear, fewer rows than
        columns, classes that a plane tells apart without error.
    UsageError
        If the options do not fit together.
    """
    cluster = (cluster,) if isinstance(cluster, str) else tuple(cluster)
    errors = Sandwich(covariance, lags, cluster)
    if order is not None and errors.kind != "HAC":
        raise UsageError("an order of the rows matters only to a covariance HAC", try_="add --covariance HAC")
    with connected(scheduler):
        source = open_source(data) if scheduler is None else on_workers(data)
        refuse_clusters(cluster, target, source)
        if save is not None or update is not None:
            _refuse_what_needs_rows(errors, classes)
            if save is not None:
                refuse(Path(save), force=force)
            state = _kept(source, target, degree, column_names(exclude), update)
            found = state.fit(ridge=ridge, level=level, collinear=collinear)
            if save is not None:
                state.save(save, force=force)
            return found
        unused, gather = (*column_names(exclude), *cluster), _narrow_moments if degree == 1 else None
        table = open_table(source, target, exclude=unused, order=order, classes=classes, gather=gather)
        if table.classes is not None and len(table.classes) > 1:
            return _fit_classes(table, degree, ridge, level, collinear, errors)
        return fit_table(table, degree=degree, ridge=ridge, level=level, collinear=collinear, errors=errors)


def _narrow_moments(columns: Sequence[np.ndarray], first: Moments | None = None) -> Moments | int:
    """The moments of columns while they are surveyed; none of very many, of which there may be more than rows."""
    return column_moments(columns, first) if len(columns) <= WIDE else 0


def _refuse_what_needs_rows(errors: Sandwich, classes: bool | None) -> None:
    """Raise UsageError for what a fit that keeps sums instead of rows cannot give."""
    if not errors.plain:
        raise UsageError(
            "a saved fit keeps no rows, so its standard errors are classical",
            try_="leave --covariance and --cluster out, or --save and --update",
        )
    if classes:
        raise UsageError("a logistic regression cannot be saved: it needs its rows again", try_="leave --save out")


def _kept(
    source: Source, target: str, degree: int, exclude: Sequence[str], update: str | Path | FitState | None
) -> FitState:
    """The sums of these rows, on top of those of a saved fit if there is one."""
    if update is None:
        return FitState.of(source, target, degree=degree, exclude=exclude)
    before = update if isinstance(update, FitState) else FitState.load(update)
    if target != before.target:
        raise UsageError(f"the saved fit is of {before.target}, not of {target}", try_=f"--target {before.target}")
    if degree not in (1, before.degree):
        raise UsageError(f"the saved fit has degree {before.degree}, which more rows do not change")
    if kept := [name for name in exclude if name in before.features]:
        raise UsageError(f"the saved fit uses {', '.join(kept)}: a column cannot be left out of a part of the rows")
    return before.more(source)


def _fit_classes(
    table: Table,
    degree: int,
    ridge: float | Literal["gcv"] | None,
    level: float,
    collinear: Collinear,
    errors: Sandwich,
) -> LogisticFit:
    refuse_options(degree, level, collinear)
    if not errors.plain:
        raise UsageError(
            f"{table.target} is a class: logistic regression has its standard errors from the likelihood only",
            try_="leave --covariance and --cluster out",
        )
    refuse_constant_columns(table)
    terms = quadratic(table.coding) if degree == 2 else None
    p = table.p if terms is None else len(terms.names)
    if not ridge and table.n < p + 2:
        raise too_few_rows(table.n, p, "--ridge 1")
    return fit_classes(table, ridge=ridge, level=level, collinear=collinear, terms=terms)


def fit_table(
    table: Table,
    *,
    degree: int = 1,
    ridge: float | Literal["gcv"] | None = None,
    level: float = 0.95,
    collinear: Collinear = "error",
    errors: Sandwich = CLASSICAL,
) -> LinearFit:
    """`fit` for a table that is open already; `errors` says which standard errors."""
    refuse_options(degree, level, collinear)
    if ridge and not errors.plain:
        raise UsageError("ridge has no standard errors, so there is no covariance to choose", try_="leave one out")
    refuse_table(table)
    terms = quadratic(table.coding) if degree == 2 else None
    names = table.names if terms is None else terms.names
    blocks = TableBlocks(table, terms)
    if table.n < len(names) + 2:
        solution = of_few_rows(table, blocks(), names, ridge, collinear)
        return linear_fit(Origin.of(table), terms, _estimated(solution, errors), level)
    moments = table_moments(table, terms)
    if moments.centred[-1, -1] <= 0:
        raise constant_target(table, moments.n, float(moments.mean[-1]))
    if ridge:
        return linear_fit(Origin.of(table), terms, solve_ridge(moments, ridge, names), level)
    optional = [j >= table.p for j in range(len(names))]
    readings = "as many as it takes" if table.cheap else "few"
    solution, *_ = least_squares(moments, names, blocks, collinear=collinear, optional=optional, readings=readings)
    _estimated(solution, errors)
    return linear_fit(Origin.of(table), terms, solution, level, errors.covariance(solution, table, terms))


def _estimated(solution: Solution, errors: Sandwich) -> Solution:
    """The solution, if it has what a covariance other than the classical one is of."""
    if solution.root is None and not errors.plain:
        raise UsageError(
            "coefficients of least norm have no standard errors, so there is no covariance to choose",
            try_="leave --covariance and --cluster out, or let columns be left out: --collinear drop",
        )
    return solution
