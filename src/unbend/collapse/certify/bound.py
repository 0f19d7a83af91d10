"""How far a stretch f and its collapsed form g can be apart, for every finite input.

The collapsed weights are a float64 product P of the stored ones, rounded once: |fl(P) − W_f| ≤ γ_k |W_n| … |W_1| for k
roundings on the way (u = 2⁻⁵³), and |W_g − P| ≤ ε |W_g| with ε = (1 − u)⁻ᵐ − 1 for m rounded maps in a row (u of the
stored type; 2 u in half precision, where some weights are rounded to the other neighbour, see `rounding`). So, with the
offsets compared directly,

    |f(x) − g(x)|  ≤  ε |W_g| |x| + ε' |W_f| |x| + δb,        |W| = |W_n| … |W_1| the same chain of absolute values.

The bound is an operator of the same structure as the network: it takes no memory, and what it is for a box of inputs
takes one walk with absolute values. Running either form rounds once more, by at most Γ (|W| |x| + |b|), where Γ counts
the products and sums of the longest way, in whatever order they are added up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import ml_dtypes
import numpy as np

from unbend.affine.magnitude import gamma
from unbend.collapse.certify.reach import FINE, Collapsed, Original, Reach
from unbend.collapse.write.rewrite import Plan
from unbend.collapse.write.rounding import units
from unbend.network import Network
from unbend.network.graph import is_float

SUMS = float(np.finfo(np.float32).eps) / 2
"""Programs add up half-precision products in float32 and round the result once."""

ROOM = 2.0
"""The offsets are compared by their float64 values; another program's may differ in the last digits."""

ROWS = 2
"""Vectors of random signs on which the bound is tried, beside the origin."""


@dataclass(frozen=True)
class Bound:
    """|f(x) − g(x)| ≤ collapsed · |W_g| |x| + original · |W_f| |x| + offset · the largest of |f|(0) + |g|(0).

    On the box |x| ≤ 1: `slope` is the largest of the first two over the outputs, `shift` the largest difference of the
    offsets, `scale` the largest that the collapsed stretch can give there, `relative` the largest bound of an output
    relative to what it can give; `executed` are the largest errors of running the original and the collapsed form in
    the stored type (None where the usual bound says nothing). `used` is the largest share of the bound that was seen.
    """

    collapsed: float
    original: float
    offset: float
    slope: float
    shift: float
    scale: float
    relative: float
    executed: tuple[float | None, float | None]
    used: float

    @property
    def holds(self) -> bool:
        """Whether the difference stayed within the bound wherever it was tried."""
        return self.used <= 1.0


def bound(network: Network, plan: Plan, seed: int = 0) -> Bound:
    """The bound of one collapsed stretch, tried at the origin and at random signs."""
    original, collapsed = Original(network, plan.stretch), Collapsed(network, plan.stretch, plan)
    old, new = original.reaches(), collapsed.reaches()
    free = bool(network.elsewhere)
    parts = [_output(old[name], new[name], collapsed.dtype(name), free) for name in plan.stretch.outputs]
    whole = Bound(
        collapsed=max(one.collapsed for one in parts),
        original=max(one.original for one in parts),
        offset=max(one.offset for one in parts),
        slope=max(one.slope for one in parts),
        shift=max(one.shift for one in parts),
        scale=max(one.scale for one in parts),
        relative=max(one.relative for one in parts),
        executed=_largest(one.executed for one in parts),
        used=0.0,
    )
    return replace(whole, used=_used(original, collapsed, whole, (old, new), seed))


def _largest(pairs: Iterable[tuple[float | None, ...]]) -> tuple[float | None, float | None]:
    return tuple(None if None in column else max(column) for column in zip(*pairs, strict=True))  # type: ignore[return-value]


def _output(old: Reach, new: Reach, dtype: np.dtype, free: bool) -> Bound:
    """The bound of one output; with free lengths that of the offset is what rounding does to any sum of its parts."""
    unit = float(ml_dtypes.finfo(dtype).eps) / 2 if is_float(dtype) else 0.0
    collapsed = (1.0 - units(dtype) * unit) ** -new.rounded - 1.0
    original = gamma(old.terms + 1, FINE)
    still = float(np.max(old.still + new.still, initial=0.0))
    rounding = gamma(old.terms + 1, FINE) * old.still + gamma(new.terms + 1, FINE) * new.still
    shift = np.abs(new.origin - old.origin) + rounding
    slope = collapsed * new.slope + original * old.slope
    largest = float(np.max(shift, initial=0.0))
    offset = ROOM * largest / still if still else 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.nan_to_num((slope + shift) / new.whole, posinf=np.inf)
    return Bound(
        collapsed=collapsed,
        original=original,
        offset=max(offset, collapsed) if free else offset,
        slope=float(np.max(slope, initial=0.0)),
        shift=largest,
        scale=float(np.max(new.whole, initial=0.0)),
        relative=float(np.max(relative, initial=0.0)),
        executed=(_executed(old, unit), _executed(new, unit)),
        used=0.0,
    )


def _executed(value: Reach, unit: float) -> float | None:
    """The largest error of running it in its type: sums in float32 at least, each node's result rounded."""
    share = gamma(value.terms + 1, min(unit, SUMS))
    if unit > SUMS:
        share = (1.0 + share) * (1.0 + unit) ** value.nodes - 1.0
    return share * float(np.max(value.whole, initial=0.0)) if math.isfinite(share) else None


def _used(
    original: Original,
    collapsed: Collapsed,
    whole: Bound,
    reaches: tuple[Mapping[str, Reach], Mapping[str, Reach]],
    seed: int,
) -> float:
    """The largest share of the bound that differences at random signs use."""
    rng, shapes, used = np.random.default_rng(seed), original.network.shapes, 0.0
    for _ in range(ROWS):
        signs = {name: rng.choice((-1.0, 1.0), size=(1, *shapes[name])) for name in original.sources}
        own, found = original.values(signs), collapsed.values(signs)
        for name, y in own.items():
            a, b = (side[name] for side in reaches)
            error = np.abs(found[name] - y - (b.origin - a.origin))
            allowed = whole.collapsed * b.slope + whole.original * a.slope + 2.0 * (a.rounding + b.rounding)
            share = np.where(error > 0, error / np.maximum(allowed, np.finfo(float).tiny), 0.0)
            used = max(used, float(np.max(np.where(np.isnan(share), np.inf, share), initial=0.0)))
    return used
