"""Counting what the units of one bend do, row by row, in constant memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from unbend.network import Network, Node
from unbend.network.local import Operand, Reach, Unsupported
from unbend.network.ops import local


@dataclass(frozen=True)
class Bend:
    """One bend on the rows.

    Attributes
    ----------
    name, op_type : of its node
    reach : `region` for a piecewise-linear bend, `point` for one that bends everywhere
    units : how many elements it has
    always_on, always_off, both : how many of them are on the same side in every row, or switch; None for a bend without
        sides. A unit of a pool is on if it always takes the same element, and switches if it does not
    low, high : the smallest and the largest input it saw
    note : why its sides could not be counted, or that it saw values that are no numbers
    """

    name: str
    op_type: str
    reach: Reach
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


class Counter:
    """Counts the rows of one bend, batch by batch."""

    def __init__(self, network: Network, node: Node) -> None:
        self.network, self.node = network, node
        self.variable = [node.inputs[i] for i in network.variable_inputs(node)]
        self.needs = [name for name in (*self.variable, node.outputs[0]) if name != network.input.name]
        self.low, self.high = np.inf, -np.inf
        self.units = 0
        self.note = ""
        self._ever_on: np.ndarray | None = None
        self._ever_off: np.ndarray | None = None
        self._first: np.ndarray | None = None

    def see(self, values: Mapping[str, np.ndarray]) -> None:
        """Count the rows of one batch; `values` has every value that `needs` names and the network's input."""
        given = values[self.variable[0] if self.variable else self.node.outputs[0]]
        self.units = int(np.prod(values[self.node.outputs[0]].shape[1:]))
        self._see_range(given)
        on = self._on(values)
        if on is not None:
            self._ever_on = _either(self._ever_on, np.asarray(on.any(axis=0)))
            self._ever_off = _either(self._ever_off, np.asarray((~on).any(axis=0)))

    def _see_range(self, given: np.ndarray) -> None:
        seen = given[np.isfinite(given)]
        if seen.size < given.size:
            self.note = "some of its inputs are not finite numbers on these rows"
        if seen.size:
            self.low, self.high = min(self.low, float(seen.min())), max(self.high, float(seen.max()))

    def _on(self, values: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """Which units are on (rows, *shape), None for a bend without sides."""
        try:
            first, *others = local(self.node, [self._operand(name, values) for name in self.node.inputs])
        except Unsupported as reason:
            self.note = str(reason)
            return None
        if first.active is not None or self.node.op_type != "MaxPool":
            return first.active
        return self._as_in_the_first_row(others[0].value)

    def _operand(self, name: str, values: Mapping[str, np.ndarray]) -> Operand | None:
        """An input of the node; its shape is that of its values, which the file need not know."""
        if name not in self.variable:
            return self.network.operand(name) if name else None
        return Operand(name, values[name].shape[1:], value=values[name].astype(np.float64))

    def _as_in_the_first_row(self, places: np.ndarray | None) -> np.ndarray | None:
        """Whether a pool takes the element that it takes in the first row of all."""
        if places is None:
            return None
        if self._first is None:
            self._first = places[0]
        return places == self._first

    def bend(self) -> Bend:
        """What was counted."""
        sides: tuple[int | None, ...] = (None, None, None)
        if self._ever_on is not None and self._ever_off is not None:
            on, off = self._ever_on, self._ever_off
            sides = (int((on & ~off).sum()), int((off & ~on).sum()), int((on & off).sum()))
        seen = self.low <= self.high
        return Bend(
            self.node.label,
            self.node.op_type,
            self.network.reach(self.node),
            self.units,
            *sides,
            low=self.low if seen else None,
            high=self.high if seen else None,
            note=self.note,
        )


def _either(so_far: np.ndarray | None, now: np.ndarray) -> np.ndarray:
    return now if so_far is None else np.asarray(so_far | now)
