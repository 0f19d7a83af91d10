"""`unbend fit`: linear or logistic regression of one column on the others, from any data, in one reading or a few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from unbend.data import Source, column_names, open_source, open_table
from unbend.data.columns import kind_of
from unbend.data.distributed import connected, on_workers
from unbend.data.naming import column_name
from unbend.data.sources.folder import files_of
from unbend.document import number
from unbend.errors import UsageError
from unbend.output import refuse
from unbend.regression.augment import linear_rows, refuse_rows, write_rows
from unbend.regression.by_formula import of_formula
from unbend.regression.class_rows import class_rows
from unbend.regression.columns import column_moments
from unbend.regression.linear import LinearFit
from unbend.regression.logistic_fit import LogisticFit, fit_classes
from unbend.regression.moments import Moments
from unbend.regression.ordinary import Collinear
from unbend.regression.refusals import named, refuse_clusters
from unbend.regression.sandwich import Kind, Sandwich
from unbend.regression.state import FitState
from unbend.regression.table_fit import fit_table
from unbend.regression.weighting import refuse_weights

WIDE = 2000
"""Cross products of more columns take more than 32 MB: they are formed only if there are rows enough."""


def fit(
    data: Any,
    target: str | None = None,
    *,
    formula: str | None = None,
    degree: int = 1,
    ridge: float | Literal["gcv", "auto"] | None = None,
    level: float = 0.95,
    collinear: Collinear = "error",
    covariance: Kind = "classical",
    lags: int | None = None,
    cluster: str | Sequence[str] = (),
    order: str | None = None,
    exclude: Sequence[str] = (),
    classes: bool | None = None,
    weights: str | None = None,
    intercept: bool = True,
    digits: bool = False,
    save: str | Path | None = None,
    update: str | Path | FitState | None = None,
    rows: str | Path | None = None,
    predict: Any = None,
    force: bool = False,
    scheduler: str | None = None,
) -> LinearFit | LogisticFit:
    """Linear regression; logistic regression where the target is a class.

    Parameters
    ----------
    data : a path, a folder, a glob, a frame, a `Source`; a DataFrame or an Array of Dask, or a dict of Arrays
    target : the column to explain
    formula : instead of a target, such as "y ~ a*b + C(region) + poly(x, 3)"; as formulaic reads it (the extra
        `formula`)
    degree : 2 adds squares and products, more adds all powers and products up to it
    ridge : strength of a penalty on standardised columns (0 is none), or "auto" ("gcv") to let the data choose it (not
        for classes)
    level : of the confidence intervals
    collinear : where columns follow from others or outnumber the rows: "error"; "drop" to leave out those that follow
        from earlier ones; "least norm" for the smallest coefficients of all that fit equally well
    covariance : of the coefficients: "classical"; "HC0" to "HC4" if the noise may differ from row to row; "HAC" if it
        may also be correlated from row to row
    lags : how many rows apart noise may be correlated, for "HAC"; None chooses by the number of rows
    cluster : one or two columns; the noise may be correlated in any way among rows that agree in one. They are no
        features
    order : for "HAC", the column that the rows are sorted by; it is no feature. None keeps their order
    exclude : columns that are not used
    classes : False refuses a target that is text; True takes numbers for classes
    weights : a column that rows are weighted by, as precisions: the variance of the noise is inversely proportional to
        them, and only their ratios matter. Of classes, a row of weight 2 counts as two rows. It is no feature, and rows
        of weight 0 are left out
    intercept : whether there is one; without, R² and F are about 0
    digits : decimals are read as they are written, not as the nearest binary number, and the coefficients are right to
        15 digits whatever the columns (not for classes)
    save : a file that keeps what is needed to go on with more rows, or to merge with others (`FitState`)
    update : a saved fit: these rows come on top of those that it has seen, in its columns, coding and degree
    rows : a file (.csv, .parquet, .arrow) for what the fit says of each row: prediction, intervals, leverage, and where
        the target is there residuals and Cook's distance (`LinearFit.augment`); of classes the likeliest, and the
        probability of each
    predict : other rows that `rows` is for, such as a file without the target; they have no Cook's distance
    force : `save` and `rows` overwrite a file that unbend did not make
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
    if formula is None:
        target = named(target)
    _refuse_rows(rows, predict, save, inputs=_paths(data, predict, update), force=force)
    with connected(scheduler):
        source = read = open_source(data) if scheduler is None else on_workers(data)
        if formula is not None:
            kept = (*cluster, *column_names(order), *column_names(weights))
            refused = {"degree": degree != 1, "exclude": exclude, "save": save, "update": update, "digits": digits}
            source, target, constant = of_formula(source, formula, target, kept=kept, refused=refused)
            intercept = intercept and constant
        target, weights = named(target), column_name(weights)
        refuse_clusters(cluster, target, source)
        if save is not None or update is not None:
            of_classes = _is_class(source, target) if classes is None else classes
            _refuse_what_needs_rows(errors, of_classes, degree <= 2 and not digits)
            if save is not None:
                refuse(Path(save), inputs=_paths(data, predict), force=force)
            options = {"degree": degree, "weights": weights, "intercept": intercept}
            state = _kept(source, target, column_names(exclude), update, **options)
            found = state.fit(ridge=ridge, level=level, collinear=collinear)
            if save is not None:
                state.save(save, force=force)
            return _with_rows(found, rows, read, predict, force)
        refuse_weights(weights, target, source)
        unused = (*column_names(exclude), *cluster, *column_names(weights))
        gather = _narrow_moments if degree == 1 and weights is None and intercept else None
        table = open_table(source, target, exclude=unused, order=order, classes=classes, gather=gather, decimals=digits)
        if table.classes is not None and len(table.classes) > 1:
            _refuse_what_is_linear(table.target, errors, digits)
            logistic = fit_classes(
                table,
                degree=degree,
                ridge=ridge,
                level=level,
                collinear=collinear,
                weights=weights,
                intercept=intercept,
            )
            if rows is not None:
                write_rows(partial(class_rows, logistic), read if predict is None else predict, rows, force=force)
            return logistic
        linear = fit_table(
            table,
            degree=degree,
            ridge=ridge,
            level=level,
            collinear=collinear,
            errors=errors,
            weights=weights,
            intercept=intercept,
        )
        if table.zero_or_one and not digits:
            note = f"{target} is 0 or 1 and is taken for a number; --classes (classes=True) fits a logistic regression."
            linear = replace(linear, notes=(*linear.notes, note))
        return _with_rows(linear, rows, read, predict, force)


