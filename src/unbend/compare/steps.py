"""A step of the ladder: what a higher rung gains over a lower one, and what may be said of it.

A gain matters if it is larger than `rope`: 0.01 in R², or a hundredth of the class shares' log-loss. The interval of
the gain gives the word:

    above 0 and not within ± rope      better
    below 0 and not within ± rope      worse
    within ± rope                      practically the same
    otherwise                          cannot tell
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from unbend.compare.intervals import across_folds, contributions, row_wise, rows_needed, wider
from unbend.findings import Grade, Interval

Word = Literal["better", "practically the same", "worse", "cannot tell"]

ROPE = 0.01
"""Region of practical equivalence: a hundredth of what a constant loses."""


@dataclass(frozen=True)
class Step:
    """From one rung to a higher one.

    Attributes
    ----------
    lower, upper : names of the rungs
    gain : how much less the upper one loses, in R² or in nats
    interval : of the gain; `basis` says whether from the rows or, where it is wider, across the folds
    by_rows, by_folds : both intervals; the second is None with a hold-out
    verdict : in a word
    rows_needed : about how many held-out rows a verdict takes if there is none
    grade : whether the rows were held out from both rungs
    """

    lower: str
    upper: str
    gain: float
    interval: Interval
    basis: Literal["rows", "folds"]
    by_rows: Interval
    by_folds: Interval | None
    verdict: Word
    rows_needed: int | None
    grade: Grade


@dataclass(frozen=True)
class Estimate:
    """A mean over rows with both of its intervals, and the one that is believed."""

    value: float
    by_rows: Interval
    by_folds: Interval | None
    interval: Interval


def estimate(
    difference: np.ndarray, null: np.ndarray, fold: np.ndarray, level: float, overlap: float, unstable: bool
) -> Estimate:
    """Σ difference / Σ null over rows (n,); for an unstable rung the wider interval is believed."""
    values = contributions(difference, null)
    by_rows, by_folds = row_wise(values, level, overlap), across_folds(values, fold, level)
    return Estimate(float(values.mean()), by_rows, by_folds, wider(by_rows, by_folds) if unstable else by_rows)


def step(lower: str, upper: str, gain: Estimate, n: int, rope: float, grade: Grade) -> Step:
    """The step with its verdict."""
    word = verdict(gain.interval, rope)
    return Step(
        lower=lower,
        upper=upper,
        gain=gain.value,
        interval=gain.interval,
        basis="rows" if gain.interval == gain.by_rows else "folds",
        by_rows=gain.by_rows,
        by_folds=gain.by_folds,
        verdict=word,
        rows_needed=rows_needed(n, gain.value, gain.interval, rope) if word == "cannot tell" else None,
        grade=grade,
    )


def verdict(interval: Interval, rope: float) -> Word:
    """What an interval of a gain says.

    >>> [verdict(Interval(low, high), 0.01) for low, high in ((0.002, 0.03), (-0.005, 0.005), (-0.01, 0.02))]
    ['better', 'practically the same', 'cannot tell']
    """
    if -rope <= interval.low and interval.high <= rope:
        return "practically the same"
    if interval.low > 0:
        return "better"
    return "worse" if interval.high < 0 else "cannot tell"


def beats(step: Step, rope: float) -> bool:
    """Whether the upper rung is better by more than what matters."""
    return step.verdict == "better" and step.gain > rope


def might_beat(step: Step, rope: float) -> bool:
    """Whether the upper rung may be better by more than what matters, as far as the rows can tell."""
    return step.interval.high > rope
