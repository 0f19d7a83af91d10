"""Rows of what a network's stretches start from: some on which weights are rounded, others on which that is judged.

Rows of the user's examples, or random ones, run through the network in float64. They are kept in the types that the
network holds them in. A network that is too large to be run, or with an op that nobody knows, has none.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from unbend.collapse.find.size import size
from unbend.collapse.find.stretches import Stretch, Stretches, inverse, stretches
from unbend.collapse.write.probes import MAX_NUMBERS, Group, input_probes
from unbend.errors import ModelError
from unbend.network import Network, evaluate
from unbend.network.graph import is_float
from unbend.network.local import Unsupported

ROWS = 256
"""At most so many rows are judged, fewer of a large network."""

FITTED = 4
"""Of a small network so many times as many rows say how weights are rounded."""

FEWEST = 2

MOST_WORK = 1 << 26
"""Rows of more multiplications than this are not judged: each form of a stretch is run several times."""

MAX_WHOLE = 1 << 32
"""A network of more multiplications for a row is not run."""

WORK = 1 << 33
"""Rounding a network's weights takes so many multiplications in a round (about a second): each number stored takes as
many as columns are looked at together."""

NARROWEST = 16
"""Fewer columns than this say little of each other."""

SEED = 0

Rows = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Activations:
    """The rows: `inputs` of the network, and `values` that stretches start from, those to judge on last.

    Both are empty where the network cannot be run. Weights are rounded `width` columns at a time.
    """

    inputs: Rows
    values: Rows
    judged: int
    width: int

    def fitting(self, stretch: Stretch) -> Rows | None:
        """Rows of the stretch's sources to fit, in the units that it reads; None where they overflow or are unknown."""
        if self.width < NARROWEST or any(name not in self.values for name in stretch.sources):
            return None
        rows = {name: _read(self.values[name][: -self.judged], stretch, name) for name in stretch.sources}
        return rows if all(len(array) and np.isfinite(array).all() for array in rows.values()) else None

    def judging(self, network: Network, stretch: Stretch) -> Rows:
        """Other rows of them; random ones where they are not known.

        They are not rounded in the units that the stretch reads: that error belongs to what makes them.
        """
        rows = {name: self.values.get(name, _random(network, name, self.judged)) for name in stretch.sources}
        return {name: _read(array[-self.judged :], stretch, name) for name, array in rows.items()}

    @property
    def judged_inputs(self) -> Rows | None:
        """The inputs of the network on which is judged, in float64; None where there are none."""
        return {name: rows[-self.judged :].astype(np.float64) for name, rows in self.inputs.items()} or None


_KNOWN: WeakKeyDictionary[Network, Activations] = WeakKeyDictionary()
"""What is known of each network that is still there."""


def activations(network: Network) -> Activations:
    """The rows of the network; made once."""
    if network not in _KNOWN:
        _KNOWN[network] = _activations(network, stretches(network))
    return _KNOWN[network]


def _activations(network: Network, found: Stretches) -> Activations:
    names = {name for one in found.stretches for name in one.sources}
    whole = size(network, found)
    macs, width = whole.macs, WORK // max(whole.parameters, 1)
    numbers = sum(math.prod(network.shapes.get(name, ())) for name in names)
    judged = int(np.clip(min(MAX_NUMBERS // max(numbers, 1), MOST_WORK // max(macs, 1)), FEWEST, ROWS))
    inputs = _inputs(network, macs, judged) if macs <= MAX_WHOLE else {}
    if not inputs:
        return Activations({}, {}, judged, width)
    count = len(next(iter(inputs.values())))
    return Activations(inputs, _values(network, inputs, names, judged), min(judged, (count + 1) // 2), width)


def _inputs(network: Network, macs: int, judged: int) -> Rows:
    """The user's rows, or random ones, to fit and to judge; none where nobody knows what the network takes."""
    try:
        groups = input_probes(network, macs, {})
    except ModelError:
        return {}
    fitted = judged * (1 if judged == FEWEST else FITTED)
    return groups[-1] if network.examples else _like(groups[0], fitted + judged)


def _like(some: Group, count: int) -> Rows:
    """So many rows like some: whole numbers again and again, others random, as their type holds them."""
    rng = np.random.default_rng(SEED)
    return {
        name: rng.standard_normal((count, *rows.shape[1:])).astype(rows.dtype)
        if is_float(rows.dtype)
        else rows[np.arange(count) % len(rows)]
        for name, rows in some.items()
    }


def _values(network: Network, inputs: Rows, names: Collection[str], rows: int) -> Rows:
    """The values at some names, a few rows at a time."""
    count = len(next(iter(inputs.values())))
    blocks = [{name: array[i : i + rows] for name, array in inputs.items()} for i in range(0, count, rows)]
    try:
        found = [_typed(network, evaluate(network, block, names)) for block in blocks]
    except (ModelError, Unsupported):
        return {}
    return {name: np.concatenate([block[name] for block in found]) for name in found[0]}


def _random(network: Network, name: str, count: int) -> np.ndarray:
    rows = np.random.default_rng(SEED).standard_normal((count, *network.shapes[name]))
    return _typed(network, {name: rows})[name]


def _typed(network: Network, values: Rows) -> Rows:
    """Rows in the types in which the network holds them."""
    with np.errstate(over="ignore"):
        return {name: x.astype(network.dtype(name)) for name, x in values.items()}


def _read(rows: np.ndarray, stretch: Stretch, name: str) -> np.ndarray:
    """Rows in float64, in the units in which the stretch reads them."""
    rows, turn = rows.astype(np.float64), stretch.inward.get(name)
    return rows if turn is None else inverse(turn).apply(rows)
