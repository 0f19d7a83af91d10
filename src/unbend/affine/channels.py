"""Maps that do the same to every channel of a (batch, channel, …) tensor: pools, crops, resizing."""

from __future__ import annotations

import numpy as np

from unbend.affine.combined import Chain
from unbend.affine.convolution import Convolution
from unbend.affine.dense import Dense
from unbend.affine.maps import Diagonal, Identity, LinearMap, Shape
from unbend.affine.selection import Selection


def for_channels(linear: LinearMap, channels: int) -> LinearMap | None:
    """The map P ⊗ I on another number of channels, where `linear` is P ⊗ I on its own; None where it is not.

    Such a map commutes with everything that mixes channels at each place alone: (P ⊗ I)(I ⊗ W) = (I ⊗ W)(P ⊗ I).
    """
    if len(linear.in_shape) < 2 or len(linear.out_shape) < 2 or linear.in_shape[:2] != linear.out_shape[:2]:
        return None
    if isinstance(linear, Chain):
        steps = [for_channels(step, channels) for step in linear.maps]
        known = [step for step in steps if step is not None]
        return Chain(tuple(known)) if len(known) == len(steps) else None
    if isinstance(linear, Identity):
        return Identity(_with(linear.shape, channels))
    if isinstance(linear, Diagonal):
        alike = linear.scale.shape[:3] == (1, 1, 1)
        return Diagonal(linear.scale, _with(linear.shape, channels)) if alike else None
    if isinstance(linear, Dense) and len(linear.leading) >= 2:
        return Dense(linear.stored, _with(linear.leading, channels))
    if isinstance(linear, Convolution):
        return _convolution(linear, channels)
    return _selection(linear, channels) if isinstance(linear, Selection) else None


def _with(shape: Shape, channels: int) -> Shape:
    return (shape[0], channels, *shape[2:])


def _convolution(one: Convolution, channels: int) -> Convolution | None:
    """One filter, the same for every channel."""
    kernel = one.kernel[:1]
    if one.groups != one.source[1] or one.stored.shape[0] != one.groups or not (one.kernel == kernel).all():
        return None
    many = np.broadcast_to(kernel, (channels, *kernel.shape[1:]))
    return Convolution(many, _with(one.source, channels), one.strides, one.pads, one.dilations, channels)


def _selection(one: Selection, channels: int) -> Selection | None:
    """One rearrangement, the same within every channel of the only tensor."""
    if one.source[0] != 1 or not one.source[1]:
        return None
    size = one.in_size // one.source[1]
    index = one.index.reshape(one.source[1], -1)
    first = index[0]
    if first.max(initial=-1) >= size or not np.array_equal(index, _repeated(first, size, one.source[1])):
        return None
    return Selection(
        _repeated(first, size, channels).reshape(_with(one.out_shape, channels)), _with(one.source, channels)
    )


def _repeated(first: np.ndarray, size: int, channels: int) -> np.ndarray:
    return np.where(first >= 0, first + size * np.arange(channels)[:, None], -1)
