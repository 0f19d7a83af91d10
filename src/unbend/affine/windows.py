"""Products and sums of convolutions that are convolutions again, and when they are not.

A product: tap t_1 of the second meets tap t_0 of the first at t_1 d_1 s_0 + t_0 d_0, strides multiply, and the padding
is the first's. That is exact at the border only if the second does not pad, or the first neither pads nor spreads (a
1 × 1 kernel): a padded convolution of a padded one sees zeros where the first would have seen part of the image.
A sum: kernels are laid on one grid of taps that holds both, which zero padding allows always.

Checked against: onnxruntime, on all combinations of stride, padding, dilation and groups in the contract tests.
Source: Ding et al. (2021), "Diverse Branch Block", for the 1 × 1 and the branch cases.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from unbend.affine.combined import Transposed
from unbend.affine.compose import rule
from unbend.affine.convolution import Convolution, Pads
from unbend.affine.maps import Diagonal, Identity, LinearMap, Shape
from unbend.affine.numbers import Unmade
from unbend.affine.selection import Selection

MAX_TAPS = 1 << 12
"""No kernel grows beyond this many taps: no cost would choose it, and making it takes memory."""

HOPELESS = 16
"""A product with this many times the numbers of its factors is not made: it takes long and is not chosen."""


@rule(Convolution, Convolution)
def _convolution_convolution(second: Convolution, first: Convolution) -> LinearMap | None:
    """Two convolutions are one where no border stands between them."""
    if not _borderless(second, first):
        return None
    groups = math.gcd(first.groups, second.groups)
    steps = [
        _grid([first.dilations[a]] * (k0 > 1) + [second.dilations[a] * first.strides[a]] * (k1 > 1))
        for a, (k0, k1) in enumerate(zip(first.stored.shape[2:], second.stored.shape[2:], strict=True))
    ]
    if _is_hopeless(second, first, groups):
        return None
    kernel = _product_kernel(second, first, groups, steps)
    strides = tuple(a * b for a, b in zip(first.strides, second.strides, strict=True))
    pads = _product_pads(second, first)
    product = Convolution(kernel, first.source, strides, pads, tuple(steps), groups)
    return _ending_at(product, second.out_shape)


@rule(Convolution, Selection)
def _convolution_selection(second: Convolution, first: Selection) -> LinearMap | None:
    """Zeros put around an image are the convolution's own padding; where channels move, those of the kernel do."""
    if (picked := first.channels) is not None and second.groups == 1:
        return _of_channels(second, picked, first.source)
    if first.padding is None or min(pad for pair in second.pads for pad in pair) < 0:
        return None
    pads = tuple((a + c, b + d) for (a, b), (c, d) in zip(first.padding, second.pads, strict=True))
    return Convolution(second.stored, first.source, second.strides, pads, second.dilations, second.groups)


def _of_channels(second: Convolution, picked: np.ndarray, source: Shape) -> Convolution:
    """The convolution of an image whose channels are moved as `picked` says: Σ over where each of them went."""

    def moved(kernel: np.ndarray) -> np.ndarray:
        found = np.zeros((kernel.shape[0], source[1], *kernel.shape[2:]))
        for place in np.flatnonzero(picked >= 0):
            found[:, picked[place]] += kernel[:, place]
        return found

    kernel = Unmade((second.stored.shape[0], source[1], *second.stored.shape[2:]), moved, second.stored)
    return Convolution(kernel, source, second.strides, second.pads, second.dilations)


@rule(Selection, Convolution)
def _selection_convolution(second: Selection, first: Convolution) -> LinearMap | None:
    """Some of the channels that a convolution makes are made by fewer filters."""
    picked = second.channels
    if picked is None or first.groups > 1 or len(np.unique(picked)) < len(picked) or (picked < 0).any():
        return None
    kernel = Unmade((len(picked), *first.stored.shape[1:]), lambda w: w[picked], first.stored)
    return first.with_kernel(kernel)


@rule(Transposed, Transposed)
def _transposed_transposed(second: Transposed, first: Transposed) -> LinearMap | None:
    """Two transposed convolutions: K_2ᵀ K_1ᵀ = (K_1 K_2)ᵀ."""
    if not (isinstance(first.of, Convolution) and isinstance(second.of, Convolution)):
        return None
    product = _convolution_convolution(first.of, second.of)
    return None if product is None else Transposed(product)


@rule(Transposed, Convolution)
def _transposed_convolution(second: Transposed, first: Convolution) -> LinearMap | None:
    """Kᵀ W = (Wᵀ K)ᵀ for a 1 × 1 convolution W."""
    turned = _pointwise_transposed(first)
    return None if turned is None else _transposed_transposed(second, turned)


@rule(Convolution, Transposed)
def _convolution_transposed(second: Convolution, first: Transposed) -> LinearMap | None:
    """W Kᵀ = (K Wᵀ)ᵀ for a 1 × 1 convolution W."""
    turned = _pointwise_transposed(second)
    return None if turned is None else _transposed_transposed(turned, first)


