"""What there is to read of a logistic regression."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unbend.document import Block, Bullets, Cell, Column, Details, Heading, Paragraph, Table, number
from unbend.regression.summary import p_value

if TYPE_CHECKING:
    from unbend.regression.logistic_fit import LogisticFit, Odds


def document(fit: LogisticFit) -> list[Block]:
    """The summary of a logistic regression."""
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
    terms = terms if fit.degree < 3 else f" (powers and products up to degree {fit.degree})"
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
    if np.isnan(one.se) and one.name in fit.solution.axes.dropped:
        return [one.name, "left out", None, None, None, None, None]
    p = "< 1e-300" if one.p < 1e-300 else one.p
    return [one.name, one.estimate, one.se, one.z, p, one.low, one.high]


def _odds(fit: LogisticFit, of: str) -> Table:
    """The factor that one more of each column puts on the odds, with its interval."""
    rows = [one for one in fit.coefficients if one.of == of][fit.intercept :]
    columns = [Column("", "left"), Column("odds ratio"), Column("from"), Column("to")]
    with np.errstate(over="ignore"):
        cells: list[list[Cell]] = [
            [one.name, one.odds_ratio, float(np.exp(one.low)), float(np.exp(one.high))] for one in rows
        ]
    return Table(columns, cells, title=f"Odds ratios of {of} against {fit.classes[0]}, one more of each column")


def _notes(fit: LogisticFit) -> list[str]:
    notes = [*fit.notes, *(f"Left out because it follows from the others: {sentence}." for sentence in fit.dropped)]
    if not fit.intercept:
        notes.append("There is no intercept: where every column is 0, all classes are equally likely.")
    if fit.ridge is not None:
        notes.append(
            f"Ridge strength {number(fit.ridge)} on standardised columns. Standard errors and intervals do not hold "
            "for shrunken coefficients: none are given."
        )
    notes.append(
        f"Computed by Newton's method on weighted moments in {fit.steps} steps. Condition number "
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
