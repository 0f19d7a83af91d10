"""NIST's reference problems: certified values, the float64 problem, and its exact solution by rational arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import isqrt
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[1] / "tests" / "regression" / "nist"
DEGREE = {"Pontius": 2, "Filip": 10, **{f"Wampler{i}": 5 for i in range(1, 6)}}
"""Sets whose columns are powers of one x."""
THROUGH_ORIGIN = ("NoInt1", "NoInt2")
"""Sets of a model without an intercept."""
SETS = (*THROUGH_ORIGIN, "Norris", "Pontius", "Longley", "Filip", *(f"Wampler{i}" for i in range(1, 6)))


@dataclass(frozen=True)
class Problem:
    """A least-squares problem: x (n, p), y (n,), and estimates and errors (the intercept first, if there is one).

    `decimals` are the columns as they are written, y first.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    estimates: np.ndarray
    errors: np.ndarray
    sigma: float
    r2: float
    decimals: tuple[tuple[str, ...], ...] = ()


def certified(name: str) -> Problem:
    """A NIST file: its data (powers taken in float64) and its certified values."""
    lines = (FOLDER / f"{name}.dat").read_text().splitlines()
    estimates, errors, sigma, r2 = [], [], np.nan, np.nan
    for i, line in enumerate(lines):
        words = line.split()
        if len(words) == 3 and words[0].startswith("B") and words[0][1:].isdigit():
            estimates.append(float(words[1]))
            errors.append(float(words[2]))
        if line.strip().startswith("Residual") and "Standard Deviation" in lines[i + 1]:
            sigma = float(lines[i + 1].split()[-1])
        if line.strip().startswith("R-Squared"):
            r2 = float(words[-1])
    start = max(i for i, line in enumerate(lines) if line.startswith("Data:")) + 1
    decimals = tuple(tuple(line.split()) for line in lines[start:] if line.split())
    data = np.array(decimals, dtype=float)
    powers = range(1, DEGREE.get(name, 1) + 1)
    x = data[:, 1:] if data.shape[1] > 2 else np.column_stack([data[:, 1] ** k for k in powers])
    return Problem(name, x, data[:, 0], np.array(estimates), np.array(errors), sigma, r2, decimals)


def as_written(name: str) -> Problem:
    """The exact solution of a NIST set as it is written, powers taken of the decimals."""
    problem = certified(name)
    degree = DEGREE.get(name, 1)
    rows = [[Fraction(value) ** k for value in row[1:] for k in range(1, degree + 1)] for row in problem.decimals]
    found = exact(rows, [Fraction(row[0]) for row in problem.decimals], intercept=name not in THROUGH_ORIGIN)
    return replace(found, name=name, decimals=problem.decimals)


def exact(x, y, weights=None, intercept: bool = True) -> Problem:
    """The solution in rational arithmetic, rounded once at the end; numbers are floats or fractions.

    The residual variance is that of weights of mean 1.
    """
    rows = [[*([Fraction(1)] if intercept else []), *map(Fraction, row)] for row in _list(x)]
    targets = [Fraction(value) for value in _list(y)]
    n, q = len(rows), len(rows[0])
    w = [Fraction(1)] * n if weights is None else [Fraction(value) for value in _list(weights)]
    gram = [[sum(v * row[i] * row[j] for v, row in zip(w, rows, strict=True)) for j in range(q)] for i in range(q)]
    right = [sum(v * row[i] * t for v, row, t in zip(w, rows, targets, strict=True)) for i in range(q)]
    inverse = _inverse(gram)
    b = [sum(inverse[i][j] * right[j] for j in range(q)) for i in range(q)]
    rss = sum(v * t * t for v, t in zip(w, targets, strict=True)) - sum(
        bi * ri for bi, ri in zip(b, right, strict=True)
    )
    mean = sum(v * t for v, t in zip(w, targets, strict=True)) / sum(w) if intercept else Fraction(0)
    tss = sum(v * (t - mean) ** 2 for v, t in zip(w, targets, strict=True))
    variance = rss / (n - q) if n > q else Fraction(0)
    errors = [_root(variance * inverse[i][i]) for i in range(q)]
    sigma = _root(variance * n / sum(w))
    plain = [np.array(part, dtype=float) for part in (x, y)]
    return Problem("", *plain, np.array([float(v) for v in b]), np.array(errors), sigma, float(1 - rss / tss))


def _list(values):
    return values.tolist() if isinstance(values, np.ndarray) else values


def _root(value: Fraction) -> float:
    """Square root, right to the last bit where the square of a float is not."""
    if value == 0:
        return 0.0
    shift = 2 * (64 + max(value.denominator.bit_length() - value.numerator.bit_length(), 0) // 2 + 64)
    return float(Fraction(isqrt((value.numerator << shift) // value.denominator), 1 << (shift // 2)))


def _inverse(matrix: list[list[Fraction]]) -> list[list[Fraction]]:
    q = len(matrix)
    rows = [[*row, *(Fraction(int(i == j)) for j in range(q))] for i, row in enumerate(matrix)]
    for i in range(q):
        pivot = next(k for k in range(i, q) if rows[k][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for k in range(q):
            if k != i and rows[k][i]:
                factor = rows[k][i]
                rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i], strict=True)]
    return [row[q:] for row in rows]


def digits(value: np.ndarray | float, reference: np.ndarray | float) -> float:
    """Correct decimal digits of the worst entry, at most 16; absolute where the reference is 0."""
    value, reference = np.atleast_1d(value), np.atleast_1d(reference)
    size = np.where(reference == 0, 1.0, np.abs(reference))
    error = np.max(np.abs(value - reference) / size)
    return float(-np.log10(np.clip(error, 1e-16, 1.0))) if np.isfinite(error) else 0.0
