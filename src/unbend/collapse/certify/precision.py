"""What a collapse costs in digits, in half precision: both forms of a stretch run with what each op makes rounded.

A program that runs a network in float16 or bfloat16 adds up in float32 and rounds what each op makes. The original
rounds often, the collapsed form rarely, but its weights are rounded where the original's are exact. Which of the two is
nearer to the float64 truth is seen on rows of activations; a stretch that the collapse would take further away stays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import onnx_ir as ir

from unbend.collapse.certify.reach import Collapsed, Original
from unbend.collapse.certify.settled import is_settled, note, settled
from unbend.collapse.find.stretches import values_of
from unbend.collapse.write.activations import activations
from unbend.collapse.write.rewrite import Plan, rewrite
from unbend.collapse.write.rounding import is_half
from unbend.collapse.write.write import Overflow
from unbend.document import number
from unbend.errors import ModelError
from unbend.network import Network, evaluate, lengths_of, network_of, with_lengths
from unbend.network.evaluate import node_values
from unbend.network.local import Unsupported

ALLOWED = 1.02
"""A collapsed stretch, or network, may be this many times as far from the truth: that is chance. Over three draws of
rows the ratio of 36 stretches of `benchmarks/networks` differs by 0.4 % (median deviation), by 1.9 % at most."""


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
        own, new = ([(each[0], each[side] - each[0]) for each in outputs] for side in (1, 2))
        return Rounding(relative(own), relative(new))

    @property
    def ratio(self) -> float:
        """How many times as far from the truth the collapsed form is; 1 where both overflow, or both are exact."""
        if self.collapsed == self.original or not math.isfinite(self.original):
            return 1.0
        return self.collapsed / self.original if self.original > 0 else math.inf


@dataclass(eq=False)
class Digits:
    """What the stretches of one network lose to rounding, each run once."""

    network: Network
    known: dict[Plan, str] = field(default_factory=dict)
    roundings: dict[Plan, Rounding] = field(default_factory=dict)

    def lost(self, plans: Sequence[Plan], beside: Sequence[Plan] = ()) -> dict[Plan, str]:
        """Those plans whose stretches are better left as they were, with the reason; `beside` are written already.

        A stretch that would be further from the truth is in doubt. While the whole network would be too, the worst of
        them stays; where that cannot be run, all do.
        """
        found = {one: reason for one in plans if (reason := self._settled(one))}
        left = [one for one in plans if one not in found]
        while doubts := sorted((one for one in left if self.ratio(one) > ALLOWED), key=self.ratio):
            whole = self.whole([*beside, *left])
            if whole is not None and whole.ratio <= ALLOWED:
                break
            for one in doubts[-1:] if whole is not None else doubts:
                found[one] = self._reason(one)
                left.remove(one)
        self.known |= found
        return found

    def _settled(self, plan: Plan) -> str:
        """The reason of a stretch that was kept when unbend wrote the file; empty for others."""
        if not (half := self.half(plan)) or not is_settled(plan, settled(self.network.model)):
            return ""
        return f"in {half} its collapsed form was further from the float64 truth when unbend wrote the file"

    def _reason(self, plan: Plan) -> str:
        found = self.rounding(plan)
        return (
            f"in {self.half(plan)} its collapsed form would be {number(found.ratio, 3)} times as far from the float64 "
            f"truth as it is ({number(100 * found.collapsed, 2)} % of its numbers, "
            f"now {number(100 * found.original, 2)} %)"
        )

    def ratio(self, plan: Plan) -> float:
        """How many times as far from the truth the stretch would be; 0 where it is not in half precision."""
        found = self.rounding(plan).ratio if self.half(plan) else 0.0
        return math.inf if math.isnan(found) else found

    def note(self, model: ir.Model) -> None:
        """Write into a model made of the network which stretches are kept for their digits."""
        note(model, self.known, settled(self.network.model))

    def half(self, plan: Plan) -> str:
        """The type of the stretch if that is half precision, else empty."""
        types = {self.network.dtype(name) for name in plan.stretch.outputs}
        return " and ".join(sorted(str(dtype) for dtype in types if is_half(dtype)))

    def rounding(self, plan: Plan) -> Rounding:
        """The errors of the stretch, each op's result rounded."""
        if plan not in self.roundings:
            with np.errstate(all="ignore"):
                self.roundings[plan] = self._rounding(plan)
        return self.roundings[plan]

    def _rounding(self, plan: Plan) -> Rounding:
        sources = self.sources(plan)
        truth = values_of(plan.stretch, sources)
        own = Original(self.network, plan.stretch).executed(sources)
        new = Collapsed(self.network, plan.stretch, plan).executed(sources)
        return Rounding.of([(truth[name], own[name], new[name]) for name in plan.stretch.outputs])

    def whole(self, plans: Sequence[Plan]) -> Rounding | None:
        """The errors of the network with these stretches written anew; None where that cannot be run here."""
        if self._own is None:
            return None
        rows, truth, own = self._own
        try:
            with np.errstate(all="ignore"):
                new = op_by_op(self._written(plans), rows)
        except (ModelError, Unsupported, Overflow, KeyError):
            return None
        alike = [name for name in truth if new[name].shape == own[name].shape]
        return Rounding.of([(truth[name], own[name], new[name]) for name in alike])

    def _written(self, plans: Sequence[Plan]) -> Network:
        """The network with these stretches written anew, at the same lengths of its free axes."""
        found = network_of(rewrite(self.network, plans), self.network.name)
        at = with_lengths(found, lengths_of(self.network)) if found.free_axes else found
        if at is None:
            raise ModelError("it cannot have these lengths")
        return at

    @cached_property
    def _own(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]] | None:
        """Rows of the network's inputs on which no weight was rounded, the truth for them, and what it gives."""
        if (rows := activations(self.network).judged_inputs) is None:
            return None
        try:
            with np.errstate(all="ignore"):
                return rows, evaluate(self.network, rows), op_by_op(self.network, rows)
        except (ModelError, Unsupported, KeyError):
            return None

    def sources(self, plan: Plan) -> dict[str, np.ndarray]:
        """Rows of the values that the stretch starts from, on which no weight was rounded."""
        return activations(self.network).judging(self.network, plan.stretch)


def op_by_op(network: Network, rows: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The network's outputs if sums are exact and what each op makes is rounded to its type."""
    values = {name: np.asarray(array, dtype=np.float64) for name, array in rows.items()}
    count = len(next(iter(values.values())))
    keep = {port.name for port in network.outputs}
    last = {name: node for node in network.nodes for name in node.inputs}
    for node in network.nodes:
        for name, array in zip(node.outputs, node_values(network, node, values), strict=False):
            values[name] = array.astype(network.dtype(name)).astype(np.float64)
        for name in node.inputs:
            if last[name] is node and name not in keep:
                values.pop(name, None)
    for name in keep & network.constants.keys():
        values[name] = np.repeat(np.asarray(network.constants[name], dtype=np.float64)[None], count, axis=0)
    return {name: values[name] for name in keep if name in values}


def relative(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """The root mean square of errors relative to that of their numbers, of pairs of both; over all pairs alike."""
    return _size(np.array([_size(error) / (_size(numbers) or 1.0) for numbers, error in pairs]))


def _size(array: np.ndarray) -> float:
    """The root mean square."""
    return float(np.sqrt(np.mean(np.square(array)))) if array.size else 0.0
