"""What a collapse costs in digits, in half precision: both forms of a stretch run with what each op makes rounded.

A program that runs a network in float16 or bfloat16 adds up in float32 and rounds what each op makes. The original
rounds often, the collapsed form rarely, but its weights are rounded where the original's are exact. Which of the two is
nearer to the float64 truth is seen on rows of activations; a stretch that the collapse would take further away stays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from unbend.collapse.probes import MAX_NUMBERS, MAX_WORK
from unbend.collapse.reach import Collapsed, Original
from unbend.collapse.rewrite import Plan
from unbend.collapse.rounding import is_half
from unbend.collapse.stretches import inverse, values_of
from unbend.document import number
from unbend.errors import ModelError
from unbend.network import Network, evaluate, input_shape
from unbend.network.local import Unsupported

ALLOWED = 1.1
"""A collapsed stretch may be this many times as far from the truth: with other inputs the share changes as much."""

ROWS = 64
"""At most so many rows are run, fewer of a large network."""

FEWEST = 2

MAX_WHOLE = 1 << 32
"""Stretches of a network of more multiplications for a row are run on random numbers, not on its own activations."""


@dataclass(frozen=True)
class Rounding:
    """The root mean square errors of a stretch as it was and collapsed, relative to the numbers that it makes.

    Of a stretch with several outputs the root of the mean of their squares.
    """

    original: float
    collapsed: float

    @staticmethod
    def of(outputs: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Rounding:
        """From rows of each output: the truth, as it was, collapsed."""
        sizes = [_size(truth) or 1.0 for truth, _, _ in outputs]
        own = [_size(one - truth) / size for (truth, one, _), size in zip(outputs, sizes, strict=True)]
        new = [_size(one - truth) / size for (truth, _, one), size in zip(outputs, sizes, strict=True)]
        return Rounding(_size(np.array(own)), _size(np.array(new)))

    @property
    def ratio(self) -> float:
        """How many times as far from the truth the collapsed form is; 1 where both overflow, or both are exact."""
        if self.collapsed == self.original or not math.isfinite(self.original):
            return 1.0
        return self.collapsed / self.original if self.original > 0 else math.inf


@dataclass(eq=False)
class Digits:
    """What the stretches of one network lose to rounding, each run once; `plans` are those that are asked about."""

    network: Network
    plans: Sequence[Plan]
    seed: int = 0
    known: dict[Plan, str] = field(default_factory=dict)

    def lost(self, plan: Plan) -> str:
        """Why the stretch is better left as it was; empty if it is not, or is not in half precision."""
        if plan not in self.known:
            self.known[plan] = self._lost(plan)
        return self.known[plan]

    def _lost(self, plan: Plan) -> str:
        if not (half := self._half(plan)):
            return ""
        found = self.rounding(plan)
        if found.ratio <= ALLOWED:
            return ""
        return (
            f"in {half} its collapsed form would be {number(found.ratio, 3)} times as far from the float64 truth as it "
            f"is ({number(100 * found.collapsed, 2)} % of its numbers, now {number(100 * found.original, 2)} %)"
        )

    def _half(self, plan: Plan) -> str:
        """The type of the stretch, if that is half precision."""
        types = {self.network.types.get(name, np.dtype(np.float32)) for name in plan.stretch.outputs}
        return " and ".join(sorted(str(dtype) for dtype in types if is_half(dtype)))

    def rounding(self, plan: Plan) -> Rounding:
        """The errors of the stretch, each op's result rounded."""
        with np.errstate(all="ignore"):
            sources = self._sources(plan)
            truth = values_of(plan.stretch, sources)
            own = Original(self.network, plan.stretch).executed(sources)
            new = Collapsed(self.network, plan.stretch, plan).executed(sources)
            return Rounding.of([(truth[name], own[name], new[name]) for name in plan.stretch.outputs])

    def _sources(self, plan: Plan) -> dict[str, np.ndarray]:
        """Rows of the values that the stretch starts from, as they are in the network, in the units that it reads.

        They are not rounded in those units: that error belongs to what makes them.
        """
        form, found = Original(self.network, plan.stretch), {}
        for name in plan.stretch.sources:
            rows = self._activations[name] if name in self._activations else self._random(name)
            rows, turn = form.cast(rows, name), plan.stretch.inward.get(name)
            found[name] = rows if turn is None else inverse(turn).apply(rows)
        return found

    @cached_property
    def _activations(self) -> dict[str, np.ndarray]:
        """What the stretches start from for random rows of the network's input; nothing where nobody knows that."""
        names = {name for one in self.plans for name in one.stretch.sources}
        if self._macs > MAX_WHOLE:
            return {}
        try:
            x = np.random.default_rng(self.seed).standard_normal((self._rows, *input_shape(self.network)))
            return evaluate(self.network, x, names)
        except (ModelError, Unsupported):
            return {}

    @cached_property
    def _rows(self) -> int:
        """So many rows that they are run in about the time of the certificate's."""
        numbers = sum(math.prod(self.network.shapes[name]) for one in self.plans for name in one.stretch.sources)
        return int(np.clip(min(MAX_NUMBERS // max(numbers, 1), MAX_WORK // max(self._macs, 1)), FEWEST, ROWS))

    @property
    def _macs(self) -> int:
        return sum(one.before.macs for one in self.plans)

    def _random(self, name: str) -> np.ndarray:
        return np.random.default_rng(self.seed).standard_normal((self._rows, *self.network.shapes[name]))


def _size(array: np.ndarray) -> float:
    """The root mean square."""
    return float(np.sqrt(np.mean(np.square(array)))) if array.size else 0.0
