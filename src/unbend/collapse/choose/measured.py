"""Doubts are settled by time: where counting does not say which exact form is faster, the forms are run in turns.

A collapsed stretch that keeps most of its multiplications is in doubt: it was only made of fewer nodes, or of others,
and a runtime may have a faster kernel for what it was. Such a stretch is cut out and timed as it was, as it is planned,
and with its scales left as they were; stretches of one kind share one answer. At the end the whole network is timed.
Whatever is slower than it was, beyond noise and twice in a row, is not written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import onnx_ir as ir

from unbend import progress
from unbend.affine import Diagonal
from unbend.collapse.certify.witness import cut
from unbend.collapse.choose.timing import FEWEST_ROUNDS, Meter, Timing, by_onnxruntime
from unbend.collapse.find.stretches import Stretch
from unbend.collapse.write.probes import MAX_WORK, Group, input_probes, probes, sized
from unbend.collapse.write.rewrite import Plan, rewrite
from unbend.collapse.write.write import Overflow
from unbend.document import number
from unbend.errors import ModelError
from unbend.network import Network, Node

CLEAR = 0.9
"""A stretch that keeps at most this share of its multiplications, and stores no more, is faster without a doubt."""

NOISE = 0.02
"""Two forms whose times differ by less than this are equally fast."""

BUDGET = 3.0
"""Seconds of processor time that timing one collapse may take; half of them are for the whole network."""

FOR_ONE = 0.15
"""Seconds for the stretches of one kind at most."""

WIDENED = "onnxruntime has no bfloat16 on a processor, and would time the network in float32"
"""Why a network in bfloat16 is not timed."""

LARGEST = 1 << 32
"""A network of more multiplications for a row is not timed: it could not be run often enough in the budget …"""

LARGEST_STRETCH = 1 << 28
"""… nor a stretch of more than this in its part of it. The whole network is, in the end."""

Planner = Callable[[Stretch, Collection[Node]], Plan]
"""Plans a stretch with some of its nodes left as they are."""


@dataclass(eq=False)
class Judge:
    """Times forms with a meter, as long as the budget lasts.

    `timings` are those of the stretches that were in doubt; `doubted` is how many kinds of them there were, and
    `untimed` for how many of these the budget was spent, or no run could be made: there counting decides. `why_not`
    says what was in the way last; `others` are the other forms of plans that were asked for.
    """

    network: Network
    planner: Planner
    meter: Meter = by_onnxruntime
    left: float = BUDGET
    timings: dict[Stretch, Timing] = field(default_factory=dict)
    doubted: int = 0
    untimed: int = 0
    why_not: str = ""
    others: dict[Plan, list[Plan]] = field(default_factory=dict)

    def settle(self, plans: Sequence[Plan]) -> list[Plan]:
        """The plans: what measures slower than it was is kept, what is faster in another form takes that."""
        kinds: dict[tuple, list[Plan]] = {}
        for one in plans:
            if in_doubt(one):
                kinds.setdefault(_kind(self.network, one), []).append(one)
        self.doubted = len(kinds)
        settled: dict[Plan, Plan] = {}
        for done, alike in enumerate(kinds.values()):
            progress.at(f"timing stretches in doubt, {done + 1} of {len(kinds)}")
            seconds = min(FOR_ONE, (self.left - BUDGET / 2) / (len(kinds) - done))
            settled |= self._settle_kind(alike, seconds)
        return [settled.get(one, one) for one in plans]

    def _settle_kind(self, alike: Sequence[Plan], seconds: float) -> dict[Plan, Plan]:
        """What becomes of each plan of one kind, judged by the first of them."""
        can_be = seconds > 0 and alike[0].before.macs <= LARGEST_STRETCH
        forms = [alike[0], *(self._other_form(alike[0]) if can_be else ())]
        models = self._pieces(forms) if can_be else None
        feeds = _row(self.network, [value.name or "" for value in models[0].graph.inputs]) if models else {}
        times = self._times(models, feeds, seconds) if models else None
        if models is None or times is None:
            self.untimed += 1
            return {}
        best = fastest(times)
        if best != 1 and ((again := self._times(models, feeds, seconds)) is None or fastest(again) != best):
            best = 1
        timing = Timing.of(times[0], times[best or 1])
        self.timings |= {one.stretch: timing for one in alike}
        if best == 0:
            return {one: replace(one, kept=slower(timing)) for one in alike}
        return {one: other for one in alike for other in self._other_form(one)} if best == 2 else {}

    def _other_form(self, one: Plan) -> list[Plan]:
        """The plan that leaves scales as they are, where it is another one."""
        if one not in self.others:
            scales = _scales(one.stretch)
            other = self.planner(one.stretch, scales) if scales else one
            self.others[one] = [other] if other.collapses and other.after != one.after else []
        return self.others[one]

    def _pieces(self, forms: Sequence[Plan]) -> list[ir.Model] | None:
        """The stretch as it was and in each form, cut out of the network; None where that cannot be done."""
        stretch = forms[0].stretch
        if any(name not in self.network.shapes for name in stretch.read):
            return None
        piece = cut(self.network, self.network.model, stretch.read, stretch.outputs)
        try:
            return [piece, *(rewrite(self.network, [one], piece) for one in forms)]
        except (Overflow, ModelError):
            return None

    def _times(self, models: Sequence[ir.Model], feeds: Group, seconds: float) -> list[np.ndarray] | None:
        """The seconds of each model by round; None where they cannot be run, or not often enough."""
        start = time.thread_time()
        try:
            times = self.meter(models, feeds, seconds)
        except ModelError as error:
            self.why_not = WIDENED if self._in_bfloat16 else error.what
            return None
        finally:
            self.left -= time.thread_time() - start
        if len(times[0]) < FEWEST_ROUNDS:
            self.why_not = f"one run takes {number(float(times[0].max()), 2)} s"
            return None
        return times

    @property
    def _in_bfloat16(self) -> bool:
        return any(dtype.name == "bfloat16" for dtype in self.network.types.values())

    def whole(self, model: ir.Model) -> Timing | None:
        """The network and `model` on one row; None where that cannot be done."""
        progress.at("timing the network before and after")
        try:
            feeds = next(_inputs(one) for one in sized(self.network))
        except (ModelError, StopIteration) as error:
            self.why_not = str(error).partition("\n")[0] or "the size of its input is not known"
            return None
        times = self._times([self.network.model, model], feeds, max(self.left, BUDGET / 4) / 2)
        return None if times is None else Timing.of(*times)

    def finds_slower(self, timing: Timing, model: ir.Model) -> bool:
        """Whether `model` is slower than the network in this timing and in another one."""
        return is_slower(timing) and (again := self.whole(model)) is not None and is_slower(again)


def in_doubt(one: Plan) -> bool:
    """Whether counting alone does not say that the collapsed form is faster."""
    clear = one.after.macs <= CLEAR * one.before.macs and one.after.parameters <= one.before.parameters
    return one.collapses and not clear


def fastest(times: Sequence[np.ndarray]) -> int:
    """Which form to take: number 1, the planned one, unless another is faster beyond noise in three of four rounds."""
    against = [float(np.quantile(each / times[1], 0.75)) for each in times]
    best = int(np.argmin(against))
    return best if against[best] < 1 / (1 + NOISE) else 1


def is_slower(timing: Timing) -> bool:
    """Whether what was made is slower than what was, beyond noise in three of four rounds."""
    return timing.ratio.low > 1 + NOISE


def slower(timing: Timing, what: str = "its collapsed form") -> str:
    """The reason to keep what measures slower, with the figures."""
    ratio = timing.ratio
    between = f"{number(ratio.low, 3)} to {number(ratio.high, 3)}"
    return f"{what} takes {number(ratio.median, 3)} times as long on this machine (middle half {between})"


def _kind(network: Network, one: Plan) -> tuple:
    """What stretches have in common that are timed together."""
    ops = tuple(node.op_type for node in one.stretch.nodes)
    into = tuple(step.name for edge in one.edges for step in edge.steps)
    return ops, into, one.before, one.after, tuple(network.shapes.get(name) for name in one.stretch.sources)


def _scales(stretch: Stretch) -> set[Node]:
    """The nodes of the stretch that only scale its values."""
    pairs = zip(stretch.nodes, stretch.locals, strict=True)
    single = {node: ones[0] for node, ones in pairs if len(ones) == 1 and len(ones[0].maps) == 1}
    return {node for node, one in single.items() if isinstance(next(iter(one.maps.values())), Diagonal)}


def _inputs(network: Network) -> Group:
    """One random row of the inputs, or that of the user's examples."""
    return {
        name: array[-1] for name, array in input_probes(network, MAX_WORK, {})[-1 if network.examples else 0].items()
    }


def _row(network: Network, names: Sequence[str]) -> Group:
    """One random row of each of these values."""
    groups = probes({name: network.shapes[name] for name in names}, network.types, MAX_WORK)
    return {name: array[1] for name, array in groups[0].items()}
