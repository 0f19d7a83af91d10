"""A fitted linear regression: everything that one wants to know of it, and what `predict` needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from scipy.special import fdtrc

from unbend.data import Coding, Table
from unbend.document import Block
from unbend.regression import summary
from unbend.regression.inference import Coefficient, Prediction, coefficient_table, covariance, df_resid, prediction
from unbend.regression.quadratic import Quadratic
from unbend.regression.solution import Solution
from unbend.result import Result


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


def linear_fit(table: Table, terms: Quadratic | None, solution: Solution, level: float) -> LinearFit:
    """All statistics of a solution."""
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
