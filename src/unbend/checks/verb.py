"""`unbend check`: two readings of the rows, the first for the fit, the second for all checks together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from unbend.checks.answer import Checks, by_gravity, summary
from unbend.checks.fitted import Fitted, FittedRows
from unbend.checks.sample import Sample
from unbend.checks.table import Entry, entries
from unbend.checks.verdict import Check
from unbend.data import Table, open_table
from unbend.findings import Finding
from unbend.regression import fit_table


def check(
    data: Any,
    target: str,
    *,
    order: str | None = None,
    level: float = 0.95,
    exclude: Sequence[str] = (),
) -> Checks:
    """The assumptions behind the linear regression of the target on the other columns, one by one.

    Parameters
    ----------
    data : a path, a folder, a glob, a frame or a `Source`
    target : the column to explain, a number
    order : a column that says which row comes after which; without it nothing is said about autocorrelation
    level : of the intervals that the verdicts are about
    exclude : columns that are not used

    Raises
    ------
    DataError
        If the data cannot be read or cannot be regressed.
    UsageError
        If the options do not fit together.
    """
    return check_table(open_table(data, target, exclude=exclude, order=order), level=level)


def check_table(table: Table, *, level: float = 0.95) -> Checks:
    """`check` for a table that is open already; asks about autocorrelation if the table has an order."""
    fit = fit_table(table, level=level, collinear="drop")
    fitted = Fitted.of(fit.solution, table.coding.terms, level)
    sample = Sample(fitted)
    rows = (fitted.rows(block.x, block.y) for block in table.blocks())
    checks = ask(fitted, rows, ordered=table.order is not None, sample=sample)
    return Checks(
        sentence=summary(checks, fitted.n),
        verdict=by_gravity(checks)[0].verdict,
        source=table.source.name,
        target=table.target,
        order=table.order,
        n=fitted.n,
        level=level,
        checks=checks,
        notes=table.notes,
        fit=fit,
        sample=sample,
    )


def ask(
    fitted: Fitted, blocks: Iterable[FittedRows], *, ordered: bool, sample: Sample | None = None
) -> tuple[Check, ...]:
    """The answer of every check in the table, after one pass over the rows for all of them.

    `ordered` says that the rows come in an order that means something. `sample` sees the same pass.
    """
    open_questions = [_refusal(entry, fitted, ordered) or entry.kind(fitted) for entry in entries()]
    seeing = [
        question
        for question, entry in zip(open_questions, entries(), strict=True)
        if entry.needs != "moments" and not isinstance(question, Check)
    ]
    for rows in blocks:
        for watcher in [*seeing, sample]:
            if watcher is not None:
                watcher.see(rows)
    return tuple(question if isinstance(question, Check) else question.verdict() for question in open_questions)


def _refusal(entry: Entry, fitted: Fitted, ordered: bool) -> Check | None:
    """The answer `not asked`, where a check lacks what it needs."""
    if entry.needs == "order" and not ordered:
        return _not_asked(
            entry,
            "The rows are taken to have no order, so this was not asked.",
            "If a column says which row comes after which, name it: --order COLUMN (in Python order=…).",
        )
    if entry.needs != "moments" and fitted.noiseless:
        return _not_asked(
            entry,
            "The columns give the target exactly: there is no noise to ask about.",
            "See whether one of the columns is the target in another form.",
        )
    return None


def _not_asked(entry: Entry, consequence: str, remedy: str) -> Check:
    effect = Finding("not_asked", consequence, "measured on these rows")
    return Check(entry.assumption, entry.kind.test, "not asked", None, None, effect, consequence, remedy)
