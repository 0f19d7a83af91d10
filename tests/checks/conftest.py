"""What the tests of the checks share: fits of plain arrays, R's values, and good and bad data."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
import pytest
from scipy.signal import lfilter

from unbend.checks.fitted import Fitted, FittedRows
from unbend.checks.table import entries
from unbend.checks.verb import ask
from unbend.checks.verdict import Check
from unbend.data import Term
from unbend.regression import Moments, ordinary

FOLDER = Path(__file__).parent.parent / "r-reference"


def fitted(x: np.ndarray, y: np.ndarray, level: float = 0.95) -> Fitted:
    """The fit of y on the columns x0, x1, … and a constant."""
    names = [f"x{j}" for j in range(x.shape[1])]
    terms = [Term(name, name, None, len(np.unique(x[:, j])) <= 2) for j, name in enumerate(names)]
    return Fitted.of(ordinary(Moments.of(np.column_stack([x, y])), names), terms, level)


def blocks(fit: Fitted, x: np.ndarray, y: np.ndarray, number: int) -> list[FittedRows]:
    """The rows in that many blocks."""
    parts = np.array_split(np.arange(len(y)), number)
    return [fit.rows(x[part], y[part]) for part in parts]


def asked(x: np.ndarray, y: np.ndarray, number: int = 1, level: float = 0.95) -> dict[str, Check]:
    """Every check's answer, the rows taken to be in order."""
    fit = fitted(x, y, level)
    return {check.assumption: check for check in ask(fit, blocks(fit, x, y, number), ordered=True)}


def accumulated(assumption: str, x: np.ndarray, y: np.ndarray, number: int = 1) -> Any:
    """One check after it has seen all rows."""
    fit = fitted(x, y)
    entry = next(entry for entry in entries() if entry.assumption == assumption)
    accumulator = entry.kind(fit)
    if entry.needs != "moments":
        for rows in blocks(fit, x, y, number):
            accumulator.see(rows)
    return accumulator


@dataclass(frozen=True)
class Reference:
    """One of R's fits: the data (target first in the file) and the values of its tests."""

    name: str
    columns: tuple[str, ...]
    x: np.ndarray
    y: np.ndarray
    tests: dict[str, Any]

    def value(self, test: str) -> Any:
        return self.tests[test]["value"]

    def numbers(self, test: str) -> np.ndarray:
        value = self.value(test)
        return np.array(list(value.values()) if isinstance(value, dict) else value, dtype=float)


def reference(name: str) -> Reference:
    """Read one of R's fits."""
    table = pyarrow.csv.read_csv(FOLDER / f"{name}.csv")
    data = np.column_stack([table.column(c).to_numpy().astype(float) for c in table.column_names])
    tests = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["tests"]
    return Reference(name, tuple(table.column_names[1:]), data[:, 1:], data[:, 0], tests)


Data = tuple[np.ndarray, np.ndarray]


def clean(n: int, rng: np.random.Generator, p: int = 3) -> Data:
    """Gaussian columns and noise, nothing wrong."""
    x = rng.standard_normal((n, p))
    return x, x @ np.arange(1, p + 1) + rng.standard_normal(n)


def uneven(n: int, rng: np.random.Generator, strength: float = 0.6) -> Data:
    """The noise grows with the first column: standard deviation exp(strength x)."""
    x, y = clean(n, rng)
    return x, y + (np.exp(strength * x[:, 0]) - 1) * (y - x @ np.arange(1, 4))


def curved(n: int, rng: np.random.Generator, strength: float = 0.5) -> Data:
    """The first column enters with its square."""
    x, y = clean(n, rng)
    return x, y + strength * x[:, 0] ** 2


def skewed(n: int, rng: np.random.Generator) -> Data:
    """Exponential noise."""
    x, _ = clean(n, rng)
    return x, x.sum(1) + rng.exponential(size=n)


def dependent(n: int, rng: np.random.Generator, rho: float = 0.7) -> Data:
    """Columns that drift, and noise of which each row keeps a share of the row before."""
    x = lfilter([1], [1, -0.9], rng.standard_normal((n + 100, 3)), axis=0)[100:]
    e = lfilter([1], [1, -rho], rng.standard_normal(n + 100))[100:]
    return x, x.sum(1) + e


def tangled(n: int, rng: np.random.Generator) -> Data:
    """The last column is nearly the sum of the others."""
    x, y = clean(n, rng)
    x[:, 2] = x[:, 0] + x[:, 1] + 0.1 * x[:, 2]
    return x, y


BAD: dict[str, Callable[[int, np.random.Generator], Data]] = {
    "autocorrelation": dependent,
    "collinearity": tangled,
    "even spread": uneven,
    "linearity": curved,
    "normal errors": skewed,
}
"""For each assumption, data that break it: a new check adds its own."""


class Checking:
    """What the tests use."""

    fitted = staticmethod(fitted)
    blocks = staticmethod(blocks)
    asked = staticmethod(asked)
    accumulated = staticmethod(accumulated)
    reference = staticmethod(reference)
    clean = staticmethod(clean)
    uneven = staticmethod(uneven)
    curved = staticmethod(curved)
    dependent = staticmethod(dependent)
    tangled = staticmethod(tangled)
    bad = BAD


@pytest.fixture(scope="session")
def checking() -> Checking:
    return Checking()
