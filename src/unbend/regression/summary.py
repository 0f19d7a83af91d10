"""What a reader of a linear fit wants to see, in 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unbend.document import Block, Bullets, Cell, Column, Details, Heading, Paragraph, Table, number

if TYPE_CHECKING:
    from unbend.regression.fit import LinearFit


def document(fit: LinearFit) -> list[Block]:
    """Heading, what it explains, the coefficients, and what was done."""
    return [
        Heading(f"Linear regression of {fit.target}" if fit.ridge is None else f"Ridge regression of {fit.target}", 1),
        Paragraph(_header(fit), grade="measured on these rows"),
        Paragraph(_plain_words(fit), tone="strong"),
        _shrunken(fit) if fit.ridge is not None else _coefficients(fit),
        Bullets(_notes(fit)),
        Details("more numbers", [_statistics(fit)]),
    ]


def _header(fit: LinearFit) -> str:
    terms = "" if fit.degree == 1 else " (with squares and products)"
    text = (
        f"{fit.n} rows of {fit.source}, {fit.p} {'column' if fit.p == 1 else 'columns'}{terms}. "
        f"R² {number(fit.r2)}, adjusted {number(fit.adj_r2)}; residual standard deviation {number(fit.sigma)}"
    )
    if fit.f is None or fit.f_df is None:
        return f"{text} on {number(fit.df_resid)} degrees of freedom."
    k, df = (number(int(value)) for value in fit.f_df)
    return f"{text} on {df} degrees of freedom; F({k}, {df}) = {number(fit.f)}, p {p_value(fit.f_p)}."


def p_value(p: float | None) -> str:
    """A p-value after the letter p, such as "= 0.012" or "< 1e-300"."""
    if p is None or p != p:
        return "= –"
    return "< 1e-300" if p < 1e-300 else f"= {number(p, 2)}"


def _plain_words(fit: LinearFit) -> str:
    explained = f"The columns explain {number(100 * fit.r2, 3)} % of the variance of {fit.target}."
    if fit.ridge is not None:
        return f"{explained} Ridge pulls the coefficients towards 0, so they are not unbiased."
    rows = [row for row in fit.coefficients[1:] if row.t == row.t]
    if not rows or fit.degree != 1:
        return explained
    clearest = max(rows, key=lambda row: abs(row.t))
    return (
        f"{explained} Clearest: one more of {clearest.name}, all else equal, goes with {number(clearest.estimate)} "
        f"of {fit.target} ({number(clearest.low)} to {number(clearest.high)})."
    )


def _coefficients(fit: LinearFit) -> Table:
    percent = number(100 * fit.level, 3)
    columns = [Column("", "left"), Column("estimate"), Column("std. error"), Column("t", digits=3)]
    columns += [Column("p", digits=2), Column(f"{percent} % from"), Column("to")]
    rows: list[list[Cell]] = [
        [row.name, row.estimate, row.se, row.t, "< 1e-300" if row.p < 1e-300 else row.p, row.low, row.high]
        for row in fit.coefficients
    ]
    return Table(columns, rows, title="Coefficients")


def _shrunken(fit: LinearFit) -> Table:
    rows: list[list[Cell]] = [["intercept", fit.intercept]]
    rows += [[name, float(value)] for name, value in zip(fit.names, fit.coef, strict=True)]
    return Table([Column("", "left"), Column("estimate")], rows, title="Coefficients, shrunken")


def _notes(fit: LinearFit) -> list[str]:
    notes = [*fit.notes, *(f"Left out because it follows from the others: {sentence}." for sentence in fit.dropped)]
    if fit.ridge is not None:
        notes.append(
            f"Ridge strength {number(fit.ridge)} on standardised columns: {number(fit.effective_df)} effective "
            "parameters. Classical standard errors and intervals do not hold for shrunken coefficients: none are given."
        )
    notes.append(
        f"Computed by {fit.method}; condition number {number(fit.condition, 2)}, "
        f"so the coefficients are right to {fit.digits} digits or more against rounding."
    )
    return notes


def _statistics(fit: LinearFit) -> Table:
    rows: list[list[Cell]] = [
        ["log-likelihood", fit.log_likelihood],
        ["AIC", fit.aic],
        ["BIC", fit.bic],
        ["residual sum of squares", fit.rss],
        ["total sum of squares", fit.tss],
        ["residual mean square", float(np.square(fit.sigma))],
    ]
    return Table([Column("", "left"), Column("value", digits=6)], rows)
