"""`open_table`: from any data and the name of a target to a table that is ready for a regression.

What can be a feature is decided by the column's kind first, then by what the survey finds in it. A column that is left
out must not cost rows: if one of those had missing values, the rows are surveyed once more without it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from shlex import quote
from typing import Any

from unbend.data.coding import Coding, Term, terms_of
from unbend.data.columns import Kind, in_natural_order, kind_of
from unbend.data.naming import column_name, column_names, nearest
from unbend.data.source import Source, supposed, with_types
from unbend.data.survey import LEVELS, Gather, NumberTally, Survey, survey
from unbend.data.table import Gathered, Table, no_complete_rows, rows_note
from unbend.errors import DataError, UsageError

CLASSES = 20
"""A text target with more levels than this is not taken for a class."""
SAVED_INDEX = r"\s*|__index_level_\d+__"
"""What pandas calls the row numbers that it saves with a frame, in CSV and in Parquet."""
AS_WRITTEN = "Numbers are read as they are written, to 32 digits, not rounded to binary ones first."


@dataclass(frozen=True)
class _Plan:
    """Which columns are read, and as what."""

    source: Source
    target: str
    as_class: bool
    order: str | None
    kinds: dict[str, Kind]

    @property
    def numbers(self) -> list[str]:
        """The columns that are read as numbers: features, then the target."""
        names = [name for name, kind in self.kinds.items() if kind != "text"]
        return [*names, self.target] if self.target and not self.as_class else names

    @property
    def texts(self) -> list[str]:
        """The columns that are read as text."""
        names = [name for name, kind in self.kinds.items() if kind == "text"]
        return [*names, self.target] if self.as_class else names

    def survey(self, gather: Gather | None) -> Survey:
        return survey(self.source, numbers=self.numbers, texts=self.texts, order=self.order, gather=gather)

    def without(self, columns: Sequence[str]) -> _Plan:
        kinds: dict[str, Kind] = {name: kind for name, kind in self.kinds.items() if name not in columns}
        return _Plan(self.source, self.target, self.as_class, self.order, kinds)


def open_table(
    data: Any,
    target: str | None,
    *,
    exclude: Sequence[str] = (),
    order: str | None = None,
    classes: bool | None = None,
    decimals: bool = False,
    gather: Gather | None = None,
) -> Table:
    """Survey a source and code its columns.

    Numbers stay; yes/no becomes 0 and 1; text becomes one 0/1 column a level, without the first. Dates, identifiers
    (text with more than 200 levels, or with more than half as many levels as rows), constant and empty columns are
    left out, and `notes` says so. Rows with a missing value are left out and counted.

    Parameters
    ----------
    data : a path, a folder, a glob, a frame or a `Source`
    target : the column to explain, or None if only the features are wanted
    exclude : columns that are not used; one name alone is one of them
    order : the rows come sorted by this column, which is then not a feature
    classes : whether the target is a class; None takes text and yes/no for one
    decimals : numbers are read as they are written, to about 32 digits (`Rows.x_low`), not as the nearest float64
    gather : gets the numbers of the complete rows while they are surveyed, if no column is text; what it made of them
        is `Table.gathered`

    Raises
    ------
    DataError
        If a column is not there, if nothing is left to read, or if a value cannot be used.
    """
    target, order, exclude = column_name(target), column_name(order), column_names(exclude)

    def opened(source: Source) -> Table:
        plan, notes = _plan(source, target, exclude, order, classes)
        table = _table(*_settle(plan, gather), notes)
        return replace(table, decimals=True, notes=(*table.notes, AS_WRITTEN)) if decimals else table

    return with_types(data, opened)


def _plan(
    source: Source, target: str | None, exclude: Sequence[str], order: str | None, classes: bool | None
) -> tuple[_Plan, list[str]]:
    """What to read, by the kinds of the columns alone, and what is left out and why."""
    asked = [("--target", [target]), ("--exclude", exclude), ("--order", [order])]
    refuse_unknown(source, [(option, name) for option, names in asked for name in names if name is not None])
    if target is not None and target in (*exclude, order):
        raise UsageError(f"{target} is the target: it cannot be excluded or be the order as well")
    if order and kind_of(source.schema.field(order).type) == "other":
        raise DataError(f"rows cannot be ordered by {order}: it is {_said('other')}")
    as_class = _is_class(source, target, classes)
    candidates: dict[str, Kind] = {
        field.name: kind_of(field.type) for field in source.schema if field.name not in (target, order, *exclude)
    }
    unusable = {name: why for name, kind in candidates.items() if (why := _why_not_by_kind(name, kind))}
    plan = _Plan(source, target or "", as_class, order, candidates).without(list(unusable))
    return plan, [*getattr(source, "notes", ()), *unusable.values()]


def refuse_unknown(source: Source, asked: Sequence[tuple[str, str]]) -> None:
    """Raise for the first name, of those asked for under an option, that is no column."""
    names = supposed(source).schema.names
    for option, name in asked:
        if name in names:
            continue
        near = nearest(name, names)
        shown = ", ".join(names[:20]) + (f", … ({len(names)} in all)" if len(names) > 20 else "")
        raise DataError(
            f"no column {name!r} in {source.name}",
            where=f"its {len(names)} columns are {shown}",
            try_=_instead(option, name, near, names),
        )


def _instead(option: str, name: str, near: str | None, names: Sequence[str]) -> str:
    """What to ask for instead of a name that is no column."""
    several = [part.strip() for part in name.split(",")]
    if len(several) > 1 and set(several) <= set(names):
        return f"name them one by one: {' '.join(f'{option} {quote(part)}' for part in several)}"
    return f"did you mean {near}? {option} {quote(near)}" if near else f"choose one of them: {option} NAME"


def _is_class(source: Source, target: str | None, classes: bool | None) -> bool:
    if target is None:
        return False
    kind = kind_of(source.schema.field(target).type)
    if kind in ("time", "other"):
        raise DataError(f"the target {target} is neither a number nor a class: it is {_said(kind)}")
    if kind == "text" and classes is False:
        raise _not_numeric(target, "it is text", source.name)
    return bool(classes) if kind in ("number", "empty") else classes is not False


def _said(kind: Kind) -> str:
    return {"time": "a date or a time", "other": "a list, a structure or bytes", "empty": "empty"}.get(kind, kind)


def _not_numeric(target: str, why: str, name: str) -> DataError:
    return DataError(
        f"the target {target} is not numeric: {why}",
        where=f"column {target} of {name}",
        try_="choose a target that is a number, or a class with a few levels",
    )


def _why_not_by_kind(name: str, kind: Kind) -> str | None:
    if re.fullmatch(SAVED_INDEX, name):
        return "A column without a name, as a frame saves its row numbers, is left out."
    if kind == "empty":
        return f"{name} has no value at all and is left out."
    if kind in ("time", "other"):
        return f"{name} is {_said(kind)} and is left out."
    return None


def _settle(plan: _Plan, gather: Gather | None) -> tuple[_Plan, Survey, list[str]]:
    """Survey until no column is left that must not be used."""
    notes: list[str] = []
    while True:
        found = plan.survey(gather)
        unfit = {name: why for name, kind in plan.kinds.items() if (why := _why_not(name, kind, found))}
        notes += unfit.values()
        plan = plan.without(list(unfit))
        if not any(found.missing[name] for name in unfit):
            return plan, found, notes


def _why_not(name: str, kind: Kind, found: Survey) -> str | None:
    if 0 < found.n_read == found.missing[name]:
        return f"{name} has no value at all and is left out."
    if found.n == 0:
        return None
    if kind == "text":
        levels = len(found.texts[name].levels)
        if levels > LEVELS or (levels > 1 and 2 * levels > found.n):
            return f"{name} is text with {_count(levels)} different values, like an identifier, and is left out."
    if found.constant(name) and found.missing[name]:
        return f"{name} has one value only where it is not missing, and is left out."
    return None


def _table(plan: _Plan, found: Survey, unfit: list[str], unusable: list[str]) -> Table:
    notes = [*unusable, *unfit]
    counted: dict[str, int] = getattr(plan.source, "missing", dict)(found.missing)
    if found.n == 0:
        raise no_complete_rows(plan.source.name, plan.target, found.n_read, counted)
    if plan.target and found.n < 2:
        raise DataError(
            f"{plan.source.name} has one complete row; a regression needs more rows than columns",
            where=f"{found.n_read} read",
            try_="give a table with more rows",
        )
    if not plan.kinds:
        raise DataError(
            f"no column of {plan.source.name} can explain anything", where="\n".join(notes), try_="add a numeric column"
        )
    missing = {name: count for name, count in counted.items() if count}
    levels = {name: in_natural_order(found.texts[name].levels) for name, kind in plan.kinds.items() if kind == "text"}
    classes = _classes(plan, found)
    constant = [name for name in plan.kinds if found.constant(name)]
    return Table(
        source=plan.source,
        target=plan.target,
        coding=getattr(plan.source, "coding", Coding)(_treatment(plan, found, levels), levels),
        features=tuple(plan.kinds),
        classes=classes,
        n=found.n,
        n_read=found.n_read,
        missing=missing,
        notes=(*rows_note(found.n, found.n_read, missing), *notes, *_constant_notes(constant), *_level_notes(levels)),
        order=plan.order,
        in_order=found.in_order,
        gathered=_gathered(plan, found),
        zero_or_one=_zero_or_one(found.numbers.get(plan.target)),
    )


def _zero_or_one(target: NumberTally | None) -> bool:
    return target is not None and target.two_valued and (target.low, target.high) == (0.0, 1.0)


def _gathered(plan: _Plan, found: Survey) -> Gathered | None:
    if found.gathered is None or not plan.target:
        return None
    surveyed = list(found.numbers)
    used = [name for name in plan.numbers if name == plan.target or not found.constant(name)]
    return Gathered(found.gathered, tuple(surveyed.index(name) for name in used))


def _treatment(plan: _Plan, found: Survey, levels: dict[str, tuple[str, ...]]) -> tuple[Term, ...]:
    terms: list[Term] = []
    for name in plan.kinds:
        if not found.constant(name):
            two_valued = name in found.numbers and found.numbers[name].two_valued
            terms += terms_of(name, levels[name][1:] if name in levels else None, two_valued)
    return tuple(terms)


def _classes(plan: _Plan, found: Survey) -> tuple[str, ...] | None:
    if not plan.as_class:
        return None
    levels = found.texts[plan.target].levels
    if len(levels) > CLASSES or (len(levels) > 2 and len(levels) > 0.9 * found.n):
        values = f"{_count(len(levels))} different values in {found.n} rows"
        if kind_of(plan.source.schema.field(plan.target).type) == "number":
            raise DataError(
                f"the target {plan.target} has too many different numbers to be a class",
                where=f"column {plan.target} of {plan.source.name}: {values}",
                try_="leave --classes out: it is explained as a number then",
            )
        raise _not_numeric(plan.target, f"it is text with {values}, too many for classes", plan.source.name)
    return in_natural_order(levels)


def _count(levels: int) -> str:
    return f"more than {LEVELS}" if levels > LEVELS else str(levels)


def _constant_notes(columns: list[str]) -> list[str]:
    return [f"{name} is the same in every row, so a regression leaves it out." for name in columns]


def _level_notes(levels: dict[str, tuple[str, ...]]) -> list[str]:
    return [_level_note(name, values) for name, values in levels.items() if len(values) > 1]


def _level_note(name: str, levels: tuple[str, ...]) -> str:
    coded = "a column" if len(levels) == 2 else f"{len(levels) - 1} columns"
    return f"{name} is a category with {len(levels)} levels: {coded} of 0 and 1 against {levels[0]}."
