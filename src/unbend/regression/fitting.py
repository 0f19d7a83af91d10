"""`unbend fit`: linear or logistic regression of one column on the others, from any data, in one reading or a few."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

from unbend.data import Source, Table, column_names, open_source, open_table
from unbend.errors import DataError, UsageError
from unbend.regression.least_squares import least_squares
from unbend.regression.linear import LinearFit, Origin, linear_fit
from unbend.regression.logistic_fit import LogisticFit, fit_classes
from unbend.regression.moments import Moments
from unbend.regression.ordinary import Collinear
from unbend.regression.quadratic import quadratic
from unbend.regression.reading import design_blocks, table_moments
from unbend.regression.ridge import ridge as solve_ridge
from unbend.regression.sandwich import Kind, Sandwich

CLASSICAL = Sandwich()


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
) -> LinearFit | LogisticFit:
    """Linear regression with an intercept; logistic regression where the target is a class.

    Parameters
    ----------
    data : a path, a folder, a glob, a frame or a `Source`
    target : the column to explain
    degree : 2 adds squares and products
    ridge : strength of a penalty on standardised columns (0 is none), or "gcv" to let the data choose it (not for
        classes)
    level : of the confidence intervals
    collinear : "error", or "drop" to leave out columns that follow from earlier ones
    covariance : of the coefficients: "classical"; "HC0" to "HC3" if the noise may differ from row to row; "HAC" if it
        may also be correlated from row to row
    lags : how many rows apart noise may be correlated, for "HAC"; None chooses by the number of rows
    cluster : one or two columns; the noise may be correlated in any way among rows that agree in one. They are no
        features
    order : for "HAC", the column that the rows are sorted by; it is no feature. None keeps their order
    exclude : columns that are not used
    classes : False refuses a target that is text; True takes numbers for classes

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
    source = open_source(data)
    _refuse_clusters(cluster, target, source)
    table = open_table(source, target, exclude=(*column_names(exclude), *cluster), order=order, classes=classes)
    if table.classes is not None and len(table.classes) > 1:
        return _fit_classes(table, degree, ridge, level, collinear, errors)
    return fit_table(table, degree=degree, ridge=ridge, level=level, collinear=collinear, errors=errors)


def _fit_classes(
    table: Table,
    degree: int,
    ridge: float | Literal["gcv"] | None,
    level: float,
    collinear: Collinear,
    errors: Sandwich,
) -> LogisticFit:
    _refuse_options(degree, level, collinear)
    if not errors.plain:
        raise UsageError(
            f"{table.target} is a class: logistic regression has its standard errors from the likelihood only",
            try_="leave --covariance and --cluster out",
        )
    _refuse_constant_columns(table)
    terms = quadratic(table.coding) if degree == 2 else None
    p = table.p if terms is None else len(terms.names)
    if not ridge and table.n < p + 2:
        raise _too_few_rows(table.n, p, "--ridge 1")
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
    _refuse_options(degree, level, collinear)
    if ridge and not errors.plain:
        raise UsageError("ridge has no standard errors, so there is no covariance to choose", try_="leave one out")
    _refuse_table(table)
    terms = quadratic(table.coding) if degree == 2 else None
    names = table.names if terms is None else terms.names
    moments = table_moments(table, terms)
    if moments.centred[-1, -1] <= 0:
        raise _constant_target(table, moments)
    if ridge is not None and ridge != 0:
        return linear_fit(Origin.of(table), terms, solve_ridge(moments, ridge, names), level)
    if moments.n < len(names) + 2:
        raise _too_few_rows(moments.n, len(names))
    optional = [j >= table.p for j in range(len(names))]
    blocks = partial(design_blocks, table, terms)
    solution = least_squares(moments, names, blocks, collinear=collinear, optional=optional)
    return linear_fit(Origin.of(table), terms, solution, level, errors.covariance(solution, table, terms))


def _refuse_options(degree: int, level: float, collinear: str) -> None:
    if degree not in (1, 2):
        raise UsageError(f"degree {degree} is not offered", try_="choose 1, or 2 with squares and products")
    if not 0 < level < 1:
        raise UsageError(f"the level must be between 0 and 1, not {level}", try_="for 95 % intervals: 0.95")
    if collinear not in ("error", "drop"):
        raise UsageError(f"collinear must be error or drop, not {collinear}")


def _refuse_clusters(cluster: tuple[str, ...], target: str, source: Source) -> None:
    if target in cluster:
        raise UsageError(f"{target} is the target: rows cannot be clustered by it")
    for name in cluster:
        if name not in source.schema.names:
            raise DataError(
                f"no column {name!r} in {source.name}",
                where=f"its columns are {', '.join(source.schema.names[:20])}",
                try_="choose one of them: --cluster NAME",
            )


def _refuse_table(table: Table) -> None:
    if not table.target:
        raise UsageError("no target is named", try_="name the column to explain: --target NAME")
    if table.classes is not None and len(table.classes) > 1:
        raise DataError(
            f"the target {table.target} is a class, which linear regression does not explain",
            where=f"its {len(table.classes)} classes are {', '.join(table.classes)}",
            try_="a class needs logistic regression: unbend fit has it, and unbend compare on its ladder\n"
            "or choose a target that is a number",
        )
    _refuse_constant_columns(table)


def _refuse_constant_columns(table: Table) -> None:
    if table.p == 0:
        raise DataError(
            f"every column of {table.source.name} that could explain {table.target} is the same in every row",
            where=", ".join(table.features),
            try_="add a column that varies",
        )


def _constant_target(table: Table, moments: Moments) -> DataError:
    value = table.classes[0] if table.classes else f"{float(moments.mean[-1]):.6g}"
    return DataError(
        f"the target {table.target} is the same in every row: there is nothing to explain",
        where=f"{moments.n} complete rows, all {value}",
        try_="choose another target",
    )


def _too_few_rows(n: int, p: int, shrink: str = "--ridge auto") -> DataError:
    return DataError(
        f"{n} rows cannot determine {p} columns and an intercept and leave a residual",
        where=f"a regression on {p} columns needs at least {p + 2} complete rows",
        try_=f"shrink the coefficients: {shrink}\nor leave columns out with --exclude, or add rows",
    )
