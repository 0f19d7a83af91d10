"""Which column of the table is which input of the network: by name where the model has names, else by position."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass

from unbend.data import Coding, Table
from unbend.data.coding import Term
from unbend.errors import DataError
from unbend.network import Network, input_shape

SEPARATORS = ("=", "_", ".", ":", "__", "[")


@dataclass(frozen=True)
class Features:
    """The coded columns that the network reads, in its order; how they were found, and a sentence that says so."""

    coding: Coding
    how: str
    note: str


def match(network: Network, table: Table) -> tuple[Features, ...]:
    """Every way in which the table's columns may be the network's input, the likeliest first.

    By name there is one; by position there are several where orders of the same number of columns differ.

    Raises
    ------
    DataError
        The numbers of columns differ, or a column that the network names is not in the table.
    """
    wanted = math.prod(input_shape(network))
    if network.features is not None and len(network.features) == wanted:
        found = _by_name(network.features, table)
        if found is not None:
            return (found,)
    return _by_position(network, table, wanted)


def _by_name(names: tuple[str, ...], table: Table) -> Features | None:
    """The columns with the model's names; None if the model's names have nothing to do with the table's."""
    known = _known(table)
    terms = [known.get(name) or known.get(name.casefold()) for name in names]
    missing = [name for name, term in zip(names, terms, strict=True) if term is None]
    if len(missing) == len(names):
        return None
    if missing:
        near = difflib.get_close_matches(missing[0], table.features, n=1)
        raise DataError(
            f"{table.source.name} lacks {len(missing)} of the columns that the network reads: {', '.join(missing[:8])}",
            where=f"its columns besides {table.target or 'the target'} are {', '.join(table.features)}",
            try_=(f"rename a column ({near[0]} to {missing[0]}?)" if near else "rename the columns")
            + ", or give the table that the network was trained on",
        )
    found = tuple(term for term in terms if term is not None)
    moved = [term.name for term in found] != [term.name for term in table.onehot().terms][: len(found)]
    order = "; the table has them in another order" if moved else ""
    note = f"Columns are matched to the network's input by name ({len(found)} columns{order})."
    return Features(_coding(table, found), "by name", note)


def _known(table: Table) -> dict[str, Term]:
    """Every coded column under each name that people give it, such as region=north, region_north."""
    known: dict[str, Term] = {}
    for term in table.onehot().terms:
        names = [term.name]
        if term.level is not None:
            names += [f"{term.column}{mark}{term.level}{']' if mark == '[' else ''}" for mark in SEPARATORS]
        for name in names:
            known.setdefault(name, term)
    return {name.casefold(): term for name, term in known.items()} | known


def _coding(table: Table, terms: tuple[Term, ...]) -> Coding:
    columns = {term.column for term in terms if term.level is not None}
    return Coding(terms, {name: levels for name, levels in table.onehot().levels.items() if name in columns})


def _by_position(network: Network, table: Table, wanted: int) -> tuple[Features, ...]:
    shape = input_shape(network)
    levels = table.onehot().levels
    whole = table.onehot().terms
    without_first = tuple(t for t in whole if t.level is None or t.level != levels[t.column][0])
    orders = {
        "in the table's order": whole,
        "number columns first, then the categories": _numbers_first(whole),
        "in the table's order, each category without its first level": without_first,
        "number columns first, then the categories without their first levels": _numbers_first(without_first),
        "number columns only": table.numeric().terms,
    }
    fitting = {what: terms for what, terms in orders.items() if len(terms) == wanted}
    if not fitting:
        raise _wrong_count(network, table, wanted)
    distinct = {terms: what for what, terms in reversed(fitting.items())}
    return tuple(
        Features(_coding(table, terms), f"by position, {what}", _position_note(table, terms, what, shape))
        for terms, what in reversed(distinct.items())
    )


def _position_note(table: Table, terms: tuple[Term, ...], what: str, shape: tuple[int, ...]) -> str:
    note = (
        f"The model file does not name its columns, so they are matched by position, {what}: "
        f"{_listed(tuple(term.name for term in terms))}."
    )
    unused = [name for name in table.features if name not in {term.column for term in terms}]
    if unused:
        note += f" The network does not read {', '.join(unused)}."
    if len(shape) > 2:
        note += f" They are read as a tensor of shape {' × '.join(map(str, shape[1:]))}, row by row."
    return note


def _listed(names: tuple[str, ...], most: int = 6) -> str:
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])}, …, {names[-1]}"


def _numbers_first(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """As pandas.get_dummies puts them: the number columns, then those of the categories."""
    return (*(t for t in terms if t.level is None), *(t for t in terms if t.level is not None))


def _wrong_count(network: Network, table: Table, wanted: int) -> DataError:
    shape = input_shape(network)
    have = len(table.onehot().terms)
    names = _listed(table.onehot().names, 10)
    besides = f" besides {table.target}" if table.target else ""
    if len(shape) > 2:
        return DataError(
            f"{network.name} takes a tensor of {' × '.join(map(str, shape[1:]))}, not a table",
            where=f"that is {wanted:,} numbers a row; {table.source.name} has {have} columns{besides}",
            try_="give a network of tables, or a table with one column for each of the tensor's numbers",
        )
    return DataError(
        f"{network.name} takes {wanted} columns; {table.source.name} has {have}{besides}",
        where=f"coded they are {names}",
        try_="leave columns out with --exclude NAME, or give the table that the network was trained on",
    )
