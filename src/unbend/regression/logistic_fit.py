"""A fitted logistic regression: what `unbend fit` gives for a target of classes, and what there is to read of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, Literal

import numpy as np
from scipy.special import chdtrc, ndtr, ndtri

from unbend.data import Coding
from unbend.data import Table as Rows
from unbend.document import Block, Bullets, Cell, Column, Details, Heading, Paragraph, Table, number
from unbend.errors import UsageError
from unbend.regression.logistic import LogisticSolution, logistic
from unbend.regression.ordinary import Collinear
from unbend.regression.polynomial import Terms
from unbend.regression.reading import design_blocks, table_moments
from unbend.regression.summary import p_value
from unbend.result import Result


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
    degree : 1, or 2 with squares and products
    coefficients : for each class but the first the intercept, then every column
    n : rows that were used
    p : columns
    log_likelihood, null_log_likelihood : of the fit, and of one that knows only how frequent the classes are
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
    p: int
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
    terms: Terms | None = field(repr=False, metadata={"json": False})

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Probabilities (n, K) of the classes at coded rows x (squares and products are added here)."""
        return self.solution.probabilities(x if self.terms is None else self.terms.expand(x))

    def document(self) -> list[Block]:
        """The summary."""
        return _document(self)


def fit_classes(
    table: Rows,
    *,
    ridge: float | Literal["gcv"] | None = None,
    level: float = 0.95,
    collinear: Collinear = "error",
    terms: Terms | None = None,
) -> LogisticFit:
    """Logistic regression of a table whose target is a class.

    Raises
    ------
    UsageError
        If the strength of the ridge is not a number.
    DataError
        If columns are collinear, or if without a ridge the classes are separated.
    """
    strength = 0.0 if ridge is None else ridge
    if isinstance(strength, str) or not 0 <= strength < np.inf:
        raise UsageError(
            f"where the target is a class, the strength of a ridge must be a number from 0, not {ridge}",
            try_="for a weak one on standardised columns: --ridge 1",
        )
    classes = table.classes or ()
    solution = logistic(
        table_moments(table, terms),
        table.names if terms is None else terms.names,
        partial(design_blocks, table, terms),
        classes,
        strength=float(strength),
        standardise=True,
        collinear=collinear,
    )
    return _fit(table, classes, terms, solution, level)


def _fit(
    table: Rows, classes: tuple[str, ...], terms: Terms | None, solution: LogisticSolution, level: float
) -> LogisticFit:
    free = solution.gamma.size
    df = free - len(solution.gamma)
    plain = not solution.strength
    chi2 = 2 * (solution.log_likelihood - solution.null)
    return LogisticFit(
        source=table.source.name,
        target=table.target,
        classes=classes,
        degree=1 if terms is None else 2,
        coefficients=_coefficients(solution, classes, level),
        n=solution.n,
        p=len(solution.axes.names),
        log_likelihood=solution.log_likelihood,
        null_log_likelihood=solution.null,
        pseudo_r2=1 - solution.log_likelihood / solution.null,
        chi2=chi2 if plain else None,
        chi2_df=df if plain else None,
        chi2_p=float(chdtrc(df, max(chi2, 0.0))) if plain else None,
        aic=2 * (free - solution.log_likelihood) if plain else None,
        bic=float(np.log(solution.n)) * free - 2 * solution.log_likelihood if plain else None,
        condition=solution.axes.condition,
        steps=solution.steps,
        dropped=solution.axes.relations,
        ridge=solution.strength or None,
        level=level,
        notes=table.notes,
        coding=table.coding,
        solution=solution,
        terms=terms,
    )


def _coefficients(solution: LogisticSolution, classes: Sequence[str], level: float) -> tuple[Odds, ...]:
    estimates, errors = solution.coefficients, solution.standard_errors
    out = np.isin(("", *solution.axes.names), solution.axes.dropped)
    errors[:, out] = np.nan
    z = estimates / errors
    reach = ndtri(0.5 + level / 2) * errors
    with np.errstate(over="ignore"):
        parts = (estimates, errors, z, 2 * ndtr(-np.abs(z)), estimates - reach, estimates + reach, np.exp(estimates))
    names = ("intercept", *solution.axes.names)
    return tuple(
        Odds(of, name, *(float(part[k, j]) for part in parts))
        for k, of in enumerate(classes[1:])
        for j, name in enumerate(names)
    )


