"""Which squares and products the quadratic rung has: all, squares only, or none, by what columns and rows allow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unbend.data import Coding
from unbend.document import number
from unbend.errors import UsageError
from unbend.regression import Quadratic, quadratic

MOST_COLUMNS = 2000
"""The moments of so many columns take 32 MB a fold, and their eigenvectors a second or two."""

MOST_NUMBERS = 20_000_000
"""Columns times rows times classes in memory for a logistic regression: tens of seconds for all folds."""


@dataclass(frozen=True)
class Expansion:
    """The squares and products of a quadratic rung, or why there are none.

    `terms` is None if the rung is left out; `note` says what was left out and why, "" if nothing was.
    """

    terms: Quadratic | None
    note: str = ""

    def expand(self, x: np.ndarray) -> np.ndarray:
        """The columns of x (n, p), then squares and products."""
        return x if self.terms is None else self.terms.expand(x)

    def names(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        """Names of all columns."""
        return columns if self.terms is None else self.terms.names


def expansion(coding: Coding, rows: int, in_memory: int = 0) -> Expansion:
    """The squares and products of coded columns.

    Parameters
    ----------
    coding : of the columns
    rows : that are fitted on, at least
    in_memory : numbers that each column takes if the rung is fitted in memory, 0 if from moments
    """
    most = min(MOST_COLUMNS, MOST_NUMBERS // in_memory) if in_memory else MOST_COLUMNS
    reason = ""
    for terms in (_all(coding), _squares(coding)):
        if terms is not None and len(terms.names) <= min(most, rows - 2):
            if terms.p == len(terms.names):
                return Expansion(None, "The quadratic is left out: no column has a square or a product of its own.")
            return Expansion(terms, reason)
        reason = f"The quadratic has squares only: products as well are more columns than {_limit(rows, most)}."
    return Expansion(None, f"The quadratic is left out: squares alone are more columns than {_limit(rows, most)}.")


def _limit(rows: int, most: int) -> str:
    return f"{number(rows)} rows to fit on carry" if rows - 2 < most else f"the {number(most)} that are computed"


def _all(coding: Coding) -> Quadratic | None:
    try:
        return quadratic(coding)
    except UsageError:
        return None


def _squares(coding: Coding) -> Quadratic:
    curved = np.array([j for j, term in enumerate(coding.terms) if not term.two_valued], dtype=np.intp)
    names = (*coding.names, *(f"{coding.terms[j].name}²" for j in curved))
    return Quadratic(names, len(coding.terms), curved, curved)
