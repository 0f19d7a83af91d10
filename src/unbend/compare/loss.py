"""What a prediction costs, row by row: squared error for a number, log-loss in nats for classes."""

from __future__ import annotations

import numpy as np

LEAST_PROBABILITY = 1e-7
"""Probabilities are taken for at least this (16 nats): a float32 cannot hold 1 − p for a smaller p."""


def losses(predicted: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n,) squared errors of numbers (n,), or −log of the probability that (n, classes) gives to the row's class y."""
    if predicted.ndim == 1:
        return np.square(y - predicted)
    own = predicted[np.arange(len(y)), y.astype(int)]
    return -np.log(np.clip(own, LEAST_PROBABILITY, 1.0))


def divergence(one: np.ndarray, other: np.ndarray) -> float:
    """How far two predictions are apart in units of loss, summed over rows.

    If one of them were the truth, the other would lose so much more on average: the squared difference of numbers, or
    the mean of both Kullback-Leibler divergences of probabilities.
    """
    if one.ndim == 1:
        return float(np.square(one - other).sum())
    logs = [np.log(np.clip(p, LEAST_PROBABILITY, 1.0)) for p in (one, other)]
    return float(((one - other) * (logs[0] - logs[1])).sum() / 2)
