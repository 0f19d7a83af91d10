"""NIST's reference problems: certified values, the float64 problem, and its exact solution by rational arithmetic."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parent / "nist"
DEGREE = {"Pontius": 2, "Filip": 10, **{f"Wampler{i}": 5 for i in range(1, 6)}}
"""Sets whose columns are powers of one x."""


@dataclass(frozen=True)
class Problem:
    """A least-squares problem with an intercept: x (n, p), y (n,), and estimates and errors (intercept first)."""

    name: str
    x: np.ndarray
    y: np.ndarray
    estimates: np.ndarray
    errors: np.ndarray
    sigma: float
    r2: float


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
    data = np.array([line.split() for line in lines[start:] if line.split()], dtype=float)
    powers = range(1, DEGREE.get(name, 1) + 1)
    x = data[:, 1:] if data.shape[1] > 2 else np.column_stack([data[:, 1] ** k for k in powers])
    return Problem(name, x, data[:, 0], np.array(estimates), np.array(errors), sigma, r2)


def exact(x: np.ndarray, y: np.ndarray) -> Problem:
    """The solution of the float64 problem in rational arithmetic, rounded once at the end."""
    rows = [[Fraction(1), *map(Fraction, row)] for row in x.tolist()]
    targets = [Fraction(value) for value in y.tolist()]
    q, n = len(rows[0]), len(rows)
    gram = [[sum(row[i] * row[j] for row in rows) for j in range(q)] for i in range(q)]
    right = [sum(row[i] * t for row, t in zip(rows, targets, strict=True)) for i in range(q)]
    inverse = _inverse(gram)
    b = [sum(inverse[i][j] * right[j] for j in range(q)) for i in range(q)]
    rss = sum(t * t for t in targets) - sum(bi * ri for bi, ri in zip(b, right, strict=True))
    mean = sum(targets) / n
    tss = sum((t - mean) ** 2 for t in targets)
    variance = rss / (n - q)
    errors = np.sqrt([float(variance * inverse[i][i]) for i in range(q)])
    return Problem("", x, y, np.array([float(v) for v in b]), errors, float(variance) ** 0.5, float(1 - rss / tss))


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


class Nist:
    """What the tests of accuracy use."""

    certified = staticmethod(certified)
    exact = staticmethod(exact)
    digits = staticmethod(digits)


@pytest.fixture(scope="session")
def nist() -> Nist:
    return Nist()
