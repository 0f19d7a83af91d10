"""One stretch of both files, tried at the origin and at random signs, and held to the bound that is stated.

Let E = ε |W_g| + ε' |W_f| be the bound that the certificate states for the difference D of the two matrices. At
signs r, independent and equally likely, |Σ_j D_ij r_j| exceeds SURE · ‖E_i‖ by less than one chance in 10²¹ if
|D| ≤ E holds (Hoeffding). If an entry of row i is wrong by more than that, the sum exceeds it for r or for the same r
with the sign of that entry turned: a chance of at least a half at each r, whatever else is wrong. What float64 rounds
on the way is allowed for by the usual bound, γ_k Σ |terms| for k roundings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import ml_dtypes
import numpy as np

from unbend.verify.certificate import Bound, End, Shapes, Stretch
from unbend.verify.given import check, draws
from unbend.verify.measures import Magnitudes, Measure, Norms, Operand, Tensor, Values
from unbend.verify.ops import Unknown, Unread
from unbend.verify.piece import Piece, between
from unbend.verify.reading import File, fits

SIGNS = 20
"""So many vectors of random signs: a wrong number is missed with a chance of at most 2⁻²⁰."""

SURE = 10.0
"""A correct stretch exceeds this many Euclidean norms with a probability below 2 exp(-50) = 4e-22 for each number."""

LOOSE = 8.0
"""A bound may be stated this many times wider than the checker's own count of roundings …"""

OFFSETS = 64.0
"""… and that of the offset this many units: a bias is rounded once, as is each coefficient that it meets later."""

FINE = float(np.finfo(np.float64).eps) / 2

UNDERFLOW = float(np.finfo(np.float32).tiny)
"""A smaller difference is that of numbers which are too small for float32 to hold with all of its digits."""

Known = Mapping[str, tuple[int | None, ...]]


@dataclass(frozen=True)
class Outcome:
    """What came of one stretch: its nodes before and after, the share of the allowance used, and what is wrong.

    `unread` says why it could not be computed, where that is no fault of the file.
    """

    label: str
    nodes: tuple[int, int]
    used: float
    wrong: str = ""
    unread: str = ""


@dataclass(frozen=True, eq=False)
class Side:
    """The stretch in one of the files, from and to the units of the collapsed one."""

    piece: Piece
    sources: Sequence[End]
    outputs: Sequence[End]
    turned: bool

    def __call__(self, arrays: Mapping[str, np.ndarray], measure: Measure) -> list[Tensor]:
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
class Half:
    """One side at one size: its value at the origin, |W| 1 + |b|, and |b|."""

    origin: list[Tensor]
    whole: list[np.ndarray]
    still: list[np.ndarray]

    @staticmethod
    def of(side: Side, ones: Mapping[str, np.ndarray], given: Mapping[str, np.ndarray], floor: float = 0.0) -> Half:
        """The half of a side, for sources of this shape, no coefficient of |W| below `floor`.

        None of the numbers that are `given` is above 1.
        """
        zeros = {name: np.zeros_like(array) for name, array in ones.items()}
        still = {**zeros, **{name: ones[name] for name in given}}
        whole = [tensor.array for tensor in side(ones, Magnitudes(floor))]
        origin = side({**zeros, **given}, Values())
        return Half(origin, whole, [tensor.array for tensor in side(still, Magnitudes(floor))])

    def rounding(self, i: int) -> np.ndarray:
        """What float64 may be off by, at signs, for the output i."""
        return gamma(self.origin[i].terms + 1, FINE) * self.whole[i]

    def slope(self, i: int) -> np.ndarray:
        """|W| 1."""
        return self.whole[i] - self.still[i]


def gamma(terms: int, unit: float) -> float:
    """γ_k = k u / (1 - k u)."""
    return terms * unit / (1.0 - terms * unit) if terms * unit < 1.0 else np.inf


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
    return Outcome(stretch.label, count, used)


