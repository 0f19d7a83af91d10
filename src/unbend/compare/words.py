"""Numbers in the sentences and tables of a comparison: as many decimals as the gain that matters needs."""

from __future__ import annotations

import math

from unbend.document import number
from unbend.findings import Interval

LARGE = 100
"""From here on, decimals say nothing."""


def places(rope: float) -> int:
    """Decimals: one more than `rope` takes, rounded to one digit.

    >>> places(0.01), places(0.0069), places(0.0002)
    (3, 3, 5)
    """
    return max(1 - round(math.log10(rope)), 0)


def points(value: float, rope: float) -> str:
    """A gain, a log-loss or an R², with the same decimals everywhere.

    >>> points(-0.00417, 0.01), points(0.01, 0.01), points(-3671.2, 0.01)
    ('−0.004', '0.010', '−3\u202f671')
    """
    if abs(value) >= LARGE:
        return number(value, 3)
    return f"{round(value, places(rope)) + 0.0:.{places(rope)}f}".replace("-", "−")


def between(interval: Interval, rope: float) -> str:
    """An interval.

    >>> between(Interval(-0.0123, 0.0321), 0.01)
    '−0.012 to 0.032'
    """
    return f"{points(interval.low, rope)} to {points(interval.high, rope)}"
