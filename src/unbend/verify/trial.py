"""One stretch of both files, tried at the origin and at random signs, and held to the bound that is stated.

At the origin every number is held to its own bound. Let E = ε |W_g| + ε' |W_f| be that of the difference D of the two
matrices. At signs r, independent and equally likely, |Σ_j D_ij r_j| exceeds SURE · ‖E_i‖ by less than one chance in
10²¹ if |D| ≤ E holds (Hoeffding). If an entry of row i is wrong by more than that, the sum exceeds it for r or for the
same r with the sign of that entry turned: a chance of at least a half at each r, whatever else is wrong. In half
precision SURE · ‖E_i‖ is so much that a wrong entry could hide in it: there are also signs at a few of the sources'
numbers at a time, so few that an output sees one or two of them, held to Σ_j E_ij over those. What float64 rounds on
the way is allowed for by the usual bound, γ_k Σ |terms| for k roundings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from unbend.verify.certificate import End, Shapes, Stretch
from unbend.verify.given import DRAWS, check, draws
from unbend.verify.limits import FINE, floor_of, gamma, is_half, too_wide, unit_of
from unbend.verify.measures import Magnitudes, Measure, Norms, Operand, Tensor, Values
from unbend.verify.ops import Unknown, Unread
from unbend.verify.piece import Piece, between
from unbend.verify.reading import File
from unbend.verify.sizes import Known, fits

SIGNS = 20
"""So many vectors of random signs: a wrong number is missed with a chance of at most 2⁻²⁰."""

SURE = 10.0
"""A correct stretch exceeds this many Euclidean norms with a probability below 2 exp(-50) = 4e-22 for each number."""

WORK = 1 << 30
"""So many multiplications are spent on signs at a few numbers at a time …"""

FEWEST, MOST = 6, 3000
"""… in at least and at most so many vectors."""

SEEN = (8.0, 2.0, 0.5)
"""So many of an output's terms are not zero in them, on average."""

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Outcome:
    """What came of one stretch: its nodes before and after, the share of the allowance used, and what is wrong.

    `unread` says why it could not be computed, where that is no fault of the file; `drawn` is how often numbers were
    put in for what it takes as given.
    """

    label: str
    nodes: tuple[int, int]
    used: float
    wrong: str = ""
    unread: str = ""
    drawn: int = 0


@dataclass(frozen=True, eq=False)
class Side:
    """The stretch in one of the files, from and to the units of the collapsed one."""

    piece: Piece
    sources: Sequence[End]
    outputs: Sequence[End]
    turned: bool

    def __call__(self, arrays: Arrays, measure: Measure) -> list[Tensor]:
        """The measure of each output for arrays at the sources, which go by their names in the original."""
        values: dict[str, Operand] = {}
        for end in self.sources:
            value = arrays[end.original] if end.given else Tensor(arrays[end.original], apart=True)
            if self.turned and isinstance(value, Tensor):
                value = _back(value, end, measure)
            values[end.original if self.turned else end.collapsed] = value
        found = self.piece(values, measure)
        return [
            _turned(one, end, measure) if self.turned else one for one, end in zip(found, self.outputs, strict=True)
        ]


def _back(value: Tensor, end: End, measure: Measure) -> Tensor:
    """A source in the units of the original."""
    if end.turn.shift.any():
        value = measure.shifted(value, -end.turn.shift)
    return measure.multiplied(1.0 / end.turn.scale, value) if (end.turn.scale != 1.0).any() else value


def _turned(value: Tensor, end: End, measure: Measure) -> Tensor:
    """An output in the units of the collapsed file."""
    if (end.turn.scale != 1.0).any():
        value = measure.multiplied(end.turn.scale, value)
    return measure.shifted(value, end.turn.shift) if end.turn.shift.any() else value


