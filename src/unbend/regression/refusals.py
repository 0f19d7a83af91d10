"""What cannot be regressed, and what the user can do about it."""

from __future__ import annotations

from unbend.data import Source, Table
from unbend.data.opening import refuse_unknown
from unbend.errors import DataError, UsageError


def refuse_options(degree: int, level: float, collinear: str) -> None:
    """Raise UsageError for a value that an option has not."""
    if not isinstance(degree, int) or isinstance(degree, bool) or degree < 1:
        raise UsageError(f"the degree must be a whole number from 1, not {degree}")
    refuse_level(level)
    if collinear not in ("error", "drop", "least norm", "least-norm"):
        raise UsageError(f"collinear must be error, drop or least-norm, not {collinear}")


def refuse_level(level: float) -> None:
    """Raise UsageError for a level of intervals that is no share."""
    if not 0 < level < 1:
        raise UsageError(f"the level must be between 0 and 1, not {level}", try_="for 95 % intervals: 0.95")


def named(target: str | None) -> str:
    """A target that there must be."""
    if not target:
        raise UsageError("no target is named", try_="name the column to explain: --target NAME")
    return target


def refuse_clusters(cluster: tuple[str, ...], target: str, source: Source) -> None:
    """Raise if a column to cluster by is the target, or is not there."""
    if target in cluster:
        raise UsageError(f"{target} is the target: rows cannot be clustered by it")
    refuse_unknown(source, [("--cluster", name) for name in cluster])


def refuse_table(table: Table) -> None:
    """Raise if a table has no target, a class for one, or no column that varies."""
    named(table.target)
    if table.classes is not None and len(table.classes) > 1:
        raise DataError(
            f"the target {table.target} is a class, which linear regression does not explain",
            where=f"its {len(table.classes)} classes are {', '.join(table.classes)}",
            try_="a class needs logistic regression: unbend fit has it, and unbend compare on its ladder\n"
            "or choose a target that is a number",
        )
    refuse_constant_columns(table)


def refuse_constant_columns(table: Table) -> None:
    """Raise DataError if no column of a table varies."""
    if table.p == 0:
        raise DataError(
            f"every column of {table.source.name} that could explain {table.target} is the same in every row",
            where=", ".join(table.features),
            try_="add a column that varies",
        )


def constant_target(table: Table, n: int, value: float) -> DataError:
    """The error for a target that is the same in every row."""
    return only_value(table.target, n, table.classes[0] if table.classes else f"{value:.6g}")


def only_value(target: str, n: int, value: str) -> DataError:
    """The same by what the target is called, and its value as it is shown."""
    return DataError(
        f"the target {target} is the same in every row: there is nothing to explain",
        where=f"{n} complete rows, all {value}",
        try_="choose another target",
    )


def too_few_rows(
    n: int, p: int, shrink: str = "--ridge auto", *, intercept: bool = True, least_norm: bool = True
) -> DataError:
    """The error for fewer rows than parameters and a residual."""
    rows, columns = "one row" if n == 1 else f"{n} rows", "one column" if p == 1 else f"{p} columns"
    return DataError(
        f"{rows} cannot determine {columns}{' and an intercept' if intercept else ''} and leave a residual",
        where=f"a regression on {columns} needs at least {p + 1 + intercept} complete rows",
        try_=f"shrink the coefficients: {shrink}\n"
        + "or take the smallest coefficients of those that fit: --collinear least-norm\n" * least_norm
        + "or leave columns out with --exclude, or add rows",
    )
