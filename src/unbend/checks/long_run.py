"""The long-run variance of a series whose terms depend on one another: what Newey–West standard errors are made of."""

from __future__ import annotations

import numpy as np

STRONGEST = 0.97
"""The filter before the sum takes no stronger autocorrelation than this, so that it cannot blow up (Andrews and Monahan
1992)."""


def bartlett(lag: int) -> np.ndarray:
    """The weights of lags 1 to `lag`, (lag,), falling in a straight line to 0 at lag + 1."""
    return 1 - np.arange(1, lag + 1) / (lag + 1)


def pilot_lags(n: int, factor: int) -> int:
    """How many lags the bandwidth is chosen from; `factor` is 3 after a filter, else 4 (Newey and West 1994)."""
    return max(int(factor * (n / 100) ** (2 / 9)), 1)


def longest_lag(n: int) -> int:
    """The longest lag that is ever used, 12 (n / 100)^¼ (Schwert 1989)."""
    return min(int(12 * (n / 100) ** 0.25) + 1, n - 1)


def long_run_ratio(correlations: np.ndarray, n: int) -> float:
    """The square root of the long-run variance over the variance, from autocorrelations at lags 0, 1, … (lags,).

    Filters by AR(1), sums the filtered autocovariances with Bartlett weights up to Newey and West's automatic
    bandwidth, and undoes the filter.

    >>> round(long_run_ratio(0.5 ** np.arange(30), 10_000), 3)
    1.732
    """
    a = float(np.clip(correlations[1], -STRONGEST, STRONGEST))
    neighbours = np.concatenate([correlations[1:2], correlations[:-2]]) + correlations[1:]
    filtered = (1 + a**2) * correlations[:-1] - a * neighbours
    lag = min(_bandwidth(filtered, n), len(filtered) - 1)
    long_run = filtered[0] + 2 * bartlett(lag) @ filtered[1 : lag + 1]
    return float(np.sqrt(max(long_run, 0.0)) / (1 - a))


def _bandwidth(covariances: np.ndarray, n: int) -> int:
    few = min(pilot_lags(n, 3), len(covariances) - 1)
    level = covariances[0] + 2 * covariances[1 : few + 1].sum()
    slope = 2 * np.arange(1, few + 1) @ covariances[1 : few + 1]
    return int(min(1.1447 * (abs(slope / level) ** 2 * n) ** (1 / 3), n)) if level else 0
