"""A fitted logistic regression: what `unbend fit` gives for a target of classes, and what there is to read of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from scipy.special import chdtrc, ndtr, ndtri

from unbend.data import Coding, Source, Table
from unbend.data.source import with_types
from unbend.document import Block
from unbend.errors import UsageError
from unbend.regression.class_rows import class_rows, likeliest
from unbend.regression.design import Design, design_moments
from unbend.regression.logistic import LogisticSolution, logistic
from unbend.regression.logistic_summary import document
from unbend.regression.new_rows import of_each_block
from unbend.regression.ordinary import Collinear, without_hyphen
from unbend.regression.polynomial import Polynomial, polynomial
from unbend.regression.refusals import refuse_constant_columns, refuse_options, too_few_rows
from unbend.regression.rows import TableBlocks, kept_if_few
from unbend.regression.weighting import weighting
from unbend.result import Result

COUNTING = ": one of weight 2 counts as two rows, in standard errors too"
"""What weights of rows of classes are."""


@dataclass(frozen=True)
class Odds:
    """One coefficient: the log-odds of `of` against the first class that one more of the column adds.

    `z` is the estimate over its standard error, `p` two-sided, `low` and `high` the interval, `odds_ratio` the factor
    on the odds. NaN where there is no inference (a penalty, or a column that was left out).
    """

    of: str
    name: str
    estimate: float
    se: float
    z: float
    p: float
    low: float
    high: float
    odds_ratio: float


@dataclass(frozen=True, eq=False)
class LogisticFit(Result):
    """A fitted logistic regression.

    Attributes
    ----------
    source, target : what was regressed
    classes : names; the first is the one that the others are compared with
    degree : 1, or up to which powers and products of the columns were taken
    coefficients : for each class but the first the intercept (if there is one), then every column
    n : rows that were used
    weight : how many rows they count as: the sum of their weights
    p : columns
    intercept : whether there is one
    log_likelihood, null_log_likelihood : of the fit, and of one that knows only how frequent the classes are (without
        an intercept: of one to which all are equally frequent)
    pseudo_r2 : McFadden's, 1 less their ratio
    chi2, chi2_df, chi2_p : likelihood ratio test that all coefficients are 0; None with a penalty
    aic, bic : None with a penalty
    condition : condition number of the columns, centred and scaled to one length
    steps : of Newton's method
    dropped : a sentence for each column that was left out because it follows from others
    ridge : strength of the penalty on standardised columns, None without
    level : of the confidence intervals
    notes : what was done to the data
    coding : how the columns are coded from the table
    solution, terms : what `predict` needs
    """

    verb: ClassVar[str] = "fit"

    source: str
    target: str
    classes: tuple[str, ...]
    degree: int
    coefficients: tuple[Odds, ...]
    n: int
    weight: float
    p: int
    intercept: bool
    log_likelihood: float
    null_log_likelihood: float
    pseudo_r2: float
    chi2: float | None
    chi2_df: int | None
    chi2_p: float | None
    aic: float | None
    bic: float | None
    condition: float
    steps: int
    dropped: tuple[str, ...]
    ridge: float | None
    level: float
    notes: tuple[str, ...]
    coding: Coding = field(repr=False, metadata={"json": False})
    solution: LogisticSolution = field(repr=False, metadata={"json": False})
    terms: Polynomial | None = field(repr=False, metadata={"json": False})

    def predict(self, data: Any) -> np.ndarray:
        """Probabilities (n, K) of the classes at the rows of a file or a frame; or at coded rows (n, p).

        They are NaN where a value is missing. Powers and products are added here.

        Raises
        ------
        DataError
            If a column is not there or of another kind, or a category has a level that the fitted rows did not have.
        """
        found = of_each_block(self.coding, data, lambda x, _: self._probabilities(x))
        return np.concatenate([np.empty((0, len(self.classes))), *found])

    def predict_proba(self, data: Any) -> np.ndarray:
        """The same, by the name that scikit-learn has for it."""
        return self.predict(data)

    def predict_class(self, data: Any) -> np.ndarray:
        """The name of the likeliest class at each row (n,), None where a value is missing."""
        return likeliest(self.classes, self.predict(data))

    def augment(self, data: Any) -> pa.Table:
        """One row for each row of a file or a frame: row (from 0), prediction (the likeliest class), and the
        probability of each class; null where a value is missing."""

        def whole(source: Source) -> pa.Table:
            schema, batches = class_rows(self, source)
            return pa.Table.from_batches(list(batches), schema)

        return with_types(data, whole)

    def _probabilities(self, x: np.ndarray) -> np.ndarray:
        found = np.full((len(x), len(self.classes)), np.nan)
        known = np.isfinite(x).all(axis=1)
        found[known] = self.solution.probabilities(x[known] if self.terms is None else self.terms.expand(x[known]))
        return found

    def document(self) -> list[Block]:
        """The summary."""
        return document(self)


def fit_classes(
    table: Table,
    *,
    degree: int = 1,
    ridge: float | Literal["gcv", "auto"] | None = None,
    level: float = 0.95,
    collinear: Collinear = "error",
    weights: str | None = None,
    intercept: bool = True,
) -> LogisticFit:
    """Logistic regression of a table whose target is a class; the options are those of `fit`.

    Raises
    ------
    UsageError
        If an option means nothing, or coefficients of least norm are asked for.
    DataError
        If columns are collinear, or if without a ridge the classes are separated; if every row has weight 0.
    """
    strength = _strength(ridge)
    refuse_options(degree, level, collinear)
    collinear = without_hyphen(collinear)
    _refuse_least_norm(collinear)
    refuse_constant_columns(table)
    terms = polynomial(table.coding, degree) if degree > 1 else None
    rows = kept_if_few(TableBlocks(table, terms, weights))
    design = Design(rows, table.names if terms is None else terms.names, None, intercept)
    if not strength:
        _refuse_few_rows(table.n, design)
    moments = design_moments(table, design, weights, plain=terms is None)
    if not strength:
        _refuse_few_rows(moments.n, design)
    solution = logistic(
        moments,
        design.names,
        design.blocks,
        table.classes or (),
        strength=strength,
        standardise=True,
        intercept=intercept,
        collinear=collinear,
    )
    return _fit(table, terms, weights, solution, level)


def _strength(ridge: float | Literal["gcv", "auto"] | None) -> float:
    strength = 0.0 if ridge is None else ridge
    if isinstance(strength, str) or not 0 <= strength < np.inf:
        raise UsageError(
            f"where the target is a class, the strength of a ridge must be a number from 0, not {ridge}",
            try_="for a weak one on standardised columns: --ridge 1",
        )
    return float(strength)


def _refuse_least_norm(collinear: Collinear) -> None:
    """Raise UsageError for what a likelihood has not: many coefficients that fit equally well, one of them shortest."""
    if collinear == "least norm":
        raise UsageError(
            "where the target is a class, there are no coefficients of least norm",
            try_="a weak ridge is near to them: --ridge 0.01\nor leave columns out: --collinear drop",
        )


def _refuse_few_rows(n: int, design: Design) -> None:
    p = len(design.names)
    if n < p + 1 + design.intercept:
        raise too_few_rows(n, p, "--ridge 1", intercept=design.intercept, least_norm=False)


def _fit(
    table: Table, terms: Polynomial | None, weights: str | None, solution: LogisticSolution, level: float
) -> LogisticFit:
    free, intercept = solution.gamma.size, solution.axes.intercept
    df = free - intercept * len(solution.gamma)
    plain = not solution.strength
    chi2 = 2 * (solution.log_likelihood - solution.null)
    classes = table.classes or ()
    return LogisticFit(
        source=table.source.name,
        target=table.target,
        classes=classes,
        degree=1 if terms is None else terms.degree,
        coefficients=_coefficients(solution, classes, level),
        n=solution.n,
        weight=solution.axes.weight,
        p=len(solution.axes.names),
        intercept=intercept,
        log_likelihood=solution.log_likelihood,
        null_log_likelihood=solution.null,
        pseudo_r2=1 - solution.log_likelihood / solution.null,
        chi2=chi2 if plain else None,
        chi2_df=df if plain else None,
        chi2_p=float(chdtrc(df, max(chi2, 0.0))) if plain else None,
        aic=2 * (free - solution.log_likelihood) if plain else None,
        bic=float(np.log(solution.axes.weight)) * free - 2 * solution.log_likelihood if plain else None,
        condition=solution.axes.condition,
        steps=solution.steps,
        dropped=solution.axes.relations,
        ridge=solution.strength or None,
        level=level,
        notes=(*table.notes, *([] if weights is None else [weighting(weights, COUNTING, table.n - solution.n)])),
        coding=table.coding,
        solution=solution,
        terms=terms,
    )


def _coefficients(solution: LogisticSolution, classes: Sequence[str], level: float) -> tuple[Odds, ...]:
    estimates, errors = solution.coefficients, solution.standard_errors
    out = np.isin(("", *solution.axes.names), solution.axes.dropped)
    errors[:, out] = np.nan
    if not solution.axes.intercept:
        errors[:, 0] = np.nan
    z = estimates / errors
    reach = ndtri(0.5 + level / 2) * errors
    with np.errstate(over="ignore"):
        parts = (estimates, errors, z, 2 * ndtr(-np.abs(z)), estimates - reach, estimates + reach, np.exp(estimates))
    names = ("intercept", *solution.axes.names)
    shown = range(0 if solution.axes.intercept else 1, len(names))
    return tuple(
        Odds(of, names[j], *(float(part[k, j]) for part in parts)) for k, of in enumerate(classes[1:]) for j in shown
    )
