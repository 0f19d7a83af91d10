"""How far a stretch f and its collapsed form g can be apart, for every finite input, number by number.

g is what is written: the nodes of the plan with the numbers that are stored (`Plan.edges`). They are a float64 product
P of the stored numbers of f, rounded once: |P − W_f| ≤ γ_k |W_f| for k roundings on the way (u = 2⁻⁵³), and
|W_g − P| ≤ ε |W_g| with ε = (1 − u)⁻ᵐ − 1 for m rounded maps in a row (u of the stored type; 2 u in half precision,
where some weights are rounded to the other neighbour, see `rounding`). An offset is made in the same way and is itself
rounded once: it is off by δ |g|(0) for m + 1 roundings and by γ_k |f|(0), and where `settled` took a difference for
rounding, by as many units σ of |f|(0) as that may. With |W| = |W_n| … |W_1| the same chain of absolute values, and
|f|(x) = |W_f| |x| + |f|(0) what it gives with its offsets,

    |f(x) − g(x)|  ≤  ε |W_g| |x| + δ |g|(0) + ε' |f|(x) + σ |f|(0).

ε, δ, ε' and σ follow from counts. What is seen of the difference widens none of them: it is held against them, at the
origin and at random signs, and where it is larger the certificate fails. The bound takes no memory, and what it is for
a box of inputs takes one walk with absolute values. Running either form rounds once more, by at most Γ (|W| |x| + |b|),
where Γ counts the products and sums of the longest way, in whatever order they are added up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import ml_dtypes
import numpy as np

from unbend.affine.magnitude import gamma
from unbend.collapse.certify.reach import FINE, Collapsed, Original, Reach
from unbend.collapse.reduce.target import LEFT_OUT, slack
from unbend.collapse.write.rewrite import Plan
from unbend.collapse.write.rounding import units
from unbend.network import Network
from unbend.network.graph import is_float

SUMS = float(np.finfo(np.float32).eps) / 2
"""Programs add up half-precision products in float32 and round the result once."""

ROWS = 2
"""Vectors of random signs on which the bound is tried, beside the origin."""


@dataclass(frozen=True)
class Bound:
    """|f(x) − g(x)| ≤ collapsed · |W_g| |x| + offset · |g|(0) + original · |f|(x) + settled · |f|(0), number by number.

    On the box |x| ≤ 1: `slope` is the largest of what grows with x, `shift` the largest of the rest, `scale` the
    largest that the collapsed stretch can give there, `relative` the largest bound of an output relative to what it can
    give; `executed` are the largest errors of running the original and the collapsed form in the stored type (None
    where the usual bound says nothing). `used` is the largest share of the bound that was seen.
    """

    collapsed: float
    original: float
    offset: float
    settled: float
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
    parts = [_output(old[name], new[name], collapsed.dtype(name), plan.rules) for name in plan.stretch.outputs]
    whole = Bound(
        collapsed=max(one.collapsed for one in parts),
        original=max(one.original for one in parts),
        offset=max(one.offset for one in parts),
        settled=max(one.settled for one in parts),
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


def _output(old: Reach, new: Reach, dtype: np.dtype, rules: Sequence[str]) -> Bound:
    """The bound of one output, by counts: a scale that was left out counts as one that was rounded."""
    unit = float(ml_dtypes.finfo(dtype).eps) / 2 if is_float(dtype) else 0.0
    kept = (1.0 - units(dtype) * unit) ** (new.rounded + rules.count(LEFT_OUT))
    collapsed, original = 1.0 / kept - 1.0, gamma(old.terms + 1, FINE)
    last = 1.0 - units(dtype) * unit if new.still.any() else 1.0
    offset, settled = 1.0 / (kept * last) - 1.0 + gamma(new.terms + 1, FINE), slack(rules, 2.0 * unit)
    slope = collapsed * new.slope + original * old.slope
    shift = offset * new.still + (original + settled) * old.still
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.nan_to_num((slope + shift) / new.whole, posinf=np.inf)
    return Bound(
        collapsed=collapsed,
        original=original,
        offset=offset,
        settled=settled,
        slope=float(np.max(slope, initial=0.0)),
        shift=float(np.max(shift, initial=0.0)),
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
    """The largest share of the bound that the offsets use, and differences at random signs without them."""
    rng, shapes = np.random.default_rng(seed), original.network.shapes
    pairs = {name: tuple(side[name] for side in reaches) for name in original.stretch.outputs}
    used = max(_share_at_origin(whole, old, new) for old, new in pairs.values())
    for _ in range(ROWS):
        signs = {name: rng.choice((-1.0, 1.0), size=(1, *shapes[name])) for name in original.sources}
        own, found = original.values(signs), collapsed.values(signs)
        for name, (a, b) in pairs.items():
            allowed = whole.collapsed * b.slope + whole.original * a.slope + 2.0 * (a.rounding + b.rounding)
            used = max(used, _share(found[name] - own[name] - (b.origin - a.origin), allowed))
    return used


def _share_at_origin(whole: Bound, old: Reach, new: Reach) -> float:
    allowed = whole.offset * new.still + (whole.original + whole.settled) * old.still
    rounding = gamma(old.terms + 1, FINE) * old.still + gamma(new.terms + 1, FINE) * new.still
    return _share(new.origin - old.origin, allowed + rounding)


def _share(error: np.ndarray, allowed: np.ndarray) -> float:
    """The largest share of what is allowed; what is not a number is no share."""
    error, allowed = np.broadcast_arrays(np.abs(error), allowed)
    share = np.divide(error, np.maximum(allowed, np.finfo(float).tiny), out=np.zeros(error.shape), where=error != 0)
    return float(np.max(np.where(np.isnan(share), np.inf, share), initial=0.0))
