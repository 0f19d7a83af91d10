"""What a collapse costs in digits, in half precision: both forms of a stretch run with what each op makes rounded.

A program that runs a network in float16 or bfloat16 adds up in float32 and rounds what each op makes. The original
rounds often, the collapsed form rarely, but its weights are rounded where the original's are exact. Which of the two is
nearer to the float64 truth is seen on rows of activations; a stretch that the collapse would take further away stays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from unbend.collapse.certify.reach import Collapsed, Original
from unbend.collapse.certify.settled import is_settled, note, settled
from unbend.collapse.find.stretches import values_of
from unbend.collapse.write.activations import activations
from unbend.collapse.write.rewrite import Plan
from unbend.collapse.write.rounding import is_half
from unbend.document import number
from unbend.network import Network
from unbend.network.evaluate import node_values

ALLOWED = 1.1
"""A collapsed stretch may be this many times as far from the truth: with other inputs the share changes as much."""


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

    def lost(self, plan: Plan) -> str:
        """Why the stretch is better left as it was; empty if it is not, or is not in half precision."""
        if plan not in self.known:
            self.known[plan] = self._lost(plan)
        return self.known[plan]

    def _lost(self, plan: Plan) -> str:
        if not (half := self.half(plan)):
            return ""
        if is_settled(plan, settled(self.network.model)):
            return f"in {half} its collapsed form was further from the float64 truth when unbend wrote the file"
        found = self.rounding(plan)
        if found.ratio <= ALLOWED:
            return ""
        return (
            f"in {half} its collapsed form would be {number(found.ratio, 3)} times as far from the float64 truth as it "
            f"is ({number(100 * found.collapsed, 2)} % of its numbers, now {number(100 * found.original, 2)} %)"
        )

    def note(self, model: ir.Model) -> None:
        """Write into a model made of the network which stretches are kept for their digits."""
        note(model, (one for one, reason in self.known.items() if reason), settled(self.network.model))

    def half(self, plan: Plan) -> str:
        """The type of the stretch if that is half precision, else empty."""
        types = {self.network.types.get(name, np.dtype(np.float32)) for name in plan.stretch.outputs}
        return " and ".join(sorted(str(dtype) for dtype in types if is_half(dtype)))

    def rounding(self, plan: Plan) -> Rounding:
        """The errors of the stretch, each op's result rounded."""
        with np.errstate(all="ignore"):
            sources = self.sources(plan)
            truth = values_of(plan.stretch, sources)
            own = Original(self.network, plan.stretch).executed(sources)
            new = Collapsed(self.network, plan.stretch, plan).executed(sources)
            return Rounding.of([(truth[name], own[name], new[name]) for name in plan.stretch.outputs])

    def sources(self, plan: Plan) -> dict[str, np.ndarray]:
        """Rows of the values that the stretch starts from, on which no weight was rounded."""
        return activations(self.network).judging(self.network, plan.stretch)

    @property
    def inputs(self) -> dict[str, np.ndarray] | None:
        """Rows of the network's inputs on which none was either; None if it is too large to be run whole."""
        return activations(self.network).judged_inputs


def op_by_op(network: Network, rows: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The network's outputs if sums are exact and what each op makes is rounded to its type."""
    values = {name: np.asarray(array, dtype=np.float64) for name, array in rows.items()}
    count = len(next(iter(values.values())))
    keep = {port.name for port in network.outputs}
    last = {name: node for node in network.nodes for name in node.inputs}
    for node in network.nodes:
        for name, array in zip(node.outputs, node_values(network, node, values), strict=False):
            values[name] = array.astype(network.types.get(name, np.dtype(np.float32))).astype(np.float64)
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
