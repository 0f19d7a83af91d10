"""The coefficient table of a linear fit for other programs: rows, CSV, Markdown, LaTeX."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from unbend.document import number, render_markdown
from unbend.document.cells import cell_text
from unbend.regression import summary

if TYPE_CHECKING:
    from unbend.regression.linear import LinearFit

FIELDS = {
    "term": "name",
    "estimate": "estimate",
    "std_error": "se",
    "statistic": "t",
    "p_value": "p",
    "conf_low": "low",
    "conf_high": "high",
}
"""The columns of `tidy`, named as R's broom names them, and where each comes from."""


def tidy(fit: LinearFit) -> pa.Table:
    """One row a coefficient; null where there is no inference, and no row for an intercept that there is not."""
    columns = {name: [getattr(row, source) for row in summary.rows_of(fit)] for name, source in FIELDS.items()}
    return pa.table({name: pa.array(values, from_pandas=True) for name, values in columns.items()})


def to_csv(fit: LinearFit) -> str:
    """The rows of `tidy`, with all digits; empty where there is no inference."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(FIELDS)
    writer.writerows(row.values() for row in tidy(fit).to_pylist())
    return file.getvalue()


def to_markdown(fit: LinearFit) -> str:
    """The coefficient table as it is printed."""
    table = summary.table_of(fit)
    return render_markdown([replace(table, limit=len(table.rows))])


def to_latex(fit: LinearFit) -> str:
    """The coefficient table as it is printed, in a `tabular` with the rules of booktabs."""
    table = summary.table_of(fit)
    align = "".join("l" if column.align == "left" else "r" for column in table.columns)
    lines = [_line([column.name for column in table.columns])]
    lines += [
        _line([cell_text(cell, column) for cell, column in zip(row, table.columns, strict=True)]) for row in table.rows
    ]
    head, *body = lines
    foot = rf"\multicolumn{{{len(align)}}}{{l}}{{{latex(_foot(fit))}}} \\"
    parts = [
        rf"\begin{{tabular}}{{{align}}}",
        r"\toprule",
        head,
        r"\midrule",
        *body,
        r"\bottomrule",
        foot,
        r"\end{tabular}",
    ]
    return "\n".join(parts) + "\n"


def _foot(fit: LinearFit) -> str:
    errors = "" if fit.ridge is not None or fit.least_norm else f"; standard errors {fit.standard_errors}"
    return f"{number(fit.n)} rows, R² {number(fit.r2)}{errors}"


def _line(cells: list[str]) -> str:
    return " & ".join(map(latex, cells)) + r" \\"


SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": r"$-$",
    "·": r"$\cdot$",
    "∞": r"$\infty$",
    "–": r"--",
    "\u202f": r"\,",
    "<": r"$<$",
    ">": r"$>$",
    **{sign: f"\\{sign}" for sign in "#$%&_{}"},
}
"""What LaTeX would obey, or has no letter for, and what to write instead."""


RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
"""Powers, which stand in the names of columns."""


def latex(text: str) -> str:
    """Plain text as LaTeX."""
    plain = "".join(SPECIAL.get(sign, sign) for sign in text)
    return re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda run: f"$^{{{run[0].translate(RAISED)}}}$", plain)
