"""What long work is at, for whoever listens: the command line shows it on a terminal; from Python nobody listens.

A verb calls `at("stretch 12 of 43")` wherever it has come a step further; `heard` lets a function hear it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


def at(step: str) -> None:
    """Say what is being done now, in a few words; nothing happens where nobody listens."""
    listener = _listener.get()
    if listener is not None:
        listener(step)


@contextmanager
def heard(listener: Callable[[str], None]) -> Iterator[None]:
    """Let `listener` hear every step while the block runs.

    >>> said = []
    >>> with heard(said.append):
    ...     at("stretch 1 of 2")
    >>> said
    ['stretch 1 of 2']
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