def _pointwise_transposed(one: Convolution) -> Transposed | None:
    """A 1 × 1 convolution that sees every place, as the transpose of another; None for any other."""
    if not is_pointwise(one):
        return None
    groups = one.groups
    outputs, inner, *taps = one.stored.shape

    def turn(kernel: np.ndarray) -> np.ndarray:
        grouped = kernel.reshape(groups, outputs // groups, inner)
        return np.swapaxes(grouped, 1, 2).reshape(groups * inner, outputs // groups, *taps)

    kernel = Unmade((groups * inner, outputs // groups, *taps), turn, one.stored)
    return Transposed(Convolution(kernel, one.out_shape, one.strides, one.pads, one.dilations, groups))


def is_pointwise(linear: LinearMap) -> bool:
    """Whether the map is a convolution that sees one place at a time, every place."""
    if not isinstance(linear, Convolution):
        return False
    steps = {*linear.stored.shape[2:], *linear.strides}
    return steps <= {1} and not any(pad for pair in linear.pads for pad in pair)


def _is_hopeless(second: Convolution, first: Convolution, groups: int) -> bool:
    """Whether the product is so much dearer than its factors that nothing after it can make up for that."""
    taps = math.prod(first.stored.shape[2:]) * math.prod(second.stored.shape[2:])
    size = second.stored.shape[0] * (first.source[1] // groups) * taps
    return taps > MAX_TAPS or size > HOPELESS * (first.stored.size + second.stored.size)


def _borderless(second: Convolution, first: Convolution) -> bool:
    """Whether the second convolution sees what one convolution of the image would see, at the border too."""
    unpadded = not any(pad for pair in second.pads for pad in pair)
    pointwise = all(k == 1 for k in first.stored.shape[2:]) and not any(pad for pair in first.pads for pad in pair)
    return unpadded or pointwise


def _grid(steps: list[int]) -> int:
    """The widest dilation whose grid holds every tap."""
    return math.gcd(*steps) if steps else 1


def _regrouped(kernel: np.ndarray, own: int, groups: int) -> np.ndarray:
    """A kernel of `own` groups as (groups, out, in, *taps) with fewer: zeros where a filter does not read a channel."""
    inner = own // groups
    outputs, per_group, *taps = kernel.shape
    if inner == 1:
        return kernel.reshape(groups, outputs // groups, per_group, *taps)
    blocks = kernel.reshape(groups, inner, outputs // own, per_group, *taps)
    wide = np.zeros((groups, inner, outputs // own, inner, per_group, *taps))
    for i in range(inner):
        wide[:, i, :, i] = blocks[:, i]
    return wide.reshape(groups, outputs // groups, inner * per_group, *taps)


def _product_kernel(second: Convolution, first: Convolution, groups: int, steps: Sequence[int]) -> Unmade:
    """Σ over the middle channels; each pair of taps stands where it falls on the grid of `steps`."""
    taps, own = (second.stored.shape[2:], first.stored.shape[2:]), (second.groups, first.groups)
    far = [d * s for d, s in zip(second.dilations, first.strides, strict=True)]
    near, steps = first.dilations, tuple(steps)
    sizes = [
        ((k1 - 1) * f + (k0 - 1) * d) // step + 1
        for k1, f, k0, d, step in zip(taps[0], far, taps[1], near, steps, strict=True)
    ]

    def product(later: np.ndarray, earlier: np.ndarray) -> np.ndarray:
        after, before = _regrouped(later, own[0], groups), _regrouped(earlier, own[1], groups)
        kernel = np.zeros((groups, after.shape[1], before.shape[2], *sizes))
        for late in np.ndindex(*taps[0]):
            left = after[(..., *late)]
            for early in np.ndindex(*taps[1]):
                spots = zip(late, far, early, near, steps, strict=True)
                place = tuple((t1 * f + t0 * d) // step for t1, f, t0, d, step in spots)
                kernel[(..., *place)] += left @ before[(..., *early)]
        return kernel.reshape(-1, *kernel.shape[2:])

    shape = (second.stored.shape[0], first.source[1] // groups, *sizes)
    return Unmade(shape, product, second.stored, first.stored)


def _product_pads(second: Convolution, first: Convolution) -> Pads:
    """The first's own padding, and the second's in the first's strides where the first is 1 × 1."""
    return tuple(
        (own[0] + stride * other[0], own[1] + stride * other[1])
        for own, other, stride in zip(first.pads, second.pads, first.strides, strict=True)
    )


def _ending_at(convolution: Convolution, target: Shape) -> Convolution | None:
    """The convolution with its padding at the end set so that it has the target's size, if that can be.

    The padding that it has stays where that does: it is right for images of other sizes too.
    """
    pads = []
    for axis, size in enumerate(convolution.source[2:]):
        begin, end = convolution.pads[axis]
        reach = convolution.dilations[axis] * (convolution.stored.shape[2 + axis] - 1) + 1
        needed = (target[2 + axis] - 1) * convolution.strides[axis] + reach - begin - size
        spare = needed + convolution.strides[axis] - 1
        if spare < 0 or begin < 0:
            return None
        pads.append((begin, min(max(end, needed, 0), spare)))
    return Convolution(
        convolution.stored,
        convolution.source,
        convolution.strides,
        tuple(pads),
        convolution.dilations,
        convolution.groups,
    )


def sum_of(first: LinearMap, second: LinearMap) -> Convolution | None:
    """The sum of two maps of one image, at least one of them a convolution, as one convolution; None if it is none."""
    if not (isinstance(first, Convolution) or isinstance(second, Convolution)):
        return None
    one, other = _as_convolution(first), _as_convolution(second)
    if one is None or other is None or one.strides != other.strides or one.out_shape != other.out_shape:
        return None
    if one.window == other.window:
        return one.with_kernel(Unmade(one.stored.shape, np.add, one.stored, other.stored))
    groups = math.gcd(one.groups, other.groups)
    axes = range(len(one.strides))
    starts = [max(one.pads[a][0], other.pads[a][0], 0) for a in axes]
    steps = [_common_step(one, other, a) for a in axes]
    sizes = [max(_last_tap(c, a) for c in (one, other)) for a in axes]
    taps = [(starts[a] + sizes[a]) // steps[a] + 1 for a in axes]
    if math.prod(taps) > MAX_TAPS:
        return None
    kernel = _laid_out_sum((one, other), groups, starts, steps, taps)
    ends = [max(c.pads[a][1] + sizes[a] - _last_tap(c, a) for c in (one, other)) for a in axes]
    pads = tuple(zip(starts, ends, strict=True))
    whole = Convolution(kernel, one.source, one.strides, pads, tuple(steps), groups)
    return _ending_at(whole, one.out_shape)


def _as_convolution(linear: LinearMap) -> Convolution | None:
    """A scale for each channel is a 1 × 1 convolution in as many groups as there are channels."""
    if isinstance(linear, Convolution):
        return linear
    if not isinstance(linear, Identity | Diagonal) or len(linear.in_shape) < 3:
        return None
    channels, spatial = linear.in_shape[1], len(linear.in_shape) - 2
    scale = np.ones(1) if isinstance(linear, Identity) else linear.scale
    if isinstance(linear, Diagonal) and any(size != 1 for axis, size in enumerate(scale.shape) if axis != 2):
        return None
    kernel = np.broadcast_to(scale.reshape(-1), (channels,)).reshape(channels, 1, *(1,) * spatial).copy()
    ones = (1,) * spatial
    return Convolution(kernel, linear.in_shape, ones, ((0, 0),) * spatial, ones, channels)


def _last_tap(convolution: Convolution, axis: int) -> int:
    """Where the last tap reads, counted from the window's own place on the image."""
    return convolution.dilations[axis] * (convolution.stored.shape[2 + axis] - 1) - convolution.pads[axis][0]


def _common_step(one: Convolution, other: Convolution, axis: int) -> int:
    """The widest grid that begins at the earlier of the two windows and holds the taps of both."""
    steps = [c.dilations[axis] for c in (one, other) if c.stored.shape[2 + axis] > 1]
    start = max(one.pads[axis][0], other.pads[axis][0], 0)
    steps += [start - c.pads[axis][0] for c in (one, other) if start != c.pads[axis][0]]
    return _grid(steps)


def _laid_out_sum(
    pair: Sequence[Convolution], groups: int, starts: Sequence[int], steps: Sequence[int], taps: Sequence[int]
) -> Unmade:
    """The kernels added up on the common grid, with zeros at the taps that neither has."""
    own, places = [c.groups for c in pair], [_places(c, starts, steps) for c in pair]

    def added(*kernels: np.ndarray) -> np.ndarray:
        regrouped = [_regrouped(kernel, count, groups) for kernel, count in zip(kernels, own, strict=True)]
        total = np.zeros((*regrouped[0].shape[:3], *taps))
        for kernel, spots in zip(regrouped, places, strict=True):
            for tap, place in spots.items():
                total[(..., *place)] += kernel[(..., *tap)]
        return total.reshape(-1, *total.shape[2:])

    shape = (pair[0].stored.shape[0], pair[0].source[1] // groups, *taps)
    return Unmade(shape, added, *(c.stored for c in pair))


def _places(convolution: Convolution, starts: Sequence[int], steps: Sequence[int]) -> dict[Shape, Shape]:
    """Where each tap falls on the common grid."""
    places = {}
    for tap in np.ndindex(*convolution.stored.shape[2:]):
        spots = zip(tap, convolution.dilations, convolution.pads, starts, steps, strict=True)
        places[tap] = tuple((t * d - pad[0] + start) // step for t, d, pad, start, step in spots)
    return places
