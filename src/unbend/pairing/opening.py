"""The table that a network is asked about: with a target that it predicts, or that is only a column and no input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unbend.data import Table, open_source, open_table
from unbend.data.source import supposed
from unbend.errors import DataError
from unbend.network import Network
from unbend.pairing.head import head


def open_for(network: Network, data: Any, target: str | None, *, exclude: Sequence[str] = ()) -> Table:
    """The table for `network`; a target that is not what the network predicts is left out of its columns.

    Raises
    ------
    DataError
        The table cannot be read, or has no column of that name.
    """
    source = open_source(data)
    if target is None or target not in supposed(source).schema.names:
        return open_table(source, target, exclude=exclude)
    try:
        return _with_target(network, open_table(source, target, exclude=exclude, classes=_asks_for_classes(network)))
    except DataError:
        return open_table(source, None, exclude=(*exclude, target))


def open_with_target(
    network: Network,
    data: Any,
    target: str,
    *,
    exclude: Sequence[str] = (),
    order: str | None = None,
    classes: bool | None = None,
) -> Table:
    """The table whose `target` the network predicts: classes where it gives classes, also if they are numbers.

    With an `order` the rows come sorted by that column, which is no input.

    Raises
    ------
    DataError
        The table cannot be read.
    """
    source = open_source(data)
    if classes is None and _asks_for_classes(network):
        try:
            return open_table(source, target, exclude=exclude, order=order, classes=True)
        except DataError:
            pass  # what is wrong is said better below, or when the network is matched
    return open_table(source, target, exclude=exclude, order=order, classes=classes)


def _asks_for_classes(network: Network) -> bool | None:
    """True where the network answers with more than a number, so that a numeric target is one of classes."""
    return None if head(network).kind == "number" else True


def _with_target(network: Network, table: Table) -> Table:
    end = head(network)
    if table.classes is not None and len(table.classes) != max(end.size, 2):
        raise DataError(f"{table.target} is not what {network.name} predicts")
    return table
