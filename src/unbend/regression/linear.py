"""`unbend fit`: linear regression of one column on the others, from any data, in one reading or two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from scipy.special import fdtrc

from unbend.data import Coding, Table, open_table
from unbend.document import Block
from unbend.errors import DataError, SelfCheckError, UsageError
from unbend.regression import summary
from unbend.regression.inference import Coefficient, Prediction, coefficient_table, covariance, df_resid, prediction
from unbend.regression.moments import Moments
from unbend.regression.ordinary import Collinear, ordinary
from unbend.regression.quadratic import Quadratic, quadratic
from unbend.regression.rank import relations
from unbend.regression.reading import design_blocks, table_moments, table_triangle
from unbend.regression.refine import refined
from unbend.regression.ridge import ridge as solve_ridge
from unbend.regression.solution import Solution
from unbend.regression.triangle import EPS, triangle_of
from unbend.regression.trust import digits_each
from unbend.result import Result

ENOUGH = 12
"""Digits of the coefficients and of the residual variance with which one reading is enough."""
REFINABLE = 1e5
"""Condition number up to which a step of refinement makes up for the squares in moments: 1e5² roundings are 1e-6."""


@dataclass(frozen=True, eq=False)
class LinearFit(Result):
    """A fitted linear regression.

    Attributes
    ----------
    source, target : what was regressed
    degree : 1, or 2 with squares and products
    coefficients : the intercept, then every column
    n : rows that were used
    p : columns
    df_resid : n less the parameters used
    r2, adj_r2 : share of the variance explained
    f, f_df, f_p : F test that all coefficients are 0; None for ridge
    sigma : standard deviation of the residuals
    rss, tss : sums of squares: of the residuals, about the mean
    log_likelihood, aic, bic : normal likelihood; the variance counts as a parameter, as in R
    condition : condition number of the columns, centred and scaled to one length
    digits : decimal digits of the coefficients to be trusted, against rounding
    method : how it was computed
    dropped : a sentence for each column that was left out because it follows from others
    ridge : strength of the penalty on standardised columns, None without
    effective_df : parameters that the fit uses, the intercept included
    level : of the confidence intervals
    notes : what was done to the data
    covariance : (1 + p, 1 + p) of the intercept and the coefficients
    coding : how the columns are coded from the table
    solution, terms : what `predict` needs
    """

    verb: ClassVar[str] = "fit"

    source: str
    target: str
    degree: int
    coefficients: tuple[Coefficient, ...]
    n: int
    p: int
    df_resid: float
    r2: float
    adj_r2: float
    f: float | None
    f_df: tuple[float, float] | None
    f_p: float | None
    sigma: float
    rss: float
    tss: float
    log_likelihood: float
    aic: float
    bic: float
    condition: float
    digits: int
    method: str
    dropped: tuple[str, ...]
    ridge: float | None
    effective_df: float
    level: float
    notes: tuple[str, ...]
    covariance: np.ndarray = field(repr=False, metadata={"json": False})
    coding: Coding = field(repr=False, metadata={"json": False})
    solution: Solution = field(repr=False, metadata={"json": False})
    terms: Quadratic | None = field(repr=False, metadata={"json": False})

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, without the intercept."""
        return self.solution.names

    @property
    def coef(self) -> np.ndarray:
        """(p,) coefficients, 0 where a column was dropped."""
        return self.solution.coef

    @property
    def intercept(self) -> float:
        """The prediction where every column is 0."""
        return self.solution.intercept

    @property
    def se(self) -> np.ndarray:
        """(p,) standard errors."""
        return self._column("se")

    @property
    def t(self) -> np.ndarray:
        """(p,) coefficients over their standard errors."""
        return self._column("t")

    @property
    def p_values(self) -> np.ndarray:
        """(p,) two-sided p-values."""
        return self._column("p")

    @property
    def low(self) -> np.ndarray:
        """(p,) lower ends of the confidence intervals."""
        return self._column("low")

    @property
    def high(self) -> np.ndarray:
        """(p,) upper ends of the confidence intervals."""
        return self._column("high")

    def _column(self, name: str) -> np.ndarray:
        return np.array([getattr(row, name) for row in self.coefficients[1:]])

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predictions (n,) at coded rows x, as `Table.coding` gives them (squares and products are added here)."""
        return self.solution.predict(x if self.terms is None else self.terms.expand(x))

    def predict_interval(self, x: np.ndarray, level: float | None = None) -> Prediction:
        """Predictions at coded rows x with confidence and prediction intervals (at the fit's level if None)."""
        design = x if self.terms is None else self.terms.expand(x)
        return prediction(self.solution, design, self.level if level is None else level)

    def document(self) -> list[Block]:
        """The summary."""
        return summary.document(self)


def fit(
    data: Any,
    target: str,
    *,
    degree: int = 1,
    ridge: float | Literal["gcv"] | None = None,
    level: float = 0.95,
    collinear: Collinear = "error",
    exclude: Sequence[str] = (),
    classes: bool | None = None,
) -> LinearFit:
    """Linear regression with an intercept.

    Parameters
    ----------
    data : a path, a folder, a glob, a frame or a `Source`
    target : the column to explain
    degree : 2 adds squares and products
    ridge : strength of a penalty on standardised columns (0 is none), or "gcv" to let the data choose it
    level : of the confidence intervals
    collinear : "error", or "drop" to leave out columns that follow from earlier ones
    exclude : columns that are not used
    classes : False refuses a target that is text; True takes numbers for classes

    Raises
    ------
    DataError
        If the data cannot be read or cannot be regressed: the target constant or a class, columns collinear, fewer
        rows than columns.
    UsageError
        If the options do not fit together.
    """
    table = open_table(data, target, exclude=exclude, classes=classes)
    return fit_table(table, degree=degree, ridge=ridge, level=level, collinear=collinear)


def fit_table(
    table: Table,
    *,
    degree: int = 1,
    ridge: float | Literal["gcv"] | None = None,
    level: float = 0.95,
    collinear: Collinear = "error",
) -> LinearFit:
    """`fit` for a table that is open already."""
    _refuse_options(degree, level, collinear)
    _refuse_table(table)
    terms = quadratic(table.coding) if degree == 2 else None
    names = table.names if terms is None else terms.names
    moments = table_moments(table, terms)
    if moments.centred[-1, -1] <= 0:
        raise DataError(
            f"the target {table.target} is the same in every row: there is nothing to explain",
            where=f"{moments.n} complete rows, all {float(moments.mean[-1]):.6g}",
            try_="choose another target",
        )
    if ridge is not None and ridge != 0:
        return _report(table, terms, solve_ridge(moments, ridge, names), level)
    if moments.n < len(names) + 2:
        raise _too_few_rows(moments.n, len(names))
    optional = [j >= table.p for j in range(len(names))]
    return _report(table, terms, _ordinary(table, terms, moments, names, collinear, optional), level)


def _ordinary(
    table: Table,
    terms: Quadratic | None,
    moments: Moments,
    names: Sequence[str],
    collinear: Collinear,
    optional: Sequence[bool],
) -> Solution:
    """One reading where moments carry the digits, else a second that refines the solution or factors the rows."""
    triangle = triangle_of(moments)
    solution = None if relations(triangle) else ordinary(triangle, names)
    if solution is None or solution.condition > REFINABLE:
        triangle = table_triangle(table, moments, terms)
        return _checked(ordinary(triangle, names, collinear=collinear, optional=optional))
    if solution.digits >= ENOUGH and EPS * solution.tss <= 10**-ENOUGH * solution.rss:
        return solution
    return refined(solution, moments, design_blocks(table, terms))


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


def _refuse_options(degree: int, level: float, collinear: str) -> None:
    if degree not in (1, 2):
        raise UsageError(f"degree {degree} is not offered", try_="choose 1, or 2 with squares and products")
    if not 0 < level < 1:
        raise UsageError(f"the level must be between 0 and 1, not {level}", try_="for 95 % intervals: 0.95")
    if collinear not in ("error", "drop"):
        raise UsageError(f"collinear must be error or drop, not {collinear}")


def _refuse_table(table: Table) -> None:
    if table.classes is not None and len(table.classes) > 1:
        raise DataError(
            f"the target {table.target} is a class, which linear regression does not explain",
            where=f"its {len(table.classes)} classes are {', '.join(table.classes)}",
            try_="a class needs logistic regression: unbend compare has it on its ladder\n"
            "or choose a target that is a number",
        )
    if table.p == 0:
        raise DataError(
            f"every column of {table.source.name} that could explain {table.target} is the same in every row",
            where=", ".join(table.features),
            try_="add a column that varies",
        )


def _too_few_rows(n: int, p: int) -> DataError:
    return DataError(
        f"{n} rows cannot determine {p} columns and an intercept and leave a residual",
        where=f"a linear regression on {p} columns needs at least {p + 2} complete rows",
        try_="shrink the coefficients: --ridge auto\nor leave columns out with --exclude, or add rows",
    )


def _report(table: Table, terms: Quadratic | None, solution: Solution, level: float) -> LinearFit:
    n, k = solution.n, solution.effective_df - 1
    df = df_resid(solution)
    r2 = 1 - solution.rss / solution.tss
    variance = solution.rss / df
    with np.errstate(divide="ignore"):
        f = None if solution.strength is not None else float(np.divide((solution.tss - solution.rss) / k, variance))
        log_likelihood = float(-n / 2 * (np.log(2 * np.pi * solution.rss / n) + 1))
    return LinearFit(
        source=table.source.name,
        target=table.target,
        degree=1 if terms is None else 2,
        coefficients=coefficient_table(solution, level),
        n=n,
        p=len(solution.names),
        df_resid=df,
        r2=r2,
        adj_r2=1 - variance / (solution.tss / (n - 1)),
        f=f,
        f_df=None if f is None else (k, df),
        f_p=None if f is None else float(fdtrc(k, df, f)),
        sigma=float(np.sqrt(variance)),
        rss=solution.rss,
        tss=solution.tss,
        log_likelihood=log_likelihood,
        aic=2 * (solution.effective_df + 1) - 2 * log_likelihood,
        bic=float(np.log(n)) * (solution.effective_df + 1) - 2 * log_likelihood,
        condition=solution.condition,
        digits=solution.digits,
        method=solution.method,
        dropped=solution.relations,
        ridge=solution.strength,
        effective_df=solution.effective_df,
        level=level,
        notes=table.notes,
        covariance=covariance(solution),
        coding=table.coding,
        solution=solution,
        terms=terms,
    )
