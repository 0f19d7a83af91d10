"""Plans for several stretches at once: values between them held in other units, where that makes the whole cheaper.

A value v between stretches may be held as s ∘ v + t, if the bends around it let that through (`scales`, `shifts`). The
stretch that makes it ends in the new units, those that read it start from them, and the algebra does the rest: a scale
that meets its inverse is gone, one that meets a matrix goes into it. A plan for all stretches that a value joins is
taken if it is no dearer by any count than the plans that they had, and cheaper by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from unbend.affine import Affine, Diagonal, Identity
from unbend.collapse.choose.growth import room
from unbend.collapse.choose.scales import Scales, held
from unbend.collapse.choose.sharing import together
from unbend.collapse.find.mixings import Product, in_reach, local_of, multiplications, products
from unbend.collapse.find.shifts import Shift, shifts
from unbend.collapse.find.stretches import Stretch, inverse, shared_constants
from unbend.collapse.reduce.steps import Price
from unbend.collapse.reduce.target import WORTH
from unbend.collapse.write.parts import Part
from unbend.collapse.write.rewrite import Plan, drafted, settled
from unbend.network import Network, Node

ROUNDS = 4
"""How often scales are looked for again after some were moved: one may free the way for another."""

WAYS = 8
"""So many ways to carry one scale through the bends are tried."""


@dataclass(frozen=True, eq=False)
class Turn:
    """Values that are held in other units: what makes each of them so, and what undoes it for those that read it.

    It pays only if it saves that many `nodes`: an Add for a BatchNormalization is cheaper by count, and slower.
    """

    values: Mapping[str, Affine]
    back: Mapping[str, Affine]
    rule: str
    nodes: int = 0


def joint(network: Network, plans: Sequence[Plan], *, allow_growth: bool = False) -> list[Plan]:
    """The plans, some of them joined where that is cheaper; numbers may grow as they may in `growth`."""
    state = _State(network, list(plans), allow_growth)
    for _ in range(ROUNDS):
        state.seen.clear()
        if not any([_together(state), _across(state), _shifted(state), _scaled(state)]):
            break
    return state.plans


@dataclass(eq=False)
class _State:
    """The plans as they stand, the turns that were tried, and what parts became of them: halves of turns share most."""

    network: Network
    plans: list[Plan]
    allow_growth: bool = False
    tried: set[tuple] = field(default_factory=set)
    seen: list[Part] = field(default_factory=list)

    def take(self, turns: Sequence[Turn]) -> bool:
        """Make some turns together if that pays; if it does not, halves of them."""
        if not turns:
            return False
        if self._take(turns):
            return True
        middle = len(turns) // 2
        return len(turns) > 1 and any([self.take(turns[:middle]), self.take(turns[middle:])])

    def _take(self, turns: Sequence[Turn]) -> bool:
        touched = [one for one in self.plans if any(_touches(one.stretch, turn) for turn in turns)]
        if not touched or not self._are_undone(turns):
            return False
        stretch = joined(self.network, [one.stretch for one in touched])
        for turn in turns:
            stretch = turned(stretch, turn)
        now = sum((_price(one) for one in touched), Price())
        new = self._drafted(stretch, touched)
        if not self._is_cheaper(new, now) and new.tempting:
            new = self._drafted(replace(stretch, growth=True), touched)
        if not self._is_cheaper(new, now) or now.nodes - new.after.nodes < sum(turn.nodes for turn in turns):
            return False
        new = settled(self.network, new)
        if not new.collapses:
            return False
        rules = tuple(turn.rule for turn in turns)
        self.plans[self.plans.index(touched[0])] = replace(new, rules=(*new.rules, *rules))
        self.plans = [one for one in self.plans if one not in touched]
        return True

    def replace_by(self, stretches: Sequence[Stretch], whole: Stretch, product: Product) -> bool:
        """Take a plan for some stretches with a product between them in place of theirs, if that pays."""
        touched = [one for one in self.plans if one.stretch in stretches]
        now = sum((_price(one) for one in touched), Price(multiplications(self.network, product), 0, 1))
        new = self._drafted(whole, touched)
        if not self._is_cheaper(new, now) or not (new := settled(self.network, new)).collapses:
            return False
        self.plans[self.plans.index(touched[0])] = new
        self.plans = [one for one in self.plans if one not in touched]
        return True

    def _drafted(self, stretch: Stretch, touched: Sequence[Plan]) -> Plan:
        """A draft for the stretches of some plans as one, made of parts that are known where they fit."""
        new = drafted(self.network, stretch, known=[*(part for one in touched for part in one.parts), *self.seen])
        self.seen += [part for part in new.parts if part not in self.seen]
        return new

    def _is_cheaper(self, new: Plan, now: Price) -> bool:
        """Whether a plan costs less than `now`, with no more numbers than there is room for and it is worth."""
        if not new.collapses or not new.after < now:
            return False
        more = new.after.parameters - now.parameters
        room_ = room(self.network, self.plans, allow_growth=self.allow_growth)
        worth = new.after.nodes <= now.nodes and now.macs - new.after.macs >= WORTH * more
        return new.after.no_dearer(now) or (0 < more <= room_ and worth)

    def _are_undone(self, turns: Sequence[Turn]) -> bool:
        """Whether all that makes and reads the values is a bend, or a stretch that ends and begins in their units.

        What is read as given, inside a stretch, has no other units; what only gets something back gets it from all that
        read it.
        """
        home = {node: one.stretch for one in self.plans for node in one.stretch.nodes}
        given = {name for one in self.plans for name in one.stretch.given}
        return not any(
            name in given or not self._is_held(name, turn, home)
            for turn in turns
            for name in {*turn.values, *turn.back}
        )

    def _is_held(self, name: str, turn: Turn, home: Mapping[Node, Stretch]) -> bool:
        """Whether what makes the value makes it in its units, and all that read it are told."""
        maker = self.network.producers[name]
        own = home.get(maker)
        if own is not None and (name not in turn.values or name not in own.outputs):
            return False
        if own is None and not self._is_bend(maker):
            return False
        return all(
            self._is_bend(node) and name in turn.values
            if (stretch := home.get(node)) is None
            else stretch is own or (name in turn.back and name in stretch.sources)
            for node in self.network.readers.get(name, ())
        )

    def _is_bend(self, node: Node) -> bool:
        return self.network.reach(node) != "everywhere"


def _price(one: Plan) -> Price:
    return one.after if one.collapses else one.before


def _touches(stretch: Stretch, turn: Turn) -> bool:
    return any(name in turn.values for name in stretch.outputs) or any(name in turn.back for name in stretch.sources)


def joined(network: Network, stretches: Sequence[Stretch]) -> Stretch:
    """Several stretches as one."""
    pieces = tuple(piece for one in stretches for piece in (one.pieces or (one,)))
    if len(stretches) == 1:
        return replace(stretches[0], pieces=pieces)
    order = {node: i for i, node in enumerate(network.nodes)}
    pairs = [pair for one in stretches for pair in zip(one.nodes, one.locals, strict=True)]
    nodes, locals_ = zip(*sorted(pairs, key=lambda pair: order[pair[0]]), strict=True)
    return Stretch(
        nodes,
        locals_,
        tuple(name for one in stretches for name in one.sources),
        tuple(name for one in stretches for name in one.outputs),
        {name: back for one in stretches for name, back in one.inward.items()},
        {name: turn for one in stretches for name, turn in one.outward.items()},
        pieces,
        any(one.growth for one in stretches),
        frozenset().union(*(one.shared for one in stretches)).intersection(shared_constants(network, nodes)),
        tuple(dict.fromkeys(name for one in stretches for name in one.given)),
    )


def across(network: Network, stretches: Sequence[Stretch], one: Product) -> tuple[list[Stretch], Stretch] | None:
    """The stretches before and behind a product, and one that has it inside; None where that cannot help, or be."""
    before = next((each for each in stretches if one.value in each.outputs), None)
    readers = set(network.readers.get(one.output, ()))
    behind = next((each for each in stretches if one.output in each.sources and readers <= set(each.nodes)), None)
    near = [each for each, is_behind in ((before, False), (behind, True))
            if each is not None and in_reach(network, each, one, behind=is_behind)]  # fmt: skip
    if not near or (before is None and one.value not in network.producers):
        return None
    around = list(dict.fromkeys(each for each in (before, behind) if each is not None))
    whole = joined(network, around)
    turns = [
        turn for name, turn in ((one.value, whole.outward.get(one.value)), (one.output, whole.inward.get(one.output)))
    ]
    if one.node in whole.nodes or one.given in (*whole.sources, *whole.outputs):
        return None
    if any(turn is not None and not isinstance(turn.linear, Identity) for turn in turns):
        return None
    return around, _with_product(network, whole, one, before is None, behind is None)


def _with_product(network: Network, whole: Stretch, one: Product, first: bool, last: bool) -> Stretch:
    """The stretch with the product inside it; it begins with its value if it is `first`, ends there if it is `last`."""
    order = {node: i for i, node in enumerate(network.nodes)}
    pairs = [*zip(whole.nodes, whole.locals, strict=True), (one.node, (local_of(network, one),))]
    nodes, locals_ = zip(*sorted(pairs, key=lambda pair: order[pair[0]]), strict=True)
    return replace(
        whole,
        nodes=nodes,
        locals=locals_,
        sources=(*(name for name in whole.sources if name != one.output), *([one.value] if first else [])),
        outputs=(*(name for name in whole.outputs if name != one.value), *([one.output] if last else [])),
        inward={name: turn for name, turn in whole.inward.items() if name != one.output},
        outward={name: turn for name, turn in whole.outward.items() if name != one.value},
        given=(*whole.given, one.given),
    )


def turned(stretch: Stretch, turn: Turn) -> Stretch:
    """The stretch with values at its ends held in other units, on top of those that they are held in."""
    inward, outward = dict(stretch.inward), dict(stretch.outward)
    for name in set(turn.values).intersection(stretch.outputs):
        outward[name] = outward[name].then(turn.values[name]) if name in outward else turn.values[name]
    for name in set(turn.back).intersection(stretch.sources):
        inward[name] = turn.back[name].then(inward[name]) if name in inward else turn.back[name]
    return replace(stretch, inward=inward, outward=outward)


def _together(state: _State) -> bool:
    """Plan stretches together that share numbers."""
    before = state.plans
    state.plans = together(state.network, before)
    return state.plans != before


def _across(state: _State) -> bool:
    """Let matrices meet across products of two values."""
    taken = False
    for one in products(state.network):
        if (found := across(state.network, [each.stretch for each in state.plans], one)) is not None:
            taken |= state.replace_by(*found, one)
    return taken


def _shifted(state: _State) -> bool:
    """Take off what bends do not see, and carry what they hand on."""
    whole = [one.stretch for one in state.plans]
    found = [_of_shift(state.network, shift) for one in whole for shift in shifts(state.network, one, whole)]
    return state.take(_new(state, found))


def _of_shift(network: Network, shift: Shift) -> Turn:
    shape = network.shapes[shift.value]
    off = Affine(Identity(shape), -shift.amount)
    if shift.back is None:
        return Turn({shift.value: off}, {}, shift.rule)
    target = network.shapes[shift.back]
    amount = shift.amount.reshape((1,) * (len(target) - shift.amount.ndim) + shift.amount.shape)
    return Turn({shift.value: off}, {shift.back: Affine(Identity(target), amount)}, shift.rule)


def _scaled(state: _State) -> bool:
    """Carry scales that stand at the ends of stretches through the bends around them.

    Turns of different values are tried together; what does not pay so is tried by halves, and then in other ways.
    """
    ways = [list(way) for way in _ways(state)]
    taken = False
    while any(ways):
        batch: dict[frozenset[str], Turn] = {}
        for way in ways:
            if way and not any(name in values for values in batch for name in way[0].values):
                batch[frozenset(way[0].values)] = way[0]
        ways = [way[1:] if way and way[0] in batch.values() else way for way in ways]
        taken |= state.take(_new(state, list(batch.values())))
    return taken


def _new(state: _State, turns: Sequence[Turn]) -> list[Turn]:
    """The turns that were not tried before."""
    keys = [tuple((name, _numbers(turn)) for name, turn in one.values.items()) for one in turns]
    fresh = [turn for turn, key in zip(turns, keys, strict=True) if key not in state.tried]
    state.tried.update(keys)
    return fresh


def _numbers(turn: Affine) -> bytes:
    scale = turn.linear.scale.tobytes() if isinstance(turn.linear, Diagonal) else b""
    return scale + turn.offset.tobytes()


def _ways(state: _State) -> Iterator[Iterator[Turn]]:
    """For each scale that is left at an end of a stretch, the ways to carry it off."""
    for one in list(state.plans):
        for end in one.scales:
            if end.value in (one.stretch.outputs if end.after else one.stretch.sources):
                with np.errstate(divide="ignore"):
                    yield _carried(state.network, end.value, 1.0 / end.scale if end.after else end.scale)


def _carried(network: Network, name: str, scale: np.ndarray) -> Iterator[Turn]:
    """The ways to hold the value times `scale`."""
    for count, scales in enumerate(held(network, {name: scale})):
        if count == WAYS:
            return
        if (turn := _of_scales(network, scales)) is not None:
            yield turn


def _of_scales(network: Network, scales: Scales) -> Turn | None:
    forward = {
        name: Affine(Diagonal.of(scale, network.shapes[name]), np.zeros((1,) * len(network.shapes[name])))
        for name, scale in scales.items()
    }
    back = {name: inverse(turn) for name, turn in forward.items()}
    return Turn(forward, back, "a scale goes through a bend", nodes=1)
