"""How far a difference of losses on held-out rows can be trusted.

A difference is a mean over rows, d̄, or for R² a ratio d̄ / c̄ with the losses c of a constant. Both are means of
`contributions`, one number a row, and from those come two intervals:

* row-wise: the usual interval of a mean. It holds for learners that change little from fold to fold (regressions).
* across folds: Student's on the folds' means, with the variance that Nadeau and Bengio give it because the folds share
  training rows. It includes the noise of training, and is about twice as wide.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri, stdtrit

from unbend.findings import Interval

POWER = 0.8
"""With the number of rows that is named as needed, a verdict is reached in about this share of cases."""


def contributions(difference: np.ndarray, null: np.ndarray) -> np.ndarray:
    """One number a row, whose mean is Σ difference / Σ null and whose variance is that ratio's (delta method); (n,).

    With `null` = 1 these are the differences themselves.
    """
    ratio = difference.sum() / null.sum()
    return ratio + (difference - ratio * null) / null.mean()


def row_wise(values: np.ndarray, level: float) -> Interval:
    """Student's interval for the mean of `values` (n,).

    Source: Bayle, Bayle, Janson and Mackey (2020), NeurIPS 33, 16339-16350, for rows of a cross-validation.
    """
    half = stdtrit(len(values) - 1, (1 + level) / 2) * values.std(ddof=1) / np.sqrt(len(values))
    return _around(values, half, level)


def across_folds(values: np.ndarray, fold: np.ndarray, level: float) -> Interval | None:
    """Nadeau and Bengio's interval for the mean of `values` (n,), from the means of the folds; None for one fold.

    The variance of the folds' mean is s² (1 / K + 1 / (K − 1)), with K − 1 degrees of freedom.

    Source: Nadeau and Bengio (2003), Machine Learning 52, 239-281.
    """
    means = np.array([values[fold == k].mean() for k in np.unique(fold)])
    folds = len(means)
    if folds < 2:
        return None
    half = stdtrit(folds - 1, (1 + level) / 2) * means.std(ddof=1) * np.sqrt(1 / folds + 1 / (folds - 1))
    return _around(values, half, level)


def wider(one: Interval, other: Interval | None) -> Interval:
    """The wider of the two."""
    return one if other is None or other.high - other.low <= one.high - one.low else other


def rows_needed(n: int, value: float, interval: Interval, rope: float) -> int:
    """About how many rows would give a verdict if the difference is what it seems; two digits.

    A verdict needs an interval that leaves out 0 or stays within ± `rope`: half of it at most
    max(|value|, rope − |value|), and 1 + z_power / z_level times less for a verdict in most cases.
    """
    half = (interval.high - interval.low) / 2
    target = max(abs(value), rope - abs(value))
    margin = 1 + float(ndtri(POWER) / ndtri((1 + interval.level) / 2))
    rows = n * (margin * half / target) ** 2
    return int(float(f"{rows:.1e}"))


def _around(values: np.ndarray, half: float, level: float) -> Interval:
    centre = float(values.mean())
    return Interval(centre - float(half), centre + float(half), level)
