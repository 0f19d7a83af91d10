"""A finding: one sentence with its number, its interval and how sure it is.

Three kinds of grade that never mix: *exact* holds for every finite input (or, where it says so, at one row), *proved*
holds on a stated range, *measured* was counted or estimated on rows. Every number that unbend prints carries one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Grade = Literal[
    "exact", "exact at this row", "proved on the range", "measured on held-out rows", "measured on these rows"
]
"""How sure a number is. `exact at this row` is derived and not measured, but says nothing about other rows, such as the
slope of a curve; `measured on these rows` says that the rows were not held out from whatever was fitted."""


@dataclass(frozen=True)
class Interval:
    """A confidence interval [low, high] at `level`, in the unit of the number it belongs to."""

    low: float
    high: float
    level: float = 0.95


@dataclass(frozen=True)
class Finding:
    """One answer: a sentence that stands alone, the number in it, and its grade.

    `name` is a stable key for machines (such as `straightness`); `value` is the number without rounding, or None where
    the finding is a word; `evidence` says in a few words where the number comes from (rows, folds, method).
    """

    name: str
    sentence: str
    grade: Grade
    value: float | None = None
    interval: Interval | None = None
    evidence: str = ""