@dataclass(frozen=True, eq=False)
class AtSize:
    """One side at one size: its value at the origin, |W| 1 + |b|, and |b|; no coefficient of these below `floor`.

    `ones` has the shapes of the sources. None of the numbers that are given is above 1.
    """

    side: Side
    ones: Arrays
    floor: float
    origin: list[Tensor]
    whole: list[np.ndarray]
    still: list[np.ndarray]

    @staticmethod
    def of(side: Side, ones: Arrays, given: Arrays, floor: float = 0.0) -> AtSize:
        """A side for sources of this shape."""
        zeros = {name: np.zeros_like(array) for name, array in ones.items()}
        largest = {**zeros, **{name: ones[name] for name in given}}
        whole, still = ([tensor.array for tensor in side(x, Magnitudes(floor))] for x in (ones, largest))
        return AtSize(side, ones, floor, side({**zeros, **given}, Values()), whole, still)

    def where(self, given: Arrays) -> AtSize:
        """The same where other numbers are given."""
        zeros = {name: np.zeros_like(array) for name, array in self.ones.items()}
        return replace(self, origin=self.side({**zeros, **given}, Values())) if given else self

    def rounding(self, i: int, size: np.ndarray | None = None) -> np.ndarray:
        """What float64 may be off by for the output i, at signs or where its terms have another size."""
        return gamma(self.origin[i].terms + 1, FINE) * (self.whole[i] if size is None else size)

    def slope(self, i: int) -> np.ndarray:
        """|W| 1."""
        return self.whole[i] - self.still[i]

    def likely(self) -> list[np.ndarray]:
        """What no output exceeds at random signs, but by a chance that is next to none; |W| 1 at most."""
        norms = self.side(self.ones, Norms(self.floor))
        return [np.minimum(SURE * norm.array, self.slope(i)) for i, norm in enumerate(norms)]

    def slopes(self, x: Arrays) -> list[np.ndarray]:
        """|W| |x|."""
        found = self.side({name: np.abs(array) for name, array in x.items()}, Magnitudes(self.floor))
        return [tensor.array - still for tensor, still in zip(found, self.still, strict=True)]


def tried(
    files: tuple[File, File], stretch: Stretch, known: Sequence[tuple[Known, Known]], rng: np.random.Generator
) -> Outcome:
    """Hold one stretch of both files to its bound; `known` are the shapes of both files' values at each size."""
    count, used = (0, 0), 0.0
    if not known or len(stretch.shapes) != len(known):
        return Outcome(stretch.label, count, np.inf, "the certificate names no size to try it at")
    try:
        for at, (shapes, (before, after)) in enumerate(zip(stretch.shapes, known, strict=True)):
            _check_shapes(files[0], stretch, shapes, before)
            pieces = (
                between(files[0], [e.original for e in stretch.sources], [e.original for e in stretch.outputs], before),
                between(
                    files[1], [e.collapsed for e in stretch.sources], [e.collapsed for e in stretch.outputs], after
                ),
            )
            count = len(pieces[0].nodes), len(pieces[1].nodes)
            sides = [Side(piece, stretch.sources, stretch.outputs, piece is pieces[0]) for piece in pieces]
            for piece, own in zip(pieces, ("original", "collapsed"), strict=True):
                check(piece, [getattr(end, own) for end in stretch.sources if end.given])
            given = draws(files[0], stretch, shapes, rng)
            for share, where in _shares(sides[0], sides[1], stretch, shapes, given, rng, stated=at == 0):
                if not share <= 1.0:
                    return Outcome(stretch.label, count, share, where)
                used = max(used, share)
    except Unread as reason:
        return Outcome(stretch.label, count, np.inf, unread=str(reason))
    except Unknown as reason:
        return Outcome(stretch.label, count, np.inf, str(reason))
    return Outcome(stretch.label, count, used, drawn=DRAWS if any(end.given for end in stretch.sources) else 0)


def _shares(
    before: Side,
    after: Side,
    stretch: Stretch,
    shapes: Shapes,
    drawn: Sequence[Arrays],
    rng: np.random.Generator,
    *,
    stated: bool,
) -> Iterator[tuple[float, str]]:
    """The share of its allowance that each output uses at the origin and at each vector of signs, and where.

    Where numbers are `drawn` for what the stretch is given, each of them is tried at the origin and at one vector. With
    `stated` the bound itself is looked at: it was made at the first size, and a mean has fewer terms at others.
    """
    ones = {end.original: np.ones(shapes[end.original]) for end in stretch.sources}
    numbers = [*after.piece.numbers().values()]
    unit = max(unit_of(numbers), unit_of([*before.piece.numbers().values()]))
    pair = AtSize.of(before, ones, drawn[0]), AtSize.of(after, ones, drawn[0], floor_of(numbers))
    _check_outputs(*pair, stretch.outputs)
    if stated:
        yield from ((np.inf, line) for line in too_wide(stretch.bound, pair[0].origin, pair[1].origin, unit))
    slopes = pair[1].likely()
    for given in drawn:
        there = pair[0].where(given), pair[1].where(given)
        yield from _at_origin(*there, stretch)
        for _ in range(1 if given else SIGNS):
            signs = {name: rng.choice((-1.0, 1.0), size=array.shape) for name, array in ones.items()}
            yield from _apart(*there, stretch, {**signs, **given}, slopes, "random signs")
    if is_half(unit) and not drawn[0]:
        yield from _at_few(*pair, stretch, rng)


