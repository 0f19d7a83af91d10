"""`bends`: every bend of a network, and whether it does anything on the user's rows.

A unit of a piecewise-linear bend is always on, always off, or both on the rows that were seen; a bend whose units are
all always on is affine on them. That is counted, not proved: other rows may switch a unit that these did not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from unbend.data import Table, open_table
from unbend.document import Block, Column, Heading, Paragraph, number
from unbend.document import Table as Grid
from unbend.network import Network, Node, Runner, input_shape, read
from unbend.network.evaluate import locals_at
from unbend.network.local import Unsupported
from unbend.pairing import Pair, pair
from unbend.pairing.pair import Scale
from unbend.result import Result


@dataclass(frozen=True)
class Bend:
    """One bend on the rows.

    `units` is how many elements it has; `always_on`, `always_off` and `both` count them where it has sides (None for
    a smooth bend). `low` and `high` are the smallest and largest input it saw.
    """

    name: str
    op_type: str
    reach: str
    units: int
    always_on: int | None
    always_off: int | None
    both: int | None
    low: float | None
    high: float | None
    note: str = ""

    @property
    def idle(self) -> bool:
        """Whether it does nothing on these rows: no unit switches."""
        return self.both == 0


@dataclass(frozen=True)
class Bends(Result):
    """Every bend of a network on the rows of a table."""

    verb: ClassVar[str] = "bends"

    name: str
    data: str
    rows: int
    bends: tuple[Bend, ...]
    notes: tuple[str, ...]

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
    table = open_table(data, target, exclude=exclude)
    return count(pair(network, table, scale=scale))


def count(matched: Pair) -> Bends:
    """The same for a network and a table that are matched already."""
    network, table = matched.network, matched.table
    counters = [_Counter(network, node) for node in network.bends]
    names = [name for counter in counters for name in counter.needs]
    runner = Runner(network, names)
    rows = 0
    for values in _values(matched, runner, table):
        rows += len(next(iter(values.values())))
        for counter in counters:
            counter.see(values)
    found = tuple(counter.bend() for counter in counters)
    return Bends(network.name, table.source.name, rows, found, (*table.notes, *matched.notes))


def _values(matched: Pair, runner: Runner, table: Table) -> Iterator[dict[str, np.ndarray]]:
    shape = input_shape(matched.network)
    for rows in table.blocks():
        x = matched.inputs(rows).reshape(len(rows.index), *shape)
        start = 0
        for values in runner.blocks(x):
            size = len(next(iter(values.values())))
            yield values | {matched.network.input.name: x[start : start + size]}
            start += size


class _Counter:
    """Counts what the units of one bend do."""

    def __init__(self, network: Network, node: Node) -> None:
        self.network, self.node = network, node
        self.variable = [node.inputs[i] for i in network.variable_inputs(node)]
        self.needs = [name for name in (*self.variable, node.outputs[0]) if name != network.input.name]
        self.ever_on: np.ndarray | None = None
        self.ever_off: np.ndarray | None = None
        self.low, self.high = np.inf, -np.inf
        self.units = 0
        self.note = ""

    def see(self, values: Mapping[str, np.ndarray]) -> None:
        """Count the rows of one batch."""
        given = values[self.variable[0]] if self.variable else values[self.node.outputs[0]]
        self.low, self.high = min(self.low, float(np.min(given))), max(self.high, float(np.max(given)))
        output = values.get(self.node.outputs[0])
        self.units = int(np.prod(output.shape[1:])) if output is not None else 0
        active = self._active(values)
        if active is not None:
            on, off = active.any(axis=0), (~active).any(axis=0)
            self.ever_on = on if self.ever_on is None else np.asarray(self.ever_on | on)
            self.ever_off = off if self.ever_off is None else np.asarray(self.ever_off | off)

    def _active(self, values: Mapping[str, np.ndarray]) -> np.ndarray | None:
        wide = {name: values[name].astype(np.float64) for name in self.variable}
        try:
            return locals_at(self.network, self.node, wide)[0].active
        except Unsupported as reason:
            self.note = str(reason)
            return None

    def bend(self) -> Bend:
        """What was counted."""
        on, off = self.ever_on, self.ever_off
        sides: tuple[int | None, ...] = (None, None, None)
        if on is not None and off is not None:
            sides = (int((on & ~off).sum()), int((off & ~on).sum()), int((on & off).sum()))
        reach = self.network.reach(self.node)
        seen = self.low <= self.high
        return Bend(
            self.node.label,
            self.node.op_type,
            reach,
            self.units,
            *sides,
            low=self.low if seen else None,
            high=self.high if seen else None,
            note=self.note,
        )


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
        smooth = any(b.both is None for b in found.bends)
        note = "– : the op bends everywhere and has no sides" if smooth else ""
        blocks.append(Grid(columns, rows, note=note))
    blocks += [Paragraph(f"{b.name}: {b.note}", "warning") for b in found.bends if b.note]
    return blocks


def summary(found: Bends) -> str:
    """What the bends do, in a sentence."""
    if not found.bends:
        return "The network has no bend."
    rows = f"On the {number(found.rows)} rows"
    if not found.units:
        return f"{rows} the {len(found.bends)} bends are smooth: each bends everywhere a little, none has an off side."
    idle = [bend for bend in found.bends if bend.idle]
    text = f"{rows} {number(found.switching)} of {number(found.units)} units switch; the others stay on or stay off."
    if idle:
        names = ", ".join(bend.name for bend in idle[:4])
        text += f" {len(idle)} of {len(found.bends)} bends do nothing at all ({names}): there the network is affine."
    return text
