"""The remedy of two checks: the usual intervals beside intervals that do not need the assumption."""

from __future__ import annotations

import numpy as np

from unbend.checks.fitted import Fitted
from unbend.checks.verdict import percent
from unbend.document import Column, Table
from unbend.regression.summary import NAMED, interval

ROWS_SHOWN = 15


def interval_table(fitted: Fitted, errors: np.ndarray, coverage: np.ndarray, name: str) -> Table:
    """Estimate, usual interval, interval with the standard errors `errors`, and what the usual one really covers.

    `errors` and `coverage` are (p+1,), intercept first; `name` heads the remedied columns ("HC3").
    """
    estimate, usual = fitted.coefficients, fitted.standard_errors
    reach = fitted.critical() * np.array([usual, errors])
    numbers = np.column_stack(
        [estimate, estimate - reach[0], estimate + reach[0], estimate - reach[1], estimate + reach[1], 100 * coverage]
    )
    rows = [(label, *map(float, row)) for label, row in zip(fitted.labels, numbers, strict=True)]
    columns = (*NAMED, *interval(fitted.level), *interval(fitted.level, name), Column("covers %", digits=3))
    title = f"{percent(fitted.level)} intervals: the usual ones, {name} ones, and what the usual ones cover"
    return Table(columns, rows, title=title, limit=ROWS_SHOWN)
