"""What a reader of a collapse in half precision is told: both networks op by op, and what merging a small branch loses.

A LoRA adapter adds little to its layer. Once it is merged, the layer's weights are rounded to their type as before, and
of a change that is smaller than that rounding much is gone; the branch by itself, on the other hand, was added to a
value that was rounded as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from unbend.collapse.certify.precision import Digits, Rounding, relative
from unbend.collapse.certify.reach import Collapsed, Original
from unbend.collapse.find.stretches import Stretch, in_new_units, in_own_units, through, values_of
from unbend.collapse.write.rewrite import Plan

SMALL = 0.3
"""A branch that makes a larger share than this of its sum loses no more by the merge than the rest does."""


@dataclass(frozen=True)
class Branch:
    """A branch that makes a small `share` of a sum, and what of its effect on the stretch's outputs rounding takes.

    `label` is that of its last node; `merged` is what the rounding of the merged weights alone takes, `rounding` what
    running the stretch op by op took and takes: all root mean squares relative to that of the effect.
    """

    label: str
    share: float
    merged: float
    rounding: Rounding


@dataclass(frozen=True)
class Half:
    """How far a network in half precision is from the truth op by op, as it was and collapsed; its smallest branch.

    `rounding` is None where not every op of it can be evaluated here.
    """

    dtype: str
    rounding: Rounding | None
    branch: Branch | None = None


def half(digits: Digits, plans: Sequence[Plan]) -> Half | None:
    """What there is to say; None for a network of which nothing in half precision was rewritten."""
    written = [one for one in plans if digits.half(one)]
    if not written:
        return None
    small = min((one for each in written for one in _small(digits, each)), key=lambda one: one.share, default=None)
    kinds = " and ".join(sorted({digits.half(one) for one in written}))
    return Half(kinds, digits.whole(plans), None if small is None else small.branch(digits))


@dataclass(frozen=True, eq=False)
class _Small:
    """An input of a sum in a stretch that makes a small share of it."""

    plan: Plan
    node: int
    position: int
    share: float

    def branch(self, digits: Digits) -> Branch:
        """What merging takes of its effect."""
        stretch, sources = self.plan.stretch, digits.sources(self.plan)
        with np.errstate(all="ignore"):
            truth = values_of(stretch, sources)
            without = _without(stretch, self.node, self.position, sources)
            own = Original(digits.network, stretch).executed(sources)
            form = Collapsed(digits.network, stretch, self.plan)
            new, weights = form.executed(sources), form.values(sources)
        names = [name for name in stretch.outputs if np.any(truth[name] != without[name])]
        effects = {name: truth[name] - without[name] for name in names}
        each = [[(effects[name], side[name] - truth[name]) for name in names] for side in (own, new, weights)]
        before, after, merged = (relative(pairs) for pairs in each)
        name = stretch.nodes[self.node].inputs[self.position]
        last = next(node for node in stretch.nodes if name in node.outputs)
        return Branch(last.label, self.share, merged, Rounding(before, after))


def _small(digits: Digits, plan: Plan) -> Iterator[_Small]:
    """The inputs of sums in the stretch that make a small share of them."""
    stretch = plan.stretch
    sums = [i for i, node in enumerate(stretch.nodes) if node.op_type in ("Add", "Sum")]
    sums = [i for i in sums if len(stretch.locals[i][0].maps) > 1]
    if not sums:
        return
    with np.errstate(all="ignore"):
        values = values_of(stretch, digits.sources(plan))
    made = {name for node in stretch.nodes for name in node.outputs}
    for i in sums:
        inputs = stretch.nodes[i].inputs
        for position in stretch.locals[i][0].maps:
            share = relative([(values[stretch.nodes[i].outputs[0]], values[inputs[position]])])
            if inputs[position] in made and 0 < share <= SMALL:
                yield _Small(plan, i, position, share)


def _without(stretch: Stretch, at: int, position: int, sources: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs of the stretch with zeros at one input of one node."""
    values = in_own_units(stretch, sources)
    for i, (node, outputs) in enumerate(zip(stretch.nodes, stretch.locals, strict=True)):
        for name, one in zip(node.outputs, outputs, strict=False):
            kept = {p: part for p, part in one.parts.items() if (i, p) != (at, position)}
            values[name] = through(node, replace(one, parts=kept), values)
    return {name: in_new_units(stretch, name, values) for name in stretch.outputs}
