"""What a reader of a linear fit wants to see, in 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unbend.document import Block, Bullets, Cell, Column, Details, Heading, Paragraph, Table, number

if TYPE_CHECKING:
    from unbend.data import Term
    from unbend.regression.inference import Coefficient
    from unbend.regression.linear import LinearFit


def document(fit: LinearFit) -> list[Block]:
    """Heading, what it explains, the coefficients, and what was done."""
    return [
        Heading(f"Linear regression of {fit.target}" if fit.ridge is None else f"Ridge regression of {fit.target}", 1),
        Paragraph(_header(fit), grade="measured on these rows"),
        Paragraph(_plain_words(fit), tone="strong"),
        table_of(fit),
        *([_in_full(fit)] if fit.decimals else []),
        Bullets(_notes(fit)),
        Details(
            "more numbers", [_statistics(fit), *([] if fit.decimals or fit.ridge is not None else [_in_full(fit)])]
        ),
    ]


def _header(fit: LinearFit) -> str:
    terms = "" if fit.degree == 1 else " (with squares and products)"
    terms = terms if fit.degree < 3 else f" (powers and products up to degree {fit.degree})"
    freedom = "degree" if fit.df_resid == 1 else "degrees"
    text = (
        f"{number(fit.n)} rows of {fit.source}, {fit.p} {'column' if fit.p == 1 else 'columns'}{terms}. "
        f"R² {number(fit.r2)}, adjusted {number(fit.adj_r2)}; residual standard deviation {number(fit.sigma)} on "
        f"{number(fit.df_resid)} {freedom} of freedom"
    )
    if fit.f is not None and fit.f_df is not None:
        k, df = (number(int(value)) for value in fit.f_df)
        text += f"; F({k}, {df}) = {number(fit.f)}, p {p_value(fit.f_p)}"
    return f"{text}; AIC {number(fit.aic)}, BIC {number(fit.bic)}." if fit.aic == fit.aic else f"{text}."


def p_value(p: float | None) -> str:
    """A p-value after the letter p, such as "= 0.012" or "< 1e-300"."""
    if p is None or p != p:
        return "= –"
    return "< 1e-300" if p < 1e-300 else f"= {number(p, 2)}"


def _plain_words(fit: LinearFit) -> str:
    explained = f"The columns explain {number(100 * fit.r2, 3)} % of the variance of {fit.target}."
    if fit.ridge is not None:
        return f"{explained} Ridge pulls the coefficients towards 0 to predict better; they are no longer unbiased."
    if fit.df_resid <= 0:
        return f"{fit.n} rows cannot contradict {fit.p} columns: the fit is exact, which says nothing of other rows."
    if fit.degree != 1:
        return explained
    terms = zip(fit.coefficients[1:], fit.coding.terms, fit.coding.apart, strict=False)
    rows = [(row, term) for row, term, apart in terms if apart and row.t == row.t]
    if not rows:
        return explained
    row, term = max(rows, key=lambda pair: abs(pair[0].t))
    if row.low <= 0 <= row.high:
        return (
            explained
            if not all(fit.coding.apart)
            else f"{explained} No column is clear by itself: every interval includes 0."
        )
    return (
        f"{explained} Clearest: {_step(fit, term)}, all else equal, goes with {number(row.estimate)} "
        f"of {fit.target} ({number(row.low)} to {number(row.high)})."
    )


def _step(fit: LinearFit, term: Term) -> str:
    if term.level is None:
        return f"one more of {term.name}"
    return f"{term.column} {term.level} instead of {fit.coding.levels[term.column][0]}"


def table_of(fit: LinearFit) -> Table:
    """The coefficients: with standard errors, t, p and intervals, or for ridge as they are shrunken."""
    return _coefficients(fit) if fit.ridge is None and not fit.least_norm else _shrunken(fit)


def _coefficients(fit: LinearFit) -> Table:
    columns = [*NAMED, Column("std. error", zeros=True), Column("t", digits=3, zeros=True)]
    columns += [Column("p", digits=2, zeros=True), *interval(fit.level)]
    title = {"classical": "Coefficients", "cluster": "Coefficients, with clustered standard errors"}.get(
        fit.standard_errors, f"Coefficients, with {fit.standard_errors} standard errors"
    )
    return Table(columns, [_row(fit, row) for row in rows_of(fit)], title=title)


NAMED = (Column("", "left"), Column("estimate", zeros=True))
"""What every table of coefficients begins with."""


def interval(level: float, kind: str = "") -> tuple[Column, Column]:
    """The columns of the ends of an interval; `kind` says with which standard errors, if there are several."""
    name = f"{number(100 * level, 3)} % from" if not kind else f"{kind} from"
    return Column(name, zeros=True), Column("to", zeros=True)


def rows_of(fit: LinearFit) -> tuple[Coefficient, ...]:
    """The intercept, if there is one, and every column."""
    return fit.coefficients if fit.solution.has_intercept else fit.coefficients[1:]


def _in_full(fit: LinearFit) -> Table:
    """The coefficients with all digits, and how many of them rounding leaves."""
    columns = [Column("", "left"), *(Column(name, digits=15, zeros=True) for name in ("estimate", "std. error"))]
    columns += [Column("digits"), Column("of error")]
    known = [row for row in rows_of(fit) if row is fit.coefficients[0] or row.name not in fit.solution.dropped]
    rows: list[list[Cell]] = [[row.name, row.estimate, row.se, row.digits, row.se_digits] for row in known]
    return Table(columns, rows, title="In full", note="Digits: how many decimal digits rounding leaves.")


def _row(fit: LinearFit, row: Coefficient) -> list[Cell]:
    if row is not fit.coefficients[0] and row.name in fit.solution.dropped:
        return [row.name, "left out", None, None, None, None, None]
    return [row.name, row.estimate, row.se, row.t, "< 1e-300" if row.p < 1e-300 else row.p, row.low, row.high]


def _shrunken(fit: LinearFit) -> Table:
    effects = fit.coef * fit.solution.length / np.sqrt(fit.n)
    rows: list[list[Cell]] = [["intercept", fit.intercept, None]] if fit.solution.has_intercept else []
    rows += [[name, float(b), float(e)] for name, b, e in zip(fit.names, fit.coef, effects, strict=True)]
    columns = [*NAMED, Column("per standard deviation", zeros=True)]
    return Table(
        columns, rows, title="Coefficients, shrunken" if fit.ridge is not None else "Coefficients of least norm"
    )


def _notes(fit: LinearFit) -> list[str]:
    why = "Follows from the others" if fit.least_norm else "Left out because it follows from the others"
    notes = [*fit.notes, *(f"{why}: {sentence}." for sentence in fit.dropped)]
    if fit.least_norm and fit.solution.rank == fit.p:
        notes.append(f"{fit.n} rows determine the coefficients and leave no residual, so they have no standard errors.")
    elif fit.least_norm:
        notes.append(
            f"Infinitely many coefficients fit equally well, as {fit.p} columns have {number(fit.solution.rank)} "
            "directions that these rows determine; of all, these have the least sum of squares, for the columns in "
            "their units. They have no standard errors."
        )
    if fit.ridge is not None:
        notes.append(
            f"Ridge strength {number(fit.ridge)} on standardised columns: {number(fit.effective_df)} effective "
            "parameters. Classical standard errors and intervals do not hold for shrunken coefficients: none are given."
        )
    if not fit.solution.has_intercept:
        notes.append("There is no intercept: R², F and the total sum of squares are about 0, not about the mean.")
    if fit.uncertainty.note:
        notes.append(fit.uncertainty.note)
    of_error = " or of its standard error" if fit.ridge is None and not fit.least_norm else ""
    notes.append(
        f"Computed by {fit.method}. Condition number {number(fit.condition, 2)}: rounding moves no coefficient "
        f"by more than 1e-{fit.digits} of itself{of_error}."
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
