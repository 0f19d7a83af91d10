"""Classes of the table and of the network: as many, and which is which."""

from __future__ import annotations

from unbend.data import Table
from unbend.errors import DataError
from unbend.network import Network
from unbend.pairing.head import Head

MOST = 12
"""So many classes are named in a sentence."""


def refuse_head(network: Network, table: Table, end: Head) -> None:
    """Raise DataError if the network cannot predict the table's target."""
    if not table.target:
        return
    if table.classes is None and end.kind != "number":
        what = "class scores" if end.classifier else f"{end.size} numbers"
        raise DataError(
            f"{network.name} gives {what} for a row; {table.target} is one number",
            where=f"output {end.output} has {end.size} value{'s' if end.size > 1 else ''}",
            try_="choose the target that the network was trained for: --target NAME",
        )
    wanted = 2 if end.size == 1 else end.size
    if table.classes is not None and wanted != len(table.classes):
        raise DataError(
            f"{network.name} tells {wanted} classes apart; {table.target} has {len(table.classes)}",
            where=f"the classes of {table.target} are {', '.join(table.classes)}",
            try_="choose the target that the network was trained for: --target NAME",
        )


def class_order(network: Network, table: Table) -> tuple[int, ...] | None:
    """Where each of the table's classes is among the network's; None where the model does not name these classes."""
    if table.classes is None or network.classes is None:
        return None
    own = [_canonical(name) for name in network.classes]
    wanted = [_canonical(name) for name in table.classes]
    if len(set(own)) < len(own) or set(own) != set(wanted):
        return None
    return tuple(own.index(name) for name in wanted)


def _canonical(name: str) -> str:
    """One spelling for the same class: 1.0 and 1, True and true.

    >>> [_canonical(name) for name in ("1.0", "01", "True", " yes")]
    ['1', '1', 'true', 'yes']
    """
    try:
        value = float(name)
    except ValueError:
        return name.strip().casefold()
    return str(int(value)) if value.is_integer() else str(value)


def class_note(network: Network, table: Table, end: Head) -> str:
    """How classes were matched, where the model does not say it; else empty."""
    if table.classes is None or class_order(network, table) is not None:
        return ""
    listed = ", ".join(table.classes[:MOST]) + (", …" if len(table.classes) > MOST else "")
    why = "does not name its classes" if network.classes is None else f"calls them {', '.join(network.classes[:MOST])}"
    if end.size == 1:
        sides = " and against ".join(reversed(table.classes))
        return f"The model file {why}; its output is taken to speak for {sides}."
    return f"The model file {why}; they are taken to be, in this order, {listed}."
