"""Which column of the table is which input of the network: by name where the model has names, else by position."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from shlex import quote

from unbend.data import Coding, Table, Term
from unbend.errors import DataError
from unbend.network import Network, input_shape
from unbend.pairing.names import Names


@dataclass(frozen=True)
class Features:
    """The coded columns that the network reads, in its order; how they were found, and a sentence that says so."""

    coding: Coding
    how: str
    note: str


def match(network: Network, table: Table) -> Features:
    """Match the table's columns to the network's input; of several possible orders the table's own.

    Raises
    ------
    DataError
        The numbers of columns differ, or a column that the network names is not in the table.
    """
    return candidates(network, table)[0]


def candidates(network: Network, table: Table) -> tuple[Features, ...]:
    """Every order of columns that fits to the network's input, the likeliest first; only the rows can tell them apart.

    Raises
    ------
    DataError
        As `match`.
    """
    wanted = math.prod(input_shape(network))
    if _usable(network.features, wanted):
        found = _by_name(network.features or (), table)
        if found is not None:
            return (found,)
    return _by_position(network, table, wanted)


def _usable(names: tuple[str, ...] | None, wanted: int) -> bool:
    """Whether there is one name for each input, and no name twice."""
    return names is not None and len(names) == wanted == len(set(names))


def _by_name(names: tuple[str, ...], table: Table) -> Features | None:
    """The columns with the model's names; None if the model's names have nothing to do with the table's."""
    known = Names(table.onehot())
    terms = [known.find(name) for name in names]
    missing = [name for name, term in zip(names, terms, strict=True) if term is None]
    if len(missing) == len(names) and not set(names) & set(table.features):
        return None
    if missing:
        raise _lacking(missing, table)
    found = tuple(term for term in terms if term is not None)
    if len(set(found)) < len(found):
        return None
    moved = [term for term in table.onehot().terms if term in found] != list(found)
    order = "; the table has them in another order" if moved else ""
    note = f"Columns are matched to the network's input by name ({len(found)} columns{order})."
    return Features(_coding(table, found), "by name", note + _unread(table, found))


def _lacking(missing: list[str], table: Table) -> DataError:
    uncoded = [name for name in missing if name in table.features]
    if uncoded:
        return DataError(
            f"{uncoded[0]} is text in {table.source.name}, and the network reads it as one number",
            where=f"its levels are {', '.join(table.coding.levels[uncoded[0]][:8])}",
            try_=f"write {uncoded[0]} in the numbers that the network was trained on",
        )
    near = difflib.get_close_matches(missing[0], table.onehot().names, n=1)
    return DataError(
        f"{table.source.name} lacks {len(missing)} of the columns that the network reads: {', '.join(missing[:8])}",
        where=f"its columns besides {table.target or 'the target'} are {', '.join(table.features)}",
        try_=(f"rename a column ({near[0]} to {missing[0]}?)" if near else "rename the columns")
        + ", or give the table that the network was trained on",
    )


def _coding(table: Table, terms: tuple[Term, ...]) -> Coding:
    columns = {term.column for term in terms if term.level is not None}
    return Coding(terms, {name: levels for name, levels in table.onehot().levels.items() if name in columns})


def _by_position(network: Network, table: Table, wanted: int) -> tuple[Features, ...]:
    codings = {
        "all columns": table.onehot(),
        "numbers first, then the categories": _numbers_first(table, table.onehot()),
        "each category without its first level": _first_level_out(table),
        "numbers first, then the categories without their first level": _numbers_first(table, _first_level_out(table)),
        "the number columns": table.numeric(),
    }
    found: dict[tuple[Term, ...], Features] = {}
    for what, coding in codings.items():
        if len(coding.terms) == wanted and coding.terms not in found:
            found[coding.terms] = Features(coding, "by position", _position_note(network, table, coding, what))
    if not found:
        raise _wrong_count(network, table, wanted)
    return tuple(found.values())


def _position_note(network: Network, table: Table, coding: Coding, what: str) -> str:
    shape = input_shape(network)
    note = (
        f"Columns are matched to the network's input by position ({what}: {_listed(coding.names)}), since "
        f"{_no_names(network)}."
    )
    if len(shape) > 2:
        note += f" They are read as a tensor of shape {' × '.join(map(str, shape[1:]))}, row by row."
    return note + _unread(table, coding.terms)


def _no_names(network: Network) -> str:
    names = network.features
    if names is None:
        return "the model file does not name them"
    if not _usable(names, math.prod(input_shape(network))):
        return f"the {len(names)} names in the model file are not one for each of its inputs"
    return f"the names in the model file ({_listed(names, 3)}) are not those of the table"


def _unread(table: Table, terms: tuple[Term, ...]) -> str:
    read = {term.column for term in terms}
    unread = tuple(name for name in table.features if name not in read)
    return f" The network does not read {_listed(unread)}." if unread else ""


def _listed(names: tuple[str, ...], most: int = 6) -> str:
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])}, …, {names[-1]}"


def _numbers_first(table: Table, coding: Coding) -> Coding:
    """The order in which pandas.get_dummies puts columns."""
    numbers = (term for term in coding.terms if term.level is None)
    marks = (term for term in coding.terms if term.level is not None)
    return _coding(table, (*numbers, *marks))


def _first_level_out(table: Table) -> Coding:
    levels = table.onehot().levels
    terms = tuple(t for t in table.onehot().terms if t.level is None or t.level != levels[t.column][0])
    return _coding(table, terms)


def _wrong_count(network: Network, table: Table, wanted: int) -> DataError:
    shape = input_shape(network)
    have = len(table.onehot().terms)
    besides = f" besides {table.target}" if table.target else ""
    if len(shape) > 2:
        return DataError(
            f"{network.name} takes a tensor of {' × '.join(map(str, shape[1:]))}, not a table",
            where=f"that is {wanted:,} numbers a row; {table.source.name} has {have} columns{besides}",
            try_="give a network of tables, or a table with one column for each of the tensor's numbers",
        )
    last = quote(table.features[-1]) if table.features else "NAME"
    target = "" if table.target or have < wanted else f"say which column is no input, such as --target {last}\n"
    more = have - wanted > (0 if table.target else 1)
    leave_out = f"leave out what it was not trained on, such as --exclude {last}\n" if more else ""
    return DataError(
        f"{network.name} takes {wanted} columns; {table.source.name} has {have}{besides}",
        where=f"{'coded ' if table.coding.levels else ''}they are {_listed(table.onehot().names, 10)}",
        try_=f"{target}{leave_out}give the table that the network was trained on",
    )