def _paths(*places: Any) -> list[Path]:
    """The files at those of the places that are paths."""
    return [file for place in places if isinstance(place, (str, Path)) for file in files_of(place)]


def _refuse_rows(
    rows: str | Path | None, predict: Any, save: str | Path | None, *, inputs: Sequence[Path], force: bool
) -> None:
    """Raise UsageError if rows cannot be written there, or are not to be written anywhere."""
    if rows is not None:
        if save is not None and Path(rows).resolve() == Path(save).resolve():
            raise UsageError(f"the rows and the saved fit cannot both be {rows}", try_="name two files")
        refuse_rows(rows, inputs=inputs, force=force)
    elif predict is not None:
        raise UsageError("the predictions have nowhere to go", try_="name a file for them: --rows FILE")


def _with_rows(fit: LinearFit, rows: str | Path | None, data: Any, other: Any, force: bool) -> LinearFit:
    """The fit, with what it says of each row written, of the data or of others."""
    if rows is None:
        return fit
    source = open_source(data if other is None else other)  # once: an iterator has no second time
    write_rows(partial(linear_rows, fit, fitted=other is None), source, rows, force=force)
    if fit.weights is None or fit.weights.column in source.schema.names:
        return fit
    note = (
        f"{source.name} has no column {fit.weights.column}: the prediction intervals in {rows} are those of rows of "
        f"the mean weight, {number(fit.weights.mean)}."
    )
    return replace(fit, notes=(*fit.notes, note))


def _narrow_moments(columns: Sequence[np.ndarray], first: Moments | None = None) -> Moments | int:
    """The moments of columns while they are surveyed; none of very many, of which there may be more than rows."""
    return column_moments(columns, first) if len(columns) <= WIDE else 0


def _is_class(source: Source, target: str) -> bool:
    """Whether a column holds text or truth values."""
    names = source.schema.names
    return target in names and kind_of(source.schema.field(target).type) in ("text", "boolean")


def _refuse_what_needs_rows(errors: Sandwich, classes: bool, plain: bool) -> None:
    """Raise UsageError for what a fit that keeps sums instead of rows cannot give."""
    if not plain:
        raise UsageError(
            "a saved fit has a degree of 1 or 2, and numbers as float64",
            try_="leave --digits and higher degrees out, or --save and --update",
        )
    if not errors.plain:
        raise UsageError(
            "a saved fit keeps no rows, so its standard errors are classical",
            try_="leave --covariance and --cluster out, or --save and --update",
        )
    if classes:
        raise UsageError("a logistic regression cannot be saved: it needs its rows again", try_="leave --save out")


def _kept(
    source: Source,
    target: str,
    exclude: Sequence[str],
    update: str | Path | FitState | None,
    *,
    degree: int,
    weights: str | None,
    intercept: bool,
) -> FitState:
    """The sums of these rows, on top of those of a saved fit if there is one."""
    if update is None:
        return FitState.of(source, target, degree=degree, exclude=exclude, weights=weights, intercept=intercept)
    before = update if isinstance(update, FitState) else FitState.load(update)
    if target != before.target:
        raise UsageError(f"the saved fit is of {before.target}, not of {target}", try_=f"--target {before.target}")
    if degree not in (1, before.degree):
        raise UsageError(f"the saved fit has degree {before.degree}, which more rows do not change")
    if weights not in (None, before.weights):
        how = "has no weights" if before.weights is None else f"is weighted by {before.weights}"
        raise UsageError(f"the saved fit {how}, which more rows do not change")
    if before.intercept and not intercept:
        raise UsageError("the saved fit has an intercept, which more rows do not change")
    if kept := [name for name in exclude if name in before.features]:
        raise UsageError(f"the saved fit uses {', '.join(kept)}: a column cannot be left out of a part of the rows")
    return before.more(source)


def _refuse_what_is_linear(target: str, errors: Sandwich, digits: bool) -> None:
    """Raise UsageError for what only a linear regression has."""
    if not errors.plain:
        raise UsageError(
            f"{target} is a class: logistic regression has its standard errors from the likelihood only",
            try_="leave --covariance and --cluster out",
        )
    if digits:
        raise UsageError(
            f"{target} is a class: its coefficients have no digits beyond those of float64",
            where="the likelihood, a sum of exponentials, is computed in float64, however decimals are read",
            try_="leave --digits out",
        )
