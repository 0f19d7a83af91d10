"""Columns that are combinations of earlier ones, found one by one and named.

A column depends on the ones before it if what they leave of it is no larger than the rounding of the numbers involved:
the rounding of the factor, and the rounding of each column's own values (a column of mean 1e8 carries 8 digits fewer).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from unbend.document import number
from unbend.regression.triangle import EPS, ROUNDINGS, Triangle

CLEAR = 1e-4
"""A column of which more than this share of its length is new is independent of the others without a closer look."""
PART = 1e-6
"""A column takes part in a relation if its share of the dependent column's length is larger than this."""
PANEL = 256
"""Columns that are looked at together, at most."""
SUM = 1e-9
"""A constant smaller than this share of what it is the difference of is taken for 0."""


@dataclass(frozen=True, eq=False)
class Relation:
    """Column `column` = `constant` + Σ weights · others, to rounding; others and weights are (m,)."""

    column: int
    others: np.ndarray
    weights: np.ndarray
    constant: float

    def sentence(self, names: Sequence[str]) -> str:
        """Such as "total = a + b"."""
        others: list[int] = self.others.tolist()
        if not others:
            return f"{names[self.column]} is the same in every row"
        if len(others) > 6:
            shown = ", ".join(names[k] for k in others[:5])
            return f"{names[self.column]} is a sum of multiples of {len(others)} other columns: {shown}, …"
        weights: list[float] = self.weights.tolist()
        terms = [(weight, names[k]) for k, weight in zip(others, weights, strict=True)]
        if self.constant:
            terms.append((self.constant, ""))
        return f"{names[self.column]} = {_sum(terms)}"


def _sum(terms: list[tuple[float, str]]) -> str:
    text = ""
    for weight, name in terms:
        sign = " − " if weight < 0 else " + "
        size = number(abs(weight))
        factor = name if size == "1" and name else f"{size} {name}".strip()
        text += sign + factor
    return text[3:] if text.startswith(" + ") else "−" + text[3:]


def relations(triangle: Triangle) -> list[Relation]:
    """The columns of x that depend on earlier ones (the targets are not looked at)."""
    p = triangle.p
    length = triangle.length[:p]
    edge = np.diag(triangle.r)[:p]
    new = np.append(np.abs(edge), np.zeros(p - len(edge)))
    unclear = np.flatnonzero(new <= CLEAR * np.maximum(length, 1.0))
    return _search(triangle, p, int(unclear[0])) if len(unclear) else []


def independent(triangle: Triangle, found: Sequence[Relation]) -> list[int]:
    """The columns of x that are no relation's."""
    dependent = {relation.column for relation in found}
    return [j for j in range(triangle.p) if j not in dependent]


def _search(triangle: Triangle, p: int, clear: int) -> list[Relation]:
    """Gram and Schmidt, each column orthogonalised twice, which is enough (Giraud, Langou and Rozložník 2005).

    The first `clear` columns are independent, and as the factor is triangular the first axes are a basis for them. The
    more columns in a row depend on earlier ones, the more are looked at together.
    """
    found: list[Relation] = []
    kept = list(range(clear))
    most = min(p, len(triangle.r))
    basis = np.zeros((most, len(triangle.r)))
    basis[:clear, :clear] = np.eye(clear)
    upper = np.zeros((most, most), order="F")
    upper[:clear, :clear] = triangle.r[:clear, :clear]
    j, together = clear, 1
    while j < p:
        k = len(kept)
        columns = np.arange(j, min(j + together, p))
        along, rest = _split(triangle.r[:, columns], basis[:k])
        size = np.linalg.norm(rest, axis=0)
        weights = solve_triangular(upper[:k, :k], along, check_finite=False) if k else along
        dependent = size <= _rounding(triangle, columns, kept, weights)
        first = len(columns) if k == most or dependent.all() else int(np.argmin(dependent))
        found += [_relation(triangle, j + i, kept, weights[:, i]) for i in range(first)]
        j, together = j + first, min(2 * together, PANEL)
        if first < len(columns):
            upper[:k, k], upper[k, k], basis[k] = along[:, first], size[first], rest[:, first] / size[first]
            kept.append(j)
            j, together = j + 1, 1
    return found


def _split(columns: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    along = basis @ columns
    rest = columns - basis.T @ along
    again = basis @ rest
    return along + again, rest - basis.T @ again


def _rounding(triangle: Triangle, columns: np.ndarray, kept: list[int], weights: np.ndarray) -> np.ndarray:
    length, scale = triangle.length, triangle.scale
    share = np.abs(weights)
    in_factor = triangle.noise * (np.maximum(length[columns], 1.0) + length[kept] @ share)
    values = np.sqrt(triangle.n) * np.abs(triangle.mean) / scale + length
    in_values = ROUNDINGS * EPS * (values[columns] + values[kept] @ share)
    return in_factor + in_values


def _relation(triangle: Triangle, j: int, kept: list[int], weights: np.ndarray) -> Relation:
    length, scale, mean = triangle.length, triangle.scale, triangle.mean
    among = np.array(kept, dtype=int)
    taking_part = np.abs(weights) * length[among] > PART * length[j]
    others = among[taking_part]
    raw = tidy(weights[taking_part] * scale[j] / scale[others])
    constant = mean[j] - raw @ mean[others]
    size = abs(mean[j]) + np.abs(raw) @ np.abs(mean[others])
    spread = float(length[j] * scale[j] / np.sqrt(triangle.n))
    known = abs(constant) > PART * spread + SUM * size
    return Relation(j, others, raw, float(tidy(constant)) if known else 0.0)


def tidy(values: np.ndarray) -> np.ndarray:
    """Whole numbers where they are that up to rounding."""
    nearest = np.round(values)
    return np.where((nearest != 0) & (np.abs(values - nearest) < PART * np.abs(nearest)), nearest, values)
