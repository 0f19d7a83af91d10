"""Weights in half precision, rounded so that the network's own activations lose little by it.

With errors d of a row of weights and its bias, which multiply x with H = E[x xᵀ] (1 for the bias), the output is off by
dᵀ H d in the mean of the squares. Each weight is one of its two neighbours in the type; one after the other is turned
to the other one where that makes the sum smaller, given all others. So the result loses no more on H than what it
began with, and where H is a multiple of the identity, nearest rounding is left as it is.

H is seen on some rows only. What it says of pairs of inputs is made smaller by the share that chance has in it.

Source: Nagel et al. (2020), "Up or down? Adaptive rounding for post-training quantization", on the sum; Frantar et al.
(2023), "GPTQ", on doing it column by column for all rows at once; Schäfer and Strimmer (2005), "A shrinkage approach to
large-scale covariance matrix estimation", table 2, target D, on the share of chance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from unbend.affine import Affine, Convolution, Dense
from unbend.affine.numbers import numbers
from unbend.collapse.write.rounding import Choice

SEEN = 4
"""So many samples of its inputs are looked at for each input of a row of weights …"""

FEWEST = 64
"""… and so many more."""

ROUNDS = 2
"""Times that every weight is looked at; a third time turns next to none."""

BLOCK = 64
"""Columns whose slopes are kept up to date one by one; those of the others are made when it is their turn."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a map's weights multiply, group by group: `second` is E[x xᵀ] and `mean` E[x] of the inputs x."""

    second: np.ndarray
    mean: np.ndarray

    @staticmethod
    def of(linear: Dense | Convolution, rows: np.ndarray) -> Inputs:
        """From rows of the map's source."""
        x = _samples(linear, rows)
        count = x.shape[1]
        second = np.swapaxes(x, 1, 2) @ x / count
        shared = 1.0 - _chance(x, second)[:, None, None]
        own = np.einsum("gii->gi", second).copy()
        second *= shared
        np.einsum("gii->gi", second)[...] = own
        return Inputs(second, shared[:, 0] * x.mean(axis=1))

    def with_one(self) -> np.ndarray:
        """E[x xᵀ] with one more input that is always 1: what the bias multiplies."""
        groups, inputs = self.mean.shape
        found = np.ones((groups, inputs + 1, inputs + 1))
        found[:, :-1, :-1] = self.second
        found[:, -1, :-1] = found[:, :-1, -1] = self.mean
        return found


def _samples(linear: Dense | Convolution, rows: np.ndarray) -> np.ndarray:
    """(groups, samples, inputs): what single outputs of the map are made from."""
    width = linear.stored.size // linear.stored.shape[0]
    most, rng = SEEN * width + FEWEST, np.random.default_rng(0)
    if isinstance(linear, Convolution):
        return linear.windows(rows, lambda places: _some(places, -(-most // len(rows)), rng))
    flat = rows.reshape(-1, width)
    return flat[_some(len(flat), most, rng)][None]


def _some(count: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """The numbers of at most so many of them."""
    return np.arange(count) if count <= most else np.sort(rng.choice(count, most, replace=False))


def _chance(x: np.ndarray, second: np.ndarray) -> np.ndarray:
    """For each group the share of chance in the means of products of two inputs: their variance over their squares."""
    count, squares = x.shape[1], x**2
    size = np.sum(second**2, axis=(1, 2)) - np.einsum("gii,gii->g", second, second)
    products = np.sum(squares.sum(axis=2) ** 2, axis=1) - np.sum(squares**2, axis=(1, 2))
    variance = (products / count - size) / max(count - 1, 1)
    return np.clip(variance / np.maximum(size, np.finfo(float).tiny), 0.0, 1.0)


def descended(choice: Choice, second: np.ndarray, width: int) -> Choice:
    """The choice (groups, outputs, inputs) after turning the weights that are better the other way on `second`.

    `width` columns at a time: those apart are taken to have nothing to do with each other.
    """
    chosen, other, error = choice.chosen.copy(), choice.other.copy(), choice.error
    for start in range(0, chosen.shape[-1], width):
        part = slice(start, start + width)
        for _ in range(ROUNDS):
            _round(chosen[..., part], other[..., part], error[..., part], second[:, part, part])
    return replace(choice, chosen=chosen, other=other)


def _round(chosen: np.ndarray, other: np.ndarray, error: np.ndarray, second: np.ndarray) -> None:
    """Every weight once, in place."""
    for start in range(0, chosen.shape[-1], BLOCK):
        block = slice(start, start + BLOCK)
        slopes, near = error @ second[..., block], second[:, block, block]
        for i in range(slopes.shape[-1]):
            at = (..., start + i)
            step = other[at].astype(np.float64) - chosen[at].astype(np.float64)
            turned = step * (2.0 * slopes[..., i] + step * near[:, i, i, None]) < 0.0
            step = np.where(turned, step, 0.0)
            slopes += step[..., None] * near[:, i, None]
            error[at] += step
            chosen[at], other[at] = np.where(turned, other[at], chosen[at]), np.where(turned, chosen[at], other[at])


def fitted(affine: Affine, start: np.ndarray, rows: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The weights and the offset of a product or a convolution, for rows of its source, in the type of `start`.

    The weights begin as `start`, each as one of the two numbers around it. An offset that is not one number for each
    row of weights is left as it is.
    """
    linear, offset = affine.linear, affine.offset
    assert isinstance(linear, Dense | Convolution)
    inputs = Inputs.of(linear, rows)
    groups = (len(inputs.second), len(start) // len(inputs.second), -1)
    weights = Choice.of(numbers(linear.stored), start).shaped(groups)
    if (bias := _bias(affine, start.dtype)) is None:
        return descended(weights, inputs.second, width).chosen.reshape(start.shape), offset
    found = descended(weights.beside(bias.shaped(groups)), inputs.with_one(), width).chosen
    return found[..., :-1].reshape(start.shape), found[..., -1].reshape(offset.shape).astype(np.float64)


def _bias(affine: Affine, dtype: np.dtype) -> Choice | None:
    """The offset, rounded to nearest; None where it is not one number for each row of weights, or too large."""
    axis, offset = 1 if isinstance(affine.linear, Convolution) else -1, affine.offset
    if not offset.any() or not offset.size == offset.shape[axis] == affine.linear.out_shape[axis]:
        return None
    with np.errstate(over="ignore"):
        nearest = offset.astype(dtype)
    return Choice.of(offset, nearest) if np.isfinite(nearest).all() else None
