"""Convolution with zero padding, by one matrix product over the windows of a few rows at a time."""

# ruff: noqa: D102  the methods are those of LinearMap, described there
from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from unbend.affine.maps import BLOCK, Cost, LinearMap, Shape
from unbend.affine.numbers import Stored, numbers

Pads = tuple[tuple[int, int], ...]

CACHED = 1 << 15
"""So many numbers of an image are worked on at once where each channel is filtered alone (256 KiB)."""

FEW = 1 << 12
"""A channel that takes no more multiplications than this is filtered by a product: fewer and longer steps."""


@dataclass(frozen=True, eq=False)
class Convolution(LinearMap):
    """ONNX's Conv without its bias: `kernel` (out, in / groups, *k), zero padding `pads` = ((begin, end), …).

    `stored` is the kernel as it is kept; `source` is the input's shape (batch, in, *spatial). A negative pad cuts off.
    """

    stored: Stored
    source: Shape
    strides: Shape
    pads: Pads
    dilations: Shape
    groups: int = 1

    @property
    def kernel(self) -> np.ndarray:
        """The kernel in float64."""
        return numbers(self.stored, keep=True)

    @property
    def in_shape(self) -> Shape:
        return self.source

    @property
    def out_shape(self) -> Shape:
        return self._out_shape

    @cached_property
    def _out_shape(self) -> Shape:
        spatial = (
            (size + begin + end - dilation * (k - 1) - 1) // stride + 1
            for size, (begin, end), dilation, k, stride in zip(
                self.source[2:], self.pads, self.dilations, self.stored.shape[2:], self.strides, strict=True
            )
        )
        return (self.source[0], self.stored.shape[0], *spatial)

    def apply(self, x: np.ndarray) -> np.ndarray:
        if not math.prod(self.out_shape):
            return np.empty((len(x), *self.out_shape))
        images = x.reshape(len(x) * self.source[0], *self.source[1:])
        out = np.empty((len(images), *self.out_shape[1:]))
        if self._alone:
            self._channel_by_channel(images, out)
            return out.reshape(len(x), *self.out_shape)
        matrices = self._matrices
        for block in self._blocks(len(images)):
            out[block] = self._seen_by(matrices, self._padded(images[block])).reshape(-1, *self.out_shape[1:])
        return out.reshape(len(x), *self.out_shape)

    def _seen_by(self, matrices: np.ndarray, padded: np.ndarray) -> np.ndarray:
        """The filters on every window: by one product, or tap by tap where the windows would take much room."""
        taps = math.prod(self.stored.shape[2:])
        if len(padded) * self.source[1] * taps * self._positions <= BLOCK:
            return matrices @ self._windows(padded)
        each = np.ascontiguousarray(np.moveaxis(matrices.reshape(*matrices.shape[:2], -1, taps), -1, 0))
        total = np.zeros((len(padded), *matrices.shape[:2], self._positions))
        for number, slices in self._taps():
            total += each[number] @ padded[(..., *slices)].reshape(len(padded), self.groups, -1, self._positions)
        return total

    @property
    def _alone(self) -> bool:
        """Whether each channel is filtered by itself, over so many places that this is best done tap by tap."""
        outputs, _, *taps = self.stored.shape
        work = math.prod(taps) * self._positions
        return self.groups == outputs == self.source[1] and math.prod(taps) > 1 and work > FEW

    def _channel_by_channel(self, images: np.ndarray, out: np.ndarray) -> None:
        """One filter for each channel, tap by tap, on as many channels at once as stay in the processor's cache."""
        step = max(1, CACHED // math.prod(self._padded_sizes))
        taps, kernel = [slices for _, slices in self._taps()], self.kernel
        for start in range(0, self.source[1], step):
            block = slice(start, start + step)
            weights = np.moveaxis(kernel[block].reshape(len(kernel[block]), -1, *(1,) * len(taps[0])), 1, 0)
            room = np.empty(out[0, block].shape)
            for image, sums in zip(images, out, strict=True):
                padded = self._padded(image[None, block])[0]
                np.multiply(padded[(..., *taps[0])], weights[0], out=sums[block])
                for weight, slices in zip(weights[1:], taps[1:], strict=True):
                    sums[block] += np.multiply(padded[(..., *slices)], weight, out=room)

    def transpose(self, y: np.ndarray) -> np.ndarray:
        if not math.prod(self.out_shape):
            return np.zeros((len(y), *self.in_shape))
        images = y.reshape(len(y) * self.source[0], *self.out_shape[1:])
        out = np.empty((len(images), *self.source[1:]))
        back = np.swapaxes(self._matrices, -1, -2)
        for block in self._blocks(len(images)):
            grouped = images[block].reshape(-1, self.groups, self.stored.shape[0] // self.groups, self._positions)
            out[block] = self._cut(self._overlapped(back @ grouped))
        return out.reshape(len(y), *self.in_shape)

    def image(self, offset: np.ndarray) -> np.ndarray:
        if any(size != 1 for size in (offset.shape[0], *offset.shape[2:])):
            return super().image(offset)
        sums, classes = self._tap_sums(offset), []
        for axis, seen in enumerate(self.seen()):
            patterns, place = np.unique(seen, axis=0, return_inverse=True)
            sums = np.moveaxis(np.tensordot(sums, patterns, (1 + axis, 1)), -1, 1 + axis)
            classes.append(place)
        return sums[np.ix_(range(len(sums)), *classes)][None]

    def _tap_sums(self, offset: np.ndarray) -> np.ndarray:
        """(out, *k): what each tap adds where every channel is one number."""
        outputs, _, *taps = self.stored.shape
        channels = np.broadcast_to(offset.reshape(-1), self.source[1:2]).reshape(self.groups, 1, 1, -1)
        grouped = self.kernel.reshape(self.groups, outputs // self.groups, -1, math.prod(taps))
        return (channels @ grouped).reshape(outputs, *taps)

    def seen(self) -> Iterator[np.ndarray]:
        """For each axis (places, taps): 1 where the tap of the window at that place lies on the image, else 0."""
        for axis, size in enumerate(self.source[2:]):
            taps = np.arange(self.stored.shape[2 + axis]) * self.dilations[axis]
            first = np.arange(self.out_shape[2 + axis]) * self.strides[axis] - self.pads[axis][0]
            read = first[:, None] + taps
            yield ((read >= 0) & (read < size)).astype(np.float64)

    @property
    def cost(self) -> Cost:
        return Cost(self.source[0] * self._positions * self.stored.size, self.stored.size)

    def with_kernel(self, kernel: Stored) -> Convolution:
        """The same windows with other weights."""
        return Convolution(kernel, self.source, self.strides, self.pads, self.dilations, self.groups)

    @property
    def window(self) -> tuple[Shape, Shape, Shape, Pads, Shape, int]:
        """All that must agree for two convolutions to be added kernel by kernel."""
        return self.stored.shape, self.source, self.strides, self.pads, self.dilations, self.groups

    @property
    def _positions(self) -> int:
        return math.prod(self.out_shape[2:])

    @property
    def _matrices(self) -> np.ndarray:
        """(groups, out / groups, in / groups · taps)."""
        return self.kernel.reshape(self.groups, self.stored.shape[0] // self.groups, -1)

    def _blocks(self, images: int) -> Iterator[slice]:
        """Slices of the images small enough that their windows fit into a block."""
        taps = math.prod(self.stored.shape[2:])
        step = max(1, BLOCK // max(1, self.source[1] * taps * self._positions))
        return (slice(start, start + step) for start in range(0, images, step))

    def _taps(self) -> Iterator[tuple[int, tuple[slice, ...]]]:
        """The number of each kernel position with the slices of the padded input that it meets."""
        places = self.out_shape[2:]
        for number, tap in enumerate(np.ndindex(*self.stored.shape[2:])):
            starts = (t * d for t, d in zip(tap, self.dilations, strict=True))
            yield (
                number,
                tuple(
                    slice(start, start + stride * (size - 1) + 1, stride)
                    for start, stride, size in zip(starts, self.strides, places, strict=True)
                ),
            )

    def _padded(self, images: np.ndarray) -> np.ndarray:
        if any(pad for pair in self.pads for pad in pair):
            padded = np.zeros((*images.shape[:2], *self._padded_sizes))
            inside, source = self._overlap()
            padded[(..., *inside)] = images[(..., *source)]
            return padded
        return images

    def _cut(self, padded: np.ndarray) -> np.ndarray:
        images = np.zeros((*padded.shape[:2], *self.source[2:]))
        inside, source = self._overlap()
        images[(..., *source)] = padded[(..., *inside)]
        return images

    @property
    def _padded_sizes(self) -> list[int]:
        return [size + begin + end for size, (begin, end) in zip(self.source[2:], self.pads, strict=True)]

    def _overlap(self) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        """Where the image lies in the padded tensor, and which part of it that is (negative pads cut off)."""
        inside, source = [], []
        for size, (begin, end) in zip(self.source[2:], self.pads, strict=True):
            first, last = max(0, -begin), size - max(0, -end)
            source.append(slice(first, last))
            inside.append(slice(first + begin, last + begin))
        return tuple(inside), tuple(source)

    def _windows(self, padded: np.ndarray) -> np.ndarray:
        """(images, groups, in / groups · taps, positions): what each output position sees."""
        taps = math.prod(self.stored.shape[2:])
        if taps == 1:
            ((_, slices),) = self._taps()
            return padded[(..., *slices)].reshape(len(padded), self.groups, -1, self._positions)
        windows = np.empty((len(padded), self.source[1], taps, *self.out_shape[2:]))
        for number, slices in self._taps():
            windows[:, :, number] = padded[(..., *slices)]
        return windows.reshape(len(padded), self.groups, -1, self._positions)

    def windows(self, x: np.ndarray, some: Callable[[int], np.ndarray]) -> np.ndarray:
        """(groups, windows, in / groups · taps): what the output sees at the places that `some` picks of all."""
        images, places = x.reshape(-1, *self.source[1:]), some(self._positions)
        found = np.empty((len(images), self.source[1], math.prod(self.stored.shape[2:]), len(places)))
        for i, image in enumerate(images):
            padded = self._padded(image[None])[0]
            for number, slices in self._taps():
                found[i, :, number] = padded[(..., *slices)].reshape(self.source[1], -1)[:, places]
        grouped = found.reshape(len(images), self.groups, -1, len(places))
        return grouped.transpose(1, 0, 3, 2).reshape(self.groups, -1, grouped.shape[2])

    def _overlapped(self, windows: np.ndarray) -> np.ndarray:
        """The transpose of `_windows`: what falls on the same padded position is added up."""
        taps = math.prod(self.stored.shape[2:])
        windows = windows.reshape(len(windows), self.source[1], taps, *self.out_shape[2:])
        padded = np.zeros((len(windows), self.source[1], *self._padded_sizes))
        for number, slices in self._taps():
            padded[(..., *slices)] += windows[:, :, number]
        return padded