def _check_outputs(one: AtSize, other: AtSize, outputs: Sequence[End]) -> None:
    """The outputs have the same shapes in both files."""
    for y, z, end in zip(one.origin, other.origin, outputs, strict=True):
        own, new = y.array.shape, z.array.shape
        if own != new:
            raise Unknown(f"{end.original} has the shape {own}, and {end.collapsed} in the collapsed file {new}")


def _at_origin(one: AtSize, other: AtSize, stretch: Stretch) -> Iterator[tuple[float, str]]:
    """The offsets, each held to its own bound."""
    bound = stretch.bound
    for i, end in enumerate(stretch.outputs):
        old, new = one.still[i], other.still[i]
        allowed = bound.offset * new + (bound.original + bound.settled) * old
        allowed = allowed + one.rounding(i, old) + other.rounding(i, new)
        yield _worst(np.abs(other.origin[i].array - one.origin[i].array), allowed, f"at the origin, {end.collapsed}")


def _at_few(one: AtSize, other: AtSize, stretch: Stretch, rng: np.random.Generator) -> Iterator[tuple[float, str]]:
    """At signs of a few numbers at a time; each number has its turn where that is not too much work."""
    terms = max(tensor.terms for tensor in other.origin)
    work = sum(tensor.work for tensor in (*one.origin, *other.origin))
    most = int(np.clip(WORK // max(work, 1), FEWEST, MOST)) // len(SEEN)
    total = sum(array.size for array in one.ones.values())
    for seen in SEEN:
        groups = int(np.clip(terms / seen, 1, total))
        for x in islice(_in_groups(one.ones, groups, rng), most):
            yield from _apart(one, other, stretch, x, other.slopes(x), "a few random signs")


def _in_groups(ones: Arrays, groups: int, rng: np.random.Generator) -> Iterator[dict[str, np.ndarray]]:
    """Random signs in one of some groups of the numbers, and zeros elsewhere; each number is in one group."""
    place = {name: rng.permutation(array.size).reshape(array.shape) % groups for name, array in ones.items()}
    for group in rng.permutation(groups):
        yield {name: rng.choice((-1.0, 1.0), size=one.shape) * (one == group) for name, one in place.items()}


def _apart(
    one: AtSize, other: AtSize, stretch: Stretch, x: Arrays, slopes: Sequence[np.ndarray], where: str
) -> Iterator[tuple[float, str]]:
    """How far the two are apart at x, without their offsets, beside what is allowed; `slopes` bound |W_g| |x|."""
    bound, rows = stretch.bound, zip(one.side(x, Values()), other.side(x, Values()), stretch.outputs, strict=True)
    for i, (y, z, end) in enumerate(rows):
        error = np.abs(z.array - y.array - (other.origin[i].array - one.origin[i].array))
        allowed = bound.collapsed * slopes[i] + bound.original * one.slope(i)
        yield _worst(error, allowed + 2.0 * (one.rounding(i) + other.rounding(i)), f"at {where}, {end.collapsed}")


def _check_shapes(file: File, stretch: Stretch, shapes: Shapes, known: Known) -> None:
    """The sizes that the certificate names are those of the file, as far as ONNX's inference knows them."""
    for name in (end.original for end in stretch.sources):
        if name not in shapes:
            raise Unknown(f"the certificate does not say the shape of {name}")
        if name in known and not fits(known[name], shapes[name]):
            raise Unknown(
                f"{name} has the shape {known[name]} in {file.path.name}, and {shapes[name]} in the certificate"
            )


def _worst(error: np.ndarray, allowed: np.ndarray, where: str) -> tuple[float, str]:
    """The largest share of the allowance, and the place of it."""
    if not error.size:
        return 0.0, ""
    share = np.where(error != 0.0, error / np.maximum(allowed, np.finfo(float).tiny), 0.0)
    share = np.where(np.isnan(share), np.inf, share)
    at = np.unravel_index(int(np.argmax(share)), share.shape)
    place = ", ".join(str(int(i)) for i in at)
    limit = np.broadcast_to(allowed, share.shape)[at]
    return float(share[at]), f"{where}[{place}] is {error[at]:.3g} off, and {limit:.3g} is allowed"
