"""`bends`: every bend of a network, and whether it does anything on the user's rows.

A unit of a piecewise-linear bend is always on, always off, or both on the rows that were seen; a bend whose units are
all always on is affine on them. That is counted, not proved: other rows may switch a unit that these did not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from unbend.bends.counting import Bend, Counter
from unbend.bends.walk import upstream
from unbend.data import column_names
from unbend.document import Block, Column, Heading, Paragraph, number
from unbend.document import Table as Grid
from unbend.network import Runner, input_shape, read
from unbend.pairing import Pair, Scale, open_for, pair
from unbend.result import Result


@dataclass(frozen=True)
class Bends(Result):
    """Every bend of a network on the rows of a table, up to its scores.

    `until` is the Softmax or Sigmoid that turns the scores into probabilities, "" if there is none; it is no bend to
    ask about, since it changes no order.
    """

    verb: ClassVar[str] = "bends"

    name: str
    data: str
    rows: int
    bends: tuple[Bend, ...]
    notes: tuple[str, ...]
    until: str = ""

    @property
    def units(self) -> int:
        """Units of all bends that have sides."""
        return sum(bend.units for bend in self.bends if bend.both is not None)

    @property
    def switching(self) -> int:
        """Units that are on for some rows and off for others."""
        return sum(bend.both or 0 for bend in self.bends)

    def document(self) -> list[Block]:
        """The answer and a row for each bend."""
        return [Heading(f"Bends of {self.name} on {self.data}", 1), *bend_blocks(self)]


def bends(
    model: Any,
    data: Any,
    *,
    example: Any = None,
    target: str | None = None,
    exclude: Sequence[str] = (),
    scale: Scale = "auto",
) -> Bends:
    """Count for every bend of `model` what its units do on the rows of `data`.

    Parameters
    ----------
    model : anything that `unbend.network.read` reads
    data : a table; its columns are matched to the network's input
    target, exclude : columns that are not inputs of the network
    scale : scaling before the network (see `unbend.pairing.pair`)
    """
    network = read(model, example)
    table = open_for(network, data, target, exclude=column_names(exclude))
    return count(pair(network, table, scale=scale))


def count(matched: Pair) -> Bends:
    """The same for a network and a table that are matched already."""
    network, table = matched.network, matched.table
    bends_ = set(network.bends)
    counters = [Counter(network, node) for node in upstream(network, matched.head.logits) if node in bends_]
    names = [name for counter in counters for name in counter.needs]
    runner = Runner(network, names)
    rows = 0
    for values in _values(matched, runner):
        rows += len(next(iter(values.values())))
        for counter in counters:
            counter.see(values)
    found = tuple(counter.bend() for counter in counters)
    return Bends(network.name, table.source.name, rows, found, (*table.notes, *matched.notes), matched.head.last)


def _values(matched: Pair, runner: Runner) -> Iterator[dict[str, np.ndarray]]:
    shape = input_shape(matched.network)
    for rows in matched.table.blocks():
        x = matched.inputs(rows).reshape(len(rows.index), *shape)
        start = 0
        for values in runner.blocks(x):
            size = len(next(iter(values.values())))
            yield values | {matched.network.input.name: x[start : start + size]}
            start += size


def bend_blocks(found: Bends) -> list[Block]:
    """The answer in a sentence, and the table."""
    blocks: list[Block] = [Paragraph(summary(found), "strong", "measured on these rows" if found.bends else "exact")]
    if found.bends:
        columns = [
            Column("bend", "left"),
            Column("op", "left"),
            Column("units"),
            Column("always on"),
            Column("always off"),
            Column("both"),
            Column("input from", digits=3),
            Column("to", digits=3),
        ]
        rows = [(b.name, b.op_type, b.units, b.always_on, b.always_off, b.both, b.low, b.high) for b in found.bends]
        blocks.append(Grid(columns, rows, note=_table_note(found)))
    blocks += [Paragraph(f"{b.name}: {b.note}.", "warning") for b in found.bends if b.note]
    return blocks


def _table_note(found: Bends) -> str:
    notes = []
    if any(bend.both is None for bend in found.bends):
        notes.append("– : the op has no two sides to count.")
    if any(bend.op_type == "MaxPool" and bend.both is not None for bend in found.bends):
        notes.append("A unit of MaxPool is always on where it takes the same element in every row.")
    return " ".join(notes)


def summary(found: Bends) -> str:
    """What the bends do, in a sentence."""
    if not found.bends:
        return f"The network has no bend before its last {found.until}." if found.until else "The network has no bend."
    rows = f"On the {number(found.rows)} rows"
    without = [bend for bend in found.bends if bend.both is None]
    if len(without) == len(found.bends) == 1:
        return f"{rows} no unit can be said to do nothing: {without[0].name} has no two sides to count."
    if len(without) == len(found.bends):
        return f"{rows} no unit can be said to do nothing: none of the {_bends(len(without))} has two sides to count."
    text = f"{rows} {number(found.switching)} of {number(found.units)} units switch; the others stay on or stay off."
    idle = [bend for bend in found.bends if bend.idle]
    if idle:
        names = ", ".join(bend.name for bend in idle[:4]) + (", …" if len(idle) > 4 else "")
        text += f" {len(idle)} of {_bends(len(found.bends))} do nothing at all ({names}): there the network is affine."
    if without:
        text += f" {_bends(len(without))} more {'has' if len(without) == 1 else 'have'} no two sides to count."
    return text


def _bends(count: int) -> str:
    return "1 bend" if count == 1 else f"{count} bends"
