"""Weights in half precision, rounded so that what the constant part of the inputs loses by it nearly cancels.

A row of weights p is rounded to w = p + d. Where inputs have a mean, as all have that come out of a Relu, or change
little from pixel to pixel, the errors of nearest rounding add up: of d x there remains m Σd. So a few numbers, those
nearest to the middle between their two neighbours, are rounded to the other neighbour, as many as make
v Σd² + m² (Σd)² smallest: over the taps of each channel first, then over the whole row. For inputs without a mean
next to nothing is lost by it, for Σd² hardly grows.

Source: Nagel et al. (2019), "Data-free quantization through weight equalization and bias correction", section 4.2, on
the mean of the error; Nagel et al. (2020), "Up or down? Adaptive rounding for post-training quantization".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import ml_dtypes
import numpy as np

from unbend.collapse.reduce.target import COARSE
from unbend.network.graph import is_float

FEWEST = 9
"""Fewer numbers than this are not balanced: one of them would move the sum by more than it is off."""

MEAN = 1.0 / (2.0 * math.pi)
"""The squared mean of a Relu of standard normal numbers."""

CHANNEL = 0.08
"""Of its variance, 0.34, so much is taken to be common to the taps of a channel …"""

PIXEL = 0.5 - MEAN - CHANNEL
"""… and this not: pixels are assumed to change more than they do in images."""

BLOCK = 1 << 19
"""So many numbers are rounded at once."""


def is_half(dtype: np.dtype) -> bool:
    """Whether the type has so few digits that rounding a weight is worth a thought.

    >>> is_half(np.dtype(np.float16)), is_half(np.dtype(ml_dtypes.bfloat16)), is_half(np.dtype(np.float32))
    (True, True, False)
    """
    return is_float(dtype) and float(ml_dtypes.finfo(dtype).eps) > COARSE


def units(dtype: np.dtype) -> float:
    """By how many units roundoff a merged weight may be off, relative to itself: the other neighbour is off by two."""
    return 2.0 if is_half(dtype) else 1.0


def rounded_rows(weights: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The weights (outputs, inputs, *taps) in `dtype`, each as one of the two numbers of the type around it.

    To the nearest where the type is not half precision, where a row is short, or where one is too large for the type.
    """
    with np.errstate(over="ignore"):
        nearest = weights.astype(dtype)
    width = weights[0].size if len(weights) else 0
    if not is_half(dtype) or width < FEWEST or not np.isfinite(nearest).all():
        return nearest
    step = max(1, BLOCK // width)
    blocks = [Choice.of(weights[i : i + step], nearest[i : i + step]) for i in range(0, len(weights), step)]
    return np.concatenate([block.rows() for block in blocks])


@dataclass(frozen=True, eq=False)
class Choice:
    """What weights are rounded to, and the neighbour on the other side of each that they could be rounded to."""

    exact: np.ndarray
    chosen: np.ndarray
    other: np.ndarray

    @staticmethod
    def of(exact: np.ndarray, chosen: np.ndarray) -> Choice:
        """From one of the two neighbours of each; a number of the type has no other, nor has one at its end."""
        with np.errstate(over="ignore", under="ignore"):
            towards = np.where(chosen.astype(np.float64) > exact, -np.inf, np.inf).astype(chosen.dtype)
            other = np.nextafter(chosen, towards)
        return Choice(exact, chosen, np.where(np.isfinite(other) & (chosen != exact), other, chosen))

    @property
    def error(self) -> np.ndarray:
        """What rounding adds to each."""
        return self.chosen.astype(np.float64) - self.exact

    def rows(self) -> np.ndarray:
        """The weights with their taps balanced channel by channel, and then whole rows."""
        own = self.exact.shape
        taps, row = (*own[:2], math.prod(own[2:])), (own[0], math.prod(own[1:]))
        by_channel = self.shaped(taps).balanced(PIXEL, CHANNEL) if taps[2] >= FEWEST else self
        return by_channel.shaped(row).balanced(PIXEL + CHANNEL, MEAN).chosen.reshape(own)

    def shaped(self, shape: tuple[int, ...]) -> Choice:
        """The same numbers along other axes."""
        return Choice(self.exact.reshape(shape), self.chosen.reshape(shape), self.other.reshape(shape))

    def beside(self, more: Choice) -> Choice:
        """These numbers and more behind them along the last axis."""
        pairs = zip((self.exact, self.chosen, self.other), (more.exact, more.chosen, more.other), strict=True)
        return Choice(*(np.concatenate(pair, axis=-1) for pair in pairs))

    def balanced(self, spread: float, common: float) -> Choice:
        """Some numbers the other way, so that spread · Σd² + common · (Σd)² is small along the last axis."""
        error = self.error
        total = error.sum(axis=-1, keepdims=True)
        step = np.abs(self.other.astype(np.float64) - self.chosen.astype(np.float64))
        helps = (error * total > 0) & (step > 0)
        step = np.where(helps, step, 0.0)
        worse = step * (step - 2.0 * np.abs(error))
        order = np.argsort(np.where(helps, step - 2.0 * np.abs(error), np.inf), axis=-1, kind="stable")
        left = np.abs(total) - np.take_along_axis(step, order, -1).cumsum(axis=-1)
        loss = spread * np.take_along_axis(worse, order, -1).cumsum(axis=-1) + common * left**2
        count = np.concatenate([common * total**2, loss], axis=-1).argmin(axis=-1)
        place = np.argsort(order, axis=-1, kind="stable")
        turned = helps & (place < count[..., None])
        return Choice(self.exact, np.where(turned, self.other, self.chosen), np.where(turned, self.chosen, self.other))
