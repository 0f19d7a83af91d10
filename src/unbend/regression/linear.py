"""A fitted linear regression: everything that one wants to know of it, and what `predict` needs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from scipy.special import fdtrc

from unbend.data import Coding, Table
from unbend.document import Block
from unbend.regression import export, summary
from unbend.regression.augment import augment
from unbend.regression.covariance import Covariance, classical
from unbend.regression.inference import Coefficient, Prediction, coefficient_table, prediction
from unbend.regression.influence import Influence, influence
from unbend.regression.new_rows import of_each_block
from unbend.regression.polynomial import Terms
from unbend.regression.refusals import refuse_level
from unbend.regression.solution import Solution
from unbend.regression.weighting import Weights
from unbend.result import Result


@dataclass(frozen=True, eq=False)
class LinearFit(Result):
    """A fitted linear regression.

    Attributes
    ----------
    source, target : what was regressed
    degree : 1, or more with powers and products up to it
    coefficients : the intercept, then every column
    n : rows that were used
    p : columns
    df_resid : n less the parameters used
    r2, adj_r2 : share of the variance explained
    f, f_df, f_p : F test that all coefficients are 0; None for ridge, or with no more clusters than coefficients
    standard_errors : which: "classical", "HC0" to "HC4", "HAC" or "cluster"
    df_t : degrees of freedom of t and of the intervals; clusters less 1 if clustered, else `df_resid`
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
    decimals : whether numbers were read as they are written, so that all digits are wanted
    uncertainty : the same, as predictions need it
    coding : how the columns are coded from the table
    weights : what rows are weighted by, None without
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
    standard_errors: str
    df_t: float
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
    decimals: bool
    uncertainty: Covariance = field(repr=False, metadata={"json": False})
    coding: Coding = field(repr=False, metadata={"json": False})
    weights: Weights | None = field(repr=False, metadata={"json": False})
    solution: Solution = field(repr=False, metadata={"json": False})
    terms: Terms | None = field(repr=False, metadata={"json": False})

    @property
    def least_norm(self) -> bool:
        """Whether the coefficients are the smallest of all that fit equally well, as the columns do not say which."""
        return self.ridge is None and self.solution.root is None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, without the intercept."""
        return self.solution.names

    @property
    def coef(self) -> np.ndarray:
        """(p,) coefficients, 0 where a column was dropped."""
        return self.solution.reported.coef

    @property
    def intercept(self) -> float:
        """The prediction where every column is 0."""
        return self.solution.reported.intercept

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

    @property
    def covariance(self) -> np.ndarray:
        """(1 + p, 1 + p) of the intercept and the coefficients."""
        return self.uncertainty.matrix(self.solution.reported)

    def _column(self, name: str) -> np.ndarray:
        return np.array([getattr(row, name) for row in self.coefficients[1:]])

    def predict(self, data: Any) -> np.ndarray:
        """Predictions (n,) at the rows of a file or a frame, NaN where a value is missing; or at coded rows (n, p).

        Raises
        ------
        DataError
            If a column is not there or of another kind, or a category has a level that the fitted rows did not have.
        """
        found = of_each_block(self.coding, data, lambda x, _: self.solution.predict(self._expanded(x)))
        return np.concatenate([np.empty(0), *found])

    def predict_interval(self, data: Any, level: float | None = None) -> Prediction:
        """The same with confidence and prediction intervals (at the fit's level if None).

        With weights, the noise of a row is that of its own weight, or where that is not there of the mean weight.

        Raises
        ------
        DataError
            As `predict` does.
        UsageError
            If the level is not between 0 and 1.
        """
        level = self.level if level is None else level
        refuse_level(level)
        return Prediction.joined(
            of_each_block(
                self.coding,
                data,
                lambda x, batch: prediction(
                    self.solution, self._expanded(x), level, self.uncertainty, self._shares(batch)
                ),
            )
        )

    def _expanded(self, x: np.ndarray) -> np.ndarray:
        return x if self.terms is None else self.terms.expand(x)

    def _shares(self, batch: pa.RecordBatch | None) -> np.ndarray | None:
        return None if self.weights is None or batch is None else self.weights.shares(batch)

    def influence(self, x: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> Influence:
        """Residuals, leverages and what follows, of the coded rows x (n, p) and targets y (n,) that were fitted."""
        return influence(self.solution, x, y, weights, None if self.terms is None else self.terms.expand)

    def augment(self, data: Any, level: float | None = None) -> pa.Table:
        """One row for each row of a file or a frame, null where a value is missing.

        The columns are row (from 0), prediction, mean_low and mean_high (the confidence interval), low and high (the
        prediction interval), leverage; if the target is there, residual too, and standardised, studentised and cook,
        which are meant for the rows that were fitted. Ridge has prediction and residual only. With weights they are
        those of the row's own weight, in the column that was fitted; without it the prediction interval is that of
        the mean weight, and there is no leverage and what follows from it.

        Checked against: statsmodels `get_prediction` and `get_influence`, 1e-10, on weighted rows too.
        """
        return augment(self, data, level)

    def tidy(self) -> pa.Table:
        """One row a coefficient: term, estimate, std_error, statistic, p_value, conf_low, conf_high."""
        return export.tidy(self)

    def to_csv(self) -> str:
        """The rows of `tidy` as CSV, every number with all its digits."""
        return export.to_csv(self)

    def to_markdown(self) -> str:
        """The coefficient table in Markdown."""
        return export.to_markdown(self)

    def to_latex(self) -> str:
        """The coefficient table in LaTeX (needs the package booktabs)."""
        return export.to_latex(self)

    def document(self) -> list[Block]:
        """The summary."""
        return summary.document(self)


@dataclass(frozen=True)
class Origin:
    """Where a solution comes from, for people: names of source and target, what was done, how columns are coded,
    whether numbers were read as they are written, and what rows are weighted by."""

    source: str
    target: str
    notes: tuple[str, ...]
    coding: Coding
    decimals: bool = False
    weights: Weights | None = None

    @classmethod
    def of(cls, table: Table) -> Origin:
        """A table."""
        return cls(table.source.name, table.target, table.notes, table.coding, table.decimals)

    def with_note(self, note: str) -> Origin:
        """The same with one more sentence on what was done."""
        return replace(self, notes=(*self.notes, note))


def linear_fit(
    origin: Origin,
    terms: Terms | None,
    solution: Solution,
    level: float,
    uncertainty: Covariance | None = None,
) -> LinearFit:
    """All statistics of a solution, under a covariance (classical if None)."""
    n = solution.n
    uncertainty = classical(solution) if uncertainty is None else uncertainty
    df = solution.df_resid
    variance = solution.rss / df if df > 0 else float("nan")
    f, f_df = _f(solution, uncertainty)
    with np.errstate(divide="ignore"):
        log_likelihood = float(solution.shares / 2 - n / 2 * (np.log(2 * np.pi * solution.rss / n) + 1))
        log_likelihood = log_likelihood if df > 0 else float("nan")
    return LinearFit(
        source=origin.source,
        target=origin.target,
        degree=1 if terms is None else terms.degree,
        coefficients=coefficient_table(solution.reported, level, uncertainty),
        n=n,
        p=len(solution.names),
        df_resid=df,
        r2=solution.r2,
        adj_r2=1 - variance / (solution.tss / (n - solution.has_intercept)),
        f=f,
        f_df=f_df,
        f_p=None if f is None or f_df is None else float(fdtrc(*f_df, f)),
        standard_errors=uncertainty.kind,
        df_t=uncertainty.df,
        sigma=float(np.sqrt(variance)),
        rss=solution.rss,
        tss=solution.tss,
        log_likelihood=log_likelihood,
        aic=2 * (solution.effective_df + 1) - 2 * log_likelihood,
        bic=float(np.log(n)) * (solution.effective_df + 1) - 2 * log_likelihood,
        condition=solution.condition,
        digits=solution.reported.digits,
        method=solution.method,
        dropped=solution.relations,
        ridge=solution.strength,
        effective_df=solution.effective_df,
        level=level,
        notes=origin.notes,
        decimals=origin.decimals,
        uncertainty=uncertainty,
        coding=origin.coding,
        weights=origin.weights,
        solution=solution,
        terms=terms,
    )


def _f(solution: Solution, uncertainty: Covariance) -> tuple[float | None, tuple[float, float] | None]:
    """F that all coefficients are 0 and its degrees of freedom; None for ridge or where it cannot be had."""
    k = solution.effective_df - solution.has_intercept
    if solution.strength is not None or solution.df_resid <= 0:
        return None, None
    if uncertainty.kind == "classical":
        with np.errstate(divide="ignore"):
            f = float(np.divide(solution.r2 * solution.tss / k, solution.rss / uncertainty.df))
    else:
        f = uncertainty.f(solution)
    return (None, None) if f is None else (f, (k, uncertainty.df))
