"""Squares and products of columns: the quadratic rung.

Left out are the squares of columns with two values (the square is the column again, up to scale) and the products of
two levels of one category (always 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unbend.data import Coding, Term
from unbend.errors import UsageError

MOST = 3000
"""More columns than this are refused: their cross products alone take 72 MB and their factor minutes."""


@dataclass(frozen=True, eq=False)
class Quadratic:
    """The columns x, then x_first · x_second for each pair.

    Attributes
    ----------
    names : of all p + k columns, such as `age`, `age²`, `age·bmi`
    p : columns of x
    first, second : (k,) indices into x
    """

    names: tuple[str, ...]
    p: int
    first: np.ndarray
    second: np.ndarray
    degree: ClassVar[int] = 2

    def expand(self, x: np.ndarray) -> np.ndarray:
        """The columns x (n, p) followed by their squares and products; (n, p + k)."""
        return np.concatenate([x, x[:, self.first] * x[:, self.second]], axis=1)


def quadratic(coding: Coding | Sequence[str]) -> Quadratic:
    """The quadratic terms of coded columns, or of plain numeric columns given by name.

    Raises
    ------
    UsageError
        If there would be more than 3 000 columns.
    """
    terms = coding.terms if isinstance(coding, Coding) else tuple(Term(name, name) for name in coding)
    p = len(terms)
    if p * (p + 3) // 2 > MOST:
        raise UsageError(
            f"{p} columns have {p * (p + 3) // 2} squares and products, more than {MOST}",
            try_="leave columns out, or stay with degree 1",
        )
    pairs = [(i, j) for i in range(p) for j in range(i, p) if _adds_something(terms[i], terms[j])]
    names = (*(term.name for term in terms), *(_name(terms[i], terms[j]) for i, j in pairs))
    first, second = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    return Quadratic(names, p, first, second)


def _adds_something(a: Term, b: Term) -> bool:
    if a.name == b.name:
        return not a.two_valued
    return a.level is None or b.level is None or a.column != b.column


def _name(a: Term, b: Term) -> str:
    return f"{a.name}²" if a.name == b.name else f"{a.name}·{b.name}"
