"""The check table: one class an assumption, one file a class; the table finds its own entries.

A class registers itself with `@check(assumption=…, needs=…)` and is an accumulator:

    def __init__(self, fitted: Fitted): …       what the first reading of the rows gave
    def see(self, rows: FittedRows): …          one block of the second reading, which all checks share
    def verdict(self) -> Check: …

`needs` says what it must be given: `moments` (the first reading is enough, there is no `see`), `residuals` (every row),
or `order` (every row, in an order that the user declared).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from unbend.checks.fitted import Fitted, FittedRows
from unbend.checks.verdict import Check

Needs = Literal["moments", "residuals", "order"]


class Accumulator(Protocol):
    """What an entry of the table does with the rows."""

    test: str

    def __init__(self, fitted: Fitted) -> None: ...

    def see(self, rows: FittedRows) -> None:
        """Take in one block of rows."""

    def verdict(self) -> Check:
        """Answer from what was seen."""
        ...


@dataclass(frozen=True)
class Entry:
    """One row of the table: the assumption in words, what the check needs, and its class."""

    assumption: str
    needs: Needs
    kind: type[Accumulator]


_ENTRIES: dict[str, Entry] = {}

C = TypeVar("C", bound=type)


def check(*, assumption: str, needs: Needs) -> Callable[[C], C]:
    """Register a class as the check of an assumption."""

    def register(kind: C) -> C:
        if assumption in _ENTRIES and _ENTRIES[assumption].kind.__qualname__ != kind.__qualname__:
            raise ValueError(f"two checks of the assumption {assumption!r}")
        _ENTRIES[assumption] = Entry(assumption, needs, kind)
        return kind

    return register


@cache
def entries() -> tuple[Entry, ...]:
    """Every check there is, by the name of its file."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"unbend.checks.{module.name}")
    return tuple(sorted(_ENTRIES.values(), key=lambda entry: entry.kind.__module__))
