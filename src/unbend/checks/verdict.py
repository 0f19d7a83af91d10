"""Verdict words, and the one rule that gives them.

A verdict rests on the consequence: how often the user's own intervals really cover what they promise to. The p value
has one task only, to say whether chance alone could have produced that consequence: on a million rows every p is
small and nothing is wrong, on thirty rows a harmful-looking number is often nothing.

    coverage promised 95 %      ≥ 94 % fine      90 to 94 % noticeable      < 90 % harmful
    … if chance explains it     fine, or `unsure` where it may not, or where there are too few rows to see anything
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy.special import stdtr, stdtrit

from unbend.document import Table, number
from unbend.findings import Finding

Verdict = Literal["fine", "noticeable", "harmful", "unsure", "not asked"]

SEVERITY: tuple[Verdict, ...] = ("not asked", "fine", "unsure", "noticeable", "harmful")
"""The verdicts, the gravest last."""

FINE_MISSES = 1.2
"""An interval that misses up to 1.2 times as often as promised (95 %: 94 %) is fine: one row in a hundred."""

HARMFUL_MISSES = 2.0
"""An interval that misses more than twice as often as promised (95 %: 90 %) is harmful: its level is another."""

EVIDENT = 0.01
"""A consequence is believed if clean rows show it in fewer than 1 table of 100: with five checks, one table in twenty
gets a false alarm."""

SUGGESTIVE = 0.05
"""From here up, chance explains the consequence well enough; between the two, the verdict is `unsure`."""

FEWEST_SPARE_ROWS = 30
"""With fewer rows than this beyond the coefficients no check can say `fine`: with just as many, a harmful spread of the
noise (standard deviation e^0.6x, real coverage 83 %) is missed in half of the tables."""


@dataclass(frozen=True)
class Check:
    """The answer to one assumption.

    `statistic` and `p` are the test's, for the record; `effect` is how large the departure is; `chance` is the
    probability that rows without the fault would show a consequence this large; `table` stands beside the remedy.
    """

    assumption: str
    test: str
    verdict: Verdict
    statistic: float | None
    p: float | None
    effect: Finding
    consequence: str
    remedy: str
    table: Table | None = None
    chance: float | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def severity(self) -> int:
        """How grave the verdict is: larger is worse."""
        return SEVERITY.index(self.verdict)


_LEAST_RATIO = 1e-6
"""Below this an interval covers always, to every digit; dividing by less could overflow."""


def implied_coverage(ratio: np.ndarray, df: float, level: float) -> np.ndarray:
    """What an interval really covers if the standard error should be `ratio` times as large: 2 T(t / ratio) − 1.

    `ratio` has any shape. T is Student's distribution with `df` degrees of freedom and t its quantile at `level`; for
    many degrees of freedom this is 2 Φ(1.96 / ratio) − 1.

    >>> [round(float(c), 3) for c in implied_coverage(np.array([0.8, 1.0, 1.4]), 1e6, 0.95)]
    [0.986, 0.95, 0.838]
    """
    critical = stdtrit(df, (1 + level) / 2)
    return 2 * stdtr(df, critical / np.maximum(ratio, _LEAST_RATIO)) - 1


def sidak(p: np.ndarray, tests: int) -> np.ndarray:
    """The probability that the smallest of `tests` independent p values is below `p`: 1 − (1 − p)^tests."""
    return -np.expm1(tests * np.log1p(-np.minimum(p, 1 - 1e-16)))


def judge(coverage: float, level: float, chance: float, spare: float, slack: float = 1.0) -> Verdict:
    """The verdict for an interval that promises `level` and covers `coverage`.

    Parameters
    ----------
    chance
        How probable so large a departure is if nothing is wrong.
    spare
        Rows beyond the number of coefficients.
    slack
        How many times more misses are allowed than for an interval about all rows (2: only a tenth of the rows).
    """
    misses = (1 - coverage) / (1 - level) / slack
    if misses <= FINE_MISSES * (1 + 1e-9) or chance >= SUGGESTIVE:
        return "fine" if spare >= FEWEST_SPARE_ROWS else "unsure"
    if chance >= EVIDENT:
        return "unsure"
    return "harmful" if misses > HARMFUL_MISSES else "noticeable"


def worst(
    coverage: np.ndarray, level: float, chance: np.ndarray, spare: float, slack: np.ndarray | None = None
) -> tuple[Verdict, int]:
    """The gravest verdict over several intervals, and which earned it: of several, the one with the least coverage.

    `coverage`, `chance` and `slack` are (intervals,); the rest as for `judge`.
    """
    allowed = np.ones(len(coverage)) if slack is None else slack
    judged: list[Verdict] = [judge(c, level, p, spare, s) for c, p, s in zip(coverage, chance, allowed, strict=True)]
    gravest = max(judged, key=SEVERITY.index)
    return gravest, min((i for i, verdict in enumerate(judged) if verdict == gravest), key=lambda i: coverage[i])


def percent(share: float) -> str:
    """A share as people read it.

    >>> percent(0.9361), percent(0.95)
    ('93.6 %', '95 %')
    """
    return f"{number(100 * share, 3)} %"


def holds(level: float, name: str, coverage: float) -> str:
    """The consequence where the intervals of the coefficients are as they should be."""
    return (
        f"The {percent(level)} intervals of the coefficients cover what they promise, as far as these rows can show "
        f"(least: {name}, about {percent(coverage)})."
    )


def really_covers(level: float, name: str, coverage: float) -> str:
    """The consequence for one coefficient, as the beginning of a sentence."""
    return f"the {percent(level)} interval of {name} really covers about {percent(coverage)}"


def perhaps(text: str, n: int, spare: float) -> str:
    """The consequence of a verdict `unsure`: what it looks like, and why it cannot be told."""
    if spare < FEWEST_SPARE_ROWS:
        return f"{number(n)} rows are too few to tell. On them, {text}."
    return f"It looks as if {text}, but on {number(n)} rows this may be chance."


def p_text(p: float | None) -> str:
    """A p value in a sentence.

    >>> p_text(0.0312), p_text(1e-9), p_text(None)
    ('p = 0.031', 'p < 0.001', 'no p')
    """
    if p is None:
        return "no p"
    return "p < 0.001" if p < 0.001 else f"p = {number(p, 2)}"