def _shares(
    before: Side,
    after: Side,
    stretch: Stretch,
    shapes: Shapes,
    drawn: Sequence[Mapping[str, np.ndarray]],
    rng: np.random.Generator,
    *,
    stated: bool,
) -> Iterator[tuple[float, str]]:
    """The share of its allowance that each output uses at the origin and at each vector of signs, and where.

    Where numbers are `drawn` for what the stretch is given, each of them is tried at the origin and at one vector. With
    `stated` the bound itself is looked at: it was made at the first size, and a mean has fewer terms at others.
    """
    ones = {end.original: np.ones(shapes[end.original]) for end in stretch.sources}
    floor = _floor(after.piece)
    one, other = Half.of(before, ones, drawn[0]), Half.of(after, ones, drawn[0], floor)
    _check_outputs(one, other, stretch.outputs)
    if stated:
        yield from _stated(stretch.bound, one, other, _unit(after.piece))
    allowances = _allowances(stretch.bound, one, other, [tensor.array for tensor in after(ones, Norms(floor))])
    for given in drawn:
        offsets = _offsets(before, after, ones, given)
        for i, end in enumerate(stretch.outputs):
            largest = float(np.max(one.still[i] + other.still[i], initial=0.0))
            allowed = stretch.bound.offset * largest + one.rounding(i) + other.rounding(i)
            yield _worst(np.abs(offsets[i]), allowed, f"at the origin, {end.collapsed}")
        for _ in range(1 if given else SIGNS):
            signs = {name: rng.choice((-1.0, 1.0), size=array.shape) for name, array in ones.items()}
            x = {**signs, **given}
            rows = zip(before(x, Values()), after(x, Values()), offsets, allowances, stretch.outputs, strict=True)
            for y, z, offset, allowed, end in rows:
                yield _worst(np.abs(z.array - y.array - offset), allowed, f"at random signs, {end.collapsed}")


def _offsets(
    before: Side, after: Side, ones: Mapping[str, np.ndarray], given: Mapping[str, np.ndarray]
) -> list[np.ndarray]:
    """The difference of each output at the origin."""
    zeros = {**{name: np.zeros_like(array) for name, array in ones.items()}, **given}
    return [z.array - y.array for y, z in zip(before(zeros, Values()), after(zeros, Values()), strict=True)]


def _check_outputs(one: Half, other: Half, outputs: Sequence[End]) -> None:
    """The outputs have the same shapes in both files."""
    for y, z, end in zip(one.origin, other.origin, outputs, strict=True):
        own, new = y.array.shape, z.array.shape
        if own != new:
            raise Unknown(f"{end.original} has the shape {own}, and {end.collapsed} in the collapsed file {new}")


def _allowances(bound: Bound, one: Half, other: Half, norms: Sequence[np.ndarray]) -> list[np.ndarray]:
    """How far the two may be apart at random signs, output by output."""
    return [
        bound.collapsed * np.minimum(SURE * norm, other.slope(i))
        + bound.original * one.slope(i)
        + 2.0 * (one.rounding(i) + other.rounding(i))
        for i, norm in enumerate(norms)
    ]


def _check_shapes(file: File, stretch: Stretch, shapes: Shapes, known: Known) -> None:
    """The sizes that the certificate names are those of the file, as far as ONNX's inference knows them."""
    for name in (end.original for end in stretch.sources):
        if name not in shapes:
            raise Unknown(f"the certificate does not say the shape of {name}")
        if name in known and not fits(known[name], shapes[name]):
            raise Unknown(
                f"{name} has the shape {known[name]} in {file.path.name}, and {shapes[name]} in the certificate"
            )


def _unit(piece: Piece) -> float:
    """The unit roundoff of the coarsest type that the piece's numbers are stored in."""
    eps = (float(ml_dtypes.finfo(array.dtype).eps) for array in piece.numbers().values())
    return max(eps, default=2 * FINE) / 2


def _floor(piece: Piece) -> float:
    """The largest of the smallest normal numbers of its types: a smaller one is rounded as that is, or to zero."""
    return max((float(ml_dtypes.finfo(one.dtype).smallest_normal) for one in piece.numbers().values()), default=0.0)


def _stated(bound: Bound, one: Half, other: Half, unit: float) -> Iterator[tuple[float, str]]:
    """The bound itself must be what roundings explain: a certificate with a wide one would say nothing."""
    products = max(tensor.products for tensor in other.origin)
    terms = max(tensor.terms for tensor in (*one.origin, *other.origin))
    limits = {
        "of the collapsed weights": (bound.collapsed, LOOSE * gamma(products + 1, unit)),
        "of the original weights": (bound.original, LOOSE * gamma(terms + 1, FINE)),
        "of the offset": (bound.offset, OFFSETS * (products + 1) * unit + LOOSE * gamma(terms + 1, FINE)),
    }
    for name, (stated, limit) in limits.items():
        if not 0.0 <= stated <= limit:
            yield np.inf, f"the bound {name}, {stated:.2g}, is wider than rounding explains, {limit:.2g}"


def _worst(error: np.ndarray, allowed: np.ndarray, where: str) -> tuple[float, str]:
    """The largest share of the allowance, and the place of it."""
    if not error.size:
        return 0.0, ""
    share = np.where(~(error <= UNDERFLOW), error / np.maximum(allowed, np.finfo(float).tiny), 0.0)
    share = np.where(np.isnan(share), np.inf, share)
    at = np.unravel_index(int(np.argmax(share)), share.shape)
    place = ", ".join(str(int(i)) for i in at)
    limit = np.broadcast_to(allowed, share.shape)[at]
    return float(share[at]), f"{where}[{place}] is {error[at]:.3g} off, and {limit:.3g} is allowed"
