"""THE RUNG TABLE: what a rung is, and which there are.

A rung is a function from `Training` to a `Model`, marked with `@rung`; the order in the file is the order of the
ladder. `needs` says whether the moments are enough or rows must be in memory. A rung that cannot be fitted raises
`LeftOutError` with the reason, and the ladder goes on without it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from unbend.compare.training import Training

Task = Literal["number", "classes"]
Needs = Literal["moments", "rows"]


@dataclass(frozen=True)
class Model:
    """A fitted rung.

    Attributes
    ----------
    predict : from coded columns (n, p) to numbers (n,), or to probabilities (n, classes)
    parameters : numbers that were fitted
    notes : sentences that the reader should see
    """

    predict: Callable[[np.ndarray], np.ndarray]
    parameters: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rung:
    """An entry of the table; `unstable` if training it again would give another model."""

    name: str
    label: str
    task: Task
    needs: Needs
    unstable: bool
    fit: Callable[[Training], Model]


_table: list[Rung] = []


def rung(
    name: str, label: str, *, task: Task, needs: Needs = "moments", unstable: bool = False
) -> Callable[[Callable[[Training], Model]], Callable[[Training], Model]]:
    """Enter a function into the table as the next rung for `task`; `label` is what sentences call it."""

    def enter(fit: Callable[[Training], Model]) -> Callable[[Training], Model]:
        _table.append(Rung(name, label, task, needs, unstable, fit))
        return fit

    return enter


@cache
def rungs(task: Task) -> tuple[Rung, ...]:
    """The ladder for a target of this kind, lowest rung first."""
    importlib.import_module("unbend.compare.rungs")
    return tuple(entry for entry in _table if entry.task == task)