def _document(fit: LogisticFit) -> list[Block]:
    title = "Logistic regression of" if fit.ridge is None else "Logistic ridge regression of"
    return [
        Heading(f"{title} {fit.target}", 1),
        Paragraph(_header(fit), grade="measured on these rows"),
        *(_table(fit, of) for of in fit.classes[1:]),
        Bullets(_notes(fit)),
        Details("more numbers", [_statistics(fit), *(_odds(fit, of) for of in fit.classes[1:])]),
    ]


def _header(fit: LogisticFit) -> str:
    terms = "" if fit.degree == 1 else " (with squares and products)"
    text = (
        f"{number(fit.n)} rows of {fit.source}, {fit.p} {'column' if fit.p == 1 else 'columns'}{terms}, classes "
        f"{', '.join(fit.classes)}. Pseudo-R² (McFadden) {number(fit.pseudo_r2)}, log-likelihood "
        f"{number(fit.log_likelihood)}"
    )
    if fit.chi2 is None or fit.chi2_df is None:
        return f"{text}."
    return f"{text}; likelihood ratio χ²({fit.chi2_df}) = {number(fit.chi2)}, p {p_value(fit.chi2_p)}."


def _table(fit: LogisticFit, of: str) -> Table:
    percent = number(100 * fit.level, 3)
    title = f"Log-odds of {of} against {fit.classes[0]}"
    columns = [Column("", "left"), Column("estimate")]
    rows = [one for one in fit.coefficients if one.of == of]
    if fit.ridge is not None:
        return Table(columns, [[one.name, one.estimate] for one in rows], title=title)
    columns += [Column("std. error"), Column("z", digits=3), Column("p", digits=2)]
    columns += [Column(f"{percent} % from"), Column("to")]
    return Table(columns, [_row(fit, one) for one in rows], title=title)


def _row(fit: LogisticFit, one: Odds) -> list[Cell]:
    if one.name in fit.solution.axes.dropped:
        return [one.name, "left out", None, None, None, None, None]
    p = "< 1e-300" if one.p < 1e-300 else one.p
    return [one.name, one.estimate, one.se, one.z, p, one.low, one.high]


def _odds(fit: LogisticFit, of: str) -> Table:
    """The factor that one more of each column puts on the odds, with its interval."""
    rows = [one for one in fit.coefficients if one.of == of and one.name != "intercept"]
    columns = [Column("", "left"), Column("odds ratio"), Column("from"), Column("to")]
    with np.errstate(over="ignore"):
        cells: list[list[Cell]] = [
            [one.name, one.odds_ratio, float(np.exp(one.low)), float(np.exp(one.high))] for one in rows
        ]
    return Table(columns, cells, title=f"Odds ratios of {of} against {fit.classes[0]}, one more of each column")


def _notes(fit: LogisticFit) -> list[str]:
    notes = [*fit.notes, *(f"Left out because it follows from the others: {sentence}." for sentence in fit.dropped)]
    if fit.ridge is not None:
        notes.append(
            f"Ridge strength {number(fit.ridge)} on standardised columns. Standard errors and intervals do not hold "
            "for shrunken coefficients: none are given."
        )
    notes.append(
        f"Computed by Newton's method on weighted moments in {fit.steps} steps, one reading each. Condition number "
        f"{number(fit.condition, 2)}."
    )
    return notes


def _statistics(fit: LogisticFit) -> Table:
    rows: list[list[Cell]] = [
        ["log-likelihood", fit.log_likelihood],
        ["log-likelihood without columns", fit.null_log_likelihood],
        ["AIC", fit.aic],
        ["BIC", fit.bic],
    ]
    return Table([Column("", "left"), Column("value", digits=6)], rows)
